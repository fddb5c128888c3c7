"""Time passes at each step of carrying a fix out: in an anchor, in the database, in a server that is stopped.

Meanwhile another server calls the fix unknown and settles it as "nothing was changed". Nothing may be signed after that.
"""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.runbooks.engine.plan import Plan, Rendering, Value
from triagebook.tools.audit.anchors import FileAnchor
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.note import Checkpoint
from triagebook.tools.execute.executor import HostExecutor
from triagebook.tools.fixes.claim import HeldClaim, confirm_unknown
from triagebook.tools.fixes.interfaces import Ending, Execution
from triagebook.tools.fixes.service import FixService
from triagebook.tools.store import fix_rows

from tests import postgres
from tests.hang import GUARD_S
from tests.system.fixes import policies, samples, test_executor, test_kill
from tests.system.fixes.server import Starter
from tests.system.fixes.test_executor import APPLIED, BOOT, TARGET, WELL, Helper
from tests.system.fixes.world import Clock, UnitRenderer, World, build

LEASE_S = 60
LONG_S = 300.0  # more than a lease and more than the life of any order


class SoundRenderer(UnitRenderer):
    """Renders orders that a helper would take."""

    def render(self, diagnosis: Diagnosis, offered: OfferedRemediation, parameters: Mapping[str, Value]) -> Rendering:
        return self._sound(super().render(diagnosis, offered, parameters))

    def again(self, plan: Plan, outputs: Any) -> Rendering:
        return self._sound(super().again(plan, outputs))

    def _sound(self, made: Rendering) -> Rendering:
        order = dict(made.order)
        return replace(made, order={**order, "value": order.pop("limit")})


