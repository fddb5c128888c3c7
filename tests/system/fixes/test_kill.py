"""kill -9 of the server at every point of the life of a fix; and two servers on one PostgreSQL."""

import os
import pwd
import shutil
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError

from tests import postgres
from tests.hang import GUARD_S
from tests.system.fixes import policies

from .server import Server, Starter

ME = pwd.getpwuid(os.geteuid()).pw_name
PROPOSAL = {"host": "web-01", "remediation": "raise_tasks_max", "parameters": {"limit": 200}}
LEASE_S = 60
# step -> state right after the restart, state once the lease ran out, effects on the host
POINTS = {
    "propose.before_commit": ("", "", 0),
    "propose.after_commit": ("proposed", "proposed", 0),
    "approve.before_commit": ("proposed", "proposed", 0),
    "approve.after_commit": ("approved", "approved", 0),
    "claim.before_commit": ("approved", "approved", 0),
    "claim.after_commit": ("running", "failed", 0),
    "apply.anchored": ("running", "failed", 0),
    "execute.before_effect": ("running", "failed", 0),
    "execute.after_effect": ("running", "validated", 1),
    "settle.before_commit": ("running", "validated", 1),
    "settle.after_commit": ("validated", "validated", 1),
}


def _policy(starter: Starter) -> str:
    """This account is ann, who may break the glass; dan's right to read everything is hers too."""
    text = policies.TEXT.replace("{os: ann}", f"{{os: {ME}}}").replace("who: [dan]}", "who: [dan, ann]}")
    (starter.directory / "policy.yaml").write_text(text)
    return str(starter.directory / "policy.yaml")


def _live(server: Server) -> None:
    """The life of a fix, by one who may break the glass."""
    with suppress(TriagebookError):
        fix = server.ask("propose", **PROPOSAL)
        server.ask("approve", fix=fix["id"], digest=fix["digest"], break_glass="test")
        server.ask("apply", fix=fix["id"])


def _seen(server: Server) -> tuple[str, bool]:
    """The state of the only fix, and whether the audit log holds."""
    fixes = server.ask("list")
    assert len(fixes) <= 1, "doubled"
    return (fixes[0]["state"] if fixes else ""), server.ask("audit_verify")["holds"]


QUICK = {"propose.after_commit", "approve.after_commit", "execute.before_effect", "execute.after_effect"}  # each later state once


@pytest.mark.parametrize("point", [pytest.param(point, marks=[] if point in QUICK else [pytest.mark.long]) for point in POINTS])
def test_after_kill_9_every_state_is_honest_and_nothing_runs_twice(starter: Starter, point: str) -> None:
    at_once, later, effects = POINTS[point]
    asked = {"policy": _policy(starter), "effects": str(starter.directory / "effects"), "lease_s": LEASE_S}
    server = starter.start(steps=(point,), **asked)
    assert server.said == "ready"
    life = threading.Thread(target=_live, args=(server,))
    life.start()
    assert server.await_step() == point
    server.kill()
    life.join(GUARD_S)

    if at_once != later:
        again = starter.start(**asked)
        assert _seen(again) == (at_once, True)
        again.stop()
    after_lease = starter.start(clock_ahead_s=LEASE_S + 10, **asked)
    assert _seen(after_lease) == (later, True)
    assert _effects(starter) == effects
    for fix in after_lease.ask("list"):
        _try_again(after_lease, fix["id"])
    assert _effects(starter) == (1 if later == "approved" else effects)


def _try_again(server: Server, fix_id: str) -> None:
    for _ in range(2):
        with suppress(RefusedError):
            server.ask("apply", fix=fix_id)


def _effects(starter: Starter) -> int:
    return len(list((starter.directory / "effects").iterdir()))


def test_a_replica_never_owns_what_the_other_owns_also_when_one_is_killed(
    starter: Starter, postgres_server: postgres.Server, tmp_path: Path
) -> None:
    asked = {
        "policy": _policy(starter),
        "effects": str(starter.directory / "effects"),
        "database": postgres_server.new_database(),
        "lease_s": LEASE_S,
    }
    one = starter.start(name="one", **asked)
    (tmp_path / "two").mkdir(0o700)
    shutil.copytree(tmp_path / "one" / "keys", tmp_path / "two" / "keys", copy_function=shutil.copy2)
    assert "no anchor has any" in starter.start(name="two", **asked).said
    two = starter.start(name="two", join=True, **asked)
    assert (one.said, two.said) == ("ready", "ready")
    fixes = [_approved(server, number) for number, server in enumerate((one, two) * 5)]

    results: list[str] = []
    threads = [threading.Thread(target=_apply, args=(server, fix, results)) for fix in fixes for server in (one, two, one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
    assert results.count("validated") == len(fixes), Counter(results)
    assert set(results) <= {"validated", "already_used", "host_locked"}
    assert _effects(starter) == len(fixes)
    applied = [row for row in two.ask("audit_list", limit=1000) if row["action"] == "apply" and row["outcome"] == "ok"]
    assert sorted(row["fix"] for row in applied) == sorted(fixes)

    one.stop()
    doomed = starter.start(name="one", steps=("execute.after_effect",), **asked)
    fix_id = _approved(doomed, 49)
    apply = threading.Thread(target=_apply, args=(doomed, fix_id, results))
    apply.start()
    assert doomed.await_step() == "execute.after_effect"
    with pytest.raises(RefusedError) as refused:
        two.ask("apply", fix=fix_id)
    assert refused.value.reason == "already_used"
    doomed.kill()
    apply.join(GUARD_S)
    assert two.ask("show", fix=fix_id)["state"] == "running"  # the lease still runs: nobody else may say more
    two.stop()
    later = starter.start(name="two", clock_ahead_s=LEASE_S + 10, **asked)
    assert later.ask("show", fix=fix_id)["state"] == "validated"
    assert _effects(starter) == len(fixes) + 1
    assert later.ask("audit_verify")["holds"]


def _approved(server: Server, number: int) -> str:
    fix = server.ask("propose", **{**PROPOSAL, "host": f"web-{number + 1:02}"})
    server.ask("approve", fix=fix["id"], digest=fix["digest"], break_glass="test")
    return str(fix["id"])


def _apply(server: Server, fix_id: str, results: list[str]) -> None:
    """Ask until the server has time: on a busy machine it says for seconds that it has none."""
    reason = "busy"
    while reason == "busy":
        try:
            reason = server.ask("apply", fix=fix_id)["state"]
        except TriagebookError as error:
            reason = error.reason
    results.append(reason)
