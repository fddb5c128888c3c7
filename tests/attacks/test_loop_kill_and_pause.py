"""A server is killed, or stopped for longer than its lease, at any moment under load: what it said was done is done, no more."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import TriagebookError

from tests import postgres
from tests.attacks.budget import Attack
from tests.hang import GUARD_S
from tests.system.fixes import test_kill
from tests.system.fixes.policies import TEXT
from tests.system.fixes.server import Server, Starter

DONE = {"approved", "running", "validated", "unknown", "failed"}
HOSTS = [f"web-{number:02}" for number in range(1, 61)]


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Starter]:
    """Starts server processes; ends each by its pid."""
    (tmp_path / "policy.yaml").write_text(TEXT)
    (tmp_path / "effects").mkdir()
    made = Starter(tmp_path)
    yield made
    made.end()


@dataclass
class Load:
    """Clients that propose and approve until their server is gone; what was acknowledged is kept."""

    server: Server
    acknowledged: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)
    count: int = 0

    def run(self, hosts: list[str], most: int) -> None:
        with suppress(TriagebookError, OSError, ValueError):
            for host in hosts:
                fix = self.server.ask("propose", **{**test_kill.PROPOSAL, "host": host})
                self.server.ask("approve", fix=fix["id"], digest=fix["digest"], break_glass="attack")
                self.acknowledged.append(fix["id"])
                if len(self.acknowledged) >= most:
                    self.enough.set()
        self.enough.set()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_acknowledged_decision_is_lost_by_kill_9(
    attack: Attack, many: Starter, kind: str, request: pytest.FixtureRequest
) -> None:
    asked: dict[str, Any] = {"policy": test_kill._policy(many), "effects": str(many.directory / "effects")}
    if kind == "postgresql":
        found: postgres.Server = request.getfixturevalue("postgres_server")
        asked["database"] = found.new_database()
    server = many.start(**asked)
    for number in attack.rounds(1):
        with attack.round(number) as random:
            hosts = random.sample(HOSTS, 40)
            load = Load(server)
            threads = [threading.Thread(target=load.run, args=(hosts[at::4], random.randint(1, 25))) for at in range(4)]
            for thread in threads:
                thread.start()
            assert load.enough.wait(GUARD_S)
            server.kill()
            for thread in threads:
                thread.join(GUARD_S)
            server = many.start(**asked)
            assert server.said == "ready", server.said
            states = {fix_id: server.ask("show", fix=fix_id)["state"] for fix_id in load.acknowledged}
            assert set(states.values()) <= DONE, states
            assert server.ask("audit_verify")["holds"]
            attack.figure("kills")
            attack.figure("acknowledged decisions, none lost", len(states))
            for fix_id in [fix["id"] for fix in server.ask("list") if fix["state"] in {"proposed", "approved"}]:
                server.ask("withdraw", fix=fix_id)


def test_a_server_stopped_at_any_moment_changes_nothing_that_another_settled(
    attack: Attack, many: Starter, postgres_server: postgres.Server
) -> None:
    policy, effects = test_kill._policy(many), many.directory / "effects"
    asked: dict[str, Any] = {
        "policy": policy,
        "effects": str(effects),
        "database": postgres_server.new_database(),
        "lease_s": 2,
        "idle_s": 1,
    }
    one = many.start(name="one", **asked)
    assert one.said == "ready", one.said
    (many.directory / "two").mkdir(0o700)
    shutil.copytree(many.directory / "one" / "keys", many.directory / "two" / "keys", copy_function=shutil.copy2)
    two = many.start(name="two", join=True, sweep_s=0.2, **asked)
    assert two.said == "ready", two.said
    for number in attack.rounds(1):
        with attack.round(number) as random:
            fix = one.ask("propose", **{**test_kill.PROPOSAL, "host": HOSTS[number % len(HOSTS)]})
            one.ask("approve", fix=fix["id"], digest=fix["digest"], break_glass="attack")
            applying = threading.Thread(target=test_kill._apply, args=(one, fix["id"], []))
            applying.start()
            applying.join(random.random() * 0.1)  # at any moment of it
            os.kill(one.process.pid, signal.SIGSTOP)
            state = _settled(two, fix["id"])
            os.kill(one.process.pid, signal.SIGCONT)
            applying.join(GUARD_S)
            changed = [path.name for path in effects.glob(f"{fix['id']}.*")]
            assert len(changed) <= 1
            if state == "failed":
                assert not changed, "it was said that nothing was changed"
            attack.figure(f"{state} when it went on")
    assert two.ask("audit_verify")["holds"]


def _settled(server: Server, fix_id: str) -> str:
    """The state once it is not running any more, by another server; `approved` when it was stopped before its claim.

    `running` after a while: it was stopped between its claim and the end of its lease, and nobody has swept yet.
    """
    for _ in range(100):
        state = str(server.ask("show", fix=fix_id)["state"])
        if state not in {"running", "unknown"}:
            break
        threading.Event().wait(0.1)
    return state