@dataclass
class Pauses:
    """A world whose time a test moves: wall clock and monotonic clock together."""

    clock: Clock
    elapsed_s: float = 0.0

    def monotonic(self) -> float:
        return self.elapsed_s

    def pass_(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.clock.pass_(seconds=seconds)


@dataclass
class Stage:
    """A server with the real executor, a scripted helper, and a second server on the same database."""

    world: World
    other: World
    helper: Helper
    pauses: Pauses
    at: dict[str, Callable[[], None]]

    def sweep_elsewhere(self) -> None:
        """What another server does after the pause: the lease is over, and the helper's journal has nothing."""
        self.other.service.sweep()

    def orders(self) -> list[bytes]:
        return [message for message in self.helper.heard if b"SIGNATURE" in message]


class Settling:
    """The other server's way to a helper that has never heard of the order."""

    def recover(self, execution: Execution) -> Ending:
        return Ending("failed", "the helper's journal does not have it: nothing was changed")


@pytest.fixture
def stage(database_url: str, tmp_path: Path) -> Iterator[Stage]:
    clock, at = Clock(datetime.now(UTC).replace(microsecond=0)), {}
    pauses = Pauses(clock)
    made = build(database_url, tmp_path, step=lambda name: at.get(name, lambda: None)(), clock=clock)
    other = build(database_url, tmp_path, instance="one", clock=clock)
    helper = Helper([APPLIED])
    here = samples.diagnosis("web-01")
    here = replace(here, host=replace(here.host, boot_id=BOOT), target=replace(here.target, clock_skew_s=1.0))
    made.diagnoser.edit["web-01"] = here
    executor: HostExecutor = replace(
        test_executor.executor(helper, WELL), now=clock, monotonic=pauses.monotonic, diagnoser=made.diagnoser
    )
    object.__setattr__(executor, "target_id", lambda _host: TARGET)
    object.__setattr__(executor, "approach", lambda _host: made.executor.approach(""))
    object.__setattr__(executor, "validate", lambda _plan: None)
    trust = replace(made.trust, executor=executor, renderer=SoundRenderer(made.diagnoser), monotonic=pauses.monotonic)
    world = replace(made, trust=trust, service=FixService(trust))
    settling: Any = Settling()
    elsewhere = replace(other, service=FixService(replace(other.trust, executor=settling)))
    yield Stage(world, elsewhere, helper, pauses, at)
    made.store.close()
    other.store.close()


def test_a_fix_that_nobody_pauses_is_signed_for_no_longer_than_its_claim(stage: Stage) -> None:
    fix_id = stage.world.approved()
    with suppress(TriagebookError):
        stage.world.apply(fix_id)
    (order,) = stage.orders()
    fields = dict(line.split("=", 1) for line in order.decode().splitlines() if "=" in line)
    assert int(fields["issued"]) == int(stage.pauses.clock.now.timestamp())
    assert int(fields["expires"]) - int(fields["issued"]) <= LEASE_S


@pytest.mark.parametrize("point", ["claim.after_commit", "apply.claimed", "checkpoint.after_commit", "apply.anchored"])
def test_a_server_that_was_stopped_after_its_claim_signs_nothing(stage: Stage, point: str) -> None:
    fix_id = stage.world.approved()

    def stop() -> None:
        stage.at.clear()
        stage.pauses.pass_(LONG_S)
        stage.sweep_elsewhere()

    stage.at[point] = stop
    with suppress(TriagebookError):
        stage.world.apply(fix_id)
    assert stage.at == {}, "the point was not passed"
    assert stage.orders() == []
    assert stage.world.state(fix_id) == "failed"
    assert stage.world.trust.checkpointer.report().holds


def test_an_anchor_that_hangs_for_longer_than_the_lease_ends_the_claim_it_did_not_renew(stage: Stage) -> None:
    fix_id = stage.world.approved()
    (anchor,) = stage.world.trust.checkpointer._anchors

    class Hanging:
        def keep(self, checkpoint: Checkpoint) -> None:
            assert isinstance(anchor, FileAnchor)
            anchor.keep(checkpoint)
            with stage.world.store.read() as transaction:
                fix = fix_rows.read(transaction, fix_id)
            if not stage.pauses.elapsed_s and fix is not None and fix.state == "running":
                stage.pauses.pass_(LONG_S)

        def notes(self) -> list[str] | None:
            return anchor.notes()

    stage.world.trust.checkpointer._anchors = (Hanging(),)
    assert stage.world.apply(fix_id) == "failed"
    assert stage.orders() == []
    assert "claim" in stage.world.service.show(policies.actor("dan"), fix_id).outcome


@pytest.mark.parametrize("point", ["renew.before_commit", "renew.after_commit"])
def test_a_database_that_hangs_while_the_claim_is_confirmed_gets_nothing_signed(stage: Stage, point: str) -> None:
    fix_id = stage.world.approved()

    def hang() -> None:
        stage.at.clear()
        stage.pauses.pass_(LONG_S)

    stage.at[point] = hang
    assert stage.world.apply(fix_id) == "failed"
    assert stage.orders() == []


def test_a_server_stopped_right_after_the_confirmation_signs_an_order_that_is_over(stage: Stage) -> None:
    fix_id = stage.world.approved()
    key = stage.world.trust.executor.key  # type: ignore[union-attr]

    class Slow:
        def seal(self, order: bytes) -> bytes:
            stage.pauses.pass_(LONG_S)
            return bytes(key.seal(order))

    object.__setattr__(stage.world.trust.executor, "key", Slow())
    with suppress(TriagebookError):
        stage.world.apply(fix_id)
    (order,) = stage.orders()
    (expires,) = (int(line[8:]) for line in order.decode().splitlines() if line.startswith("expires="))
    assert expires < stage.pauses.clock.now.timestamp()


def test_a_claim_lives_on_for_as_long_as_it_is_renewed_and_is_lost_for_good_after_that(stage: Stage) -> None:
    fix_id, store = stage.world.approved(), stage.world.store
    held = HeldClaim(stage.world.trust, fix_id, "me")
    with store.write() as transaction:
        fix = fix_rows.read(transaction, fix_id)
        assert fix is not None
        event = AuditEvent(at=stage.pauses.clock(), action="apply", outcome="ok", person="cid")
        assert fix_rows.claim(transaction, fix, "running", held.lease(), event)
    for _ in range(5):
        stage.pauses.pass_(LEASE_S * 0.9)
        stage.sweep_elsewhere()
        assert held.confirm() == LEASE_S
    stage.pauses.elapsed_s += LEASE_S  # the database's time stands still: only this server's own counts
    for _ in range(2):
        with pytest.raises(RefusedError, match="ran out"):
            held.confirm()


def test_an_interrupted_undo_that_another_server_settled_is_not_gone_on_with(stage: Stage) -> None:
    fix_id = stage.world.approved()
    with stage.world.store.read() as transaction:
        fix = fix_rows.read(transaction, fix_id)
    assert fix is not None
    with pytest.raises(RefusedError) as refused:
        confirm_unknown(stage.world.trust, replace(fix, state="unknown"))
    assert refused.value.reason == "claim_lost"


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("claim.after_commit", marks=pytest.mark.long),
        pytest.param("apply.anchored", marks=pytest.mark.long),
        "execute.before_effect",
    ],
)
def test_a_server_process_stopped_by_a_signal_changes_nothing_once_another_settled_its_fix(
    starter: Starter, postgres_server: postgres.Server, tmp_path: Path, point: str
) -> None:
    name = f"paused_{point.replace('.', '_')}"
    postgres_server.tool("createdb", name)
    asked = {
        "policy": test_kill._policy(starter),
        "effects": str(starter.directory / "effects"),
        "database": postgres_server.url(name),
        "lease_s": LEASE_S,
    }
    paused = starter.start(name="one", steps=(point,), **asked)
    fix_id = test_kill._approved(paused, 1)
    results: list[str] = []
    apply = threading.Thread(target=test_kill._apply, args=(paused, fix_id, results))
    apply.start()
    assert paused.await_step() == point
    paused.process.send_signal(signal.SIGSTOP)
    (tmp_path / "two").mkdir(0o700)
    shutil.copytree(tmp_path / "one" / "keys", tmp_path / "two" / "keys", copy_function=shutil.copy2)
    two = starter.start(name="two", join=True, clock_ahead_s=LEASE_S + 10, **asked)
    assert two.said == "ready"
    assert two.ask("show", fix=fix_id)["state"] == "failed"
    os.write(paused.answers, b"\n")
    paused.process.send_signal(signal.SIGCONT)
    apply.join(GUARD_S)
    assert list((tmp_path / "effects").iterdir()) == []
    assert two.ask("show", fix=fix_id)["state"] == "failed"
    assert two.ask("audit_verify")["holds"]


@pytest.mark.parametrize("point", ["propose.before_commit", pytest.param("claim.before_commit", marks=pytest.mark.long)])
def test_a_server_that_was_stopped_inside_a_transaction_holds_up_no_other_server(
    starter: Starter, postgres_server: postgres.Server, tmp_path: Path, point: str
) -> None:
    """It has locked the head of the audit log: the database ends its transaction, and what it was about to do is not done."""
    asked = {
        "policy": test_kill._policy(starter),
        "effects": str(starter.directory / "effects"),
        "database": postgres_server.new_database(),
        "idle_s": 3,
    }
    two = starter.start(name="two", **asked)
    (tmp_path / "one").mkdir(0o700)
    shutil.copytree(tmp_path / "two" / "keys", tmp_path / "one" / "keys", copy_function=shutil.copy2)
    stopped = starter.start(name="one", join=True, steps=(point,), **asked)
    assert (two.said, stopped.said) == ("ready", "ready")
    if point == "propose.before_commit":
        doing = threading.Thread(target=test_kill._live, args=(stopped,))
    else:
        doing = threading.Thread(target=test_kill._apply, args=(stopped, test_kill._approved(two, 1), []))
    doing.start()
    assert stopped.await_step() == point
    stopped.process.send_signal(signal.SIGSTOP)
    proposed: list[str] = []
    other = threading.Thread(target=lambda: proposed.append(test_kill._approved(two, 2)), daemon=True)
    other.start()
    other.join(GUARD_S)
    has_waited = not proposed
    os.write(stopped.answers, b"\n")
    stopped.process.send_signal(signal.SIGCONT)
    doing.join(GUARD_S)
    assert not has_waited, "the other server waits for the one that stands still"
    states = {fix["host"]: fix["state"] for fix in two.ask("list")}
    assert states == ({"web-03": "approved"} if point == "propose.before_commit" else {"web-02": "approved", "web-03": "approved"})
    assert list((tmp_path / "effects").iterdir()) == []
    assert stopped.ask("audit_verify")["holds"]
