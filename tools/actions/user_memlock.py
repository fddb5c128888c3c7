"""Raise the memory that new logins of a user may lock (RLIMIT_MEMLOCK), by a file of limits.d. `process_limit` raises live."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import process
from triagebook.tools.actions.action import (
    WRITE,
    Action,
    Lines,
    ManualChange,
    Parameter,
    Params,
    PlannedChange,
    Step,
    is_less,
    raise_pair,
    refuse_unless_higher,
)
from triagebook.tools.collector.readings import HostReading


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (process.capture_user(str(params["uid"])),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    user, uid, limit = str(params["user"]), str(params["uid"]), str(params["limit"])
    if uid == "0":
        raise UsageError("root may lock without a limit", reason="exempt")
    known = [one.limits["memlock"] for one in process.parse(outputs[0]) if one.uid == int(uid) and "memlock" in one.limits]
    if not known:
        raise UsageError(f"no process of {user} runs whose limit was printed: its present one is not known", reason="unknown_limit")
    lowest = known[0]
    for pair in known:
        lowest = pair if is_less(pair.partition(":")[0], lowest.partition(":")[0]) else lowest
    return _persist(user, uid, limit, lowest)


def _persist(user: str, uid: str, limit: str, before: str) -> PlannedChange:
    refuse_unless_higher(f"the memory that {user} may lock", before.partition(":")[0], limit)
    soft, hard = (in_kib(each) for each in raise_pair(before, limit).split(":"))
    file = f"/etc/security/limits.d/zz-triagebook-{user}-memlock.conf"
    lines = (f"{user} soft memlock {soft}", *(() if hard == "unlimited" else (f"{user} hard memlock {hard}",)))
    return PlannedChange(
        order={"step": "persist", "user": user, "uid": uid, "before": before, "value": limit},
        what=f"locked memory limit (soft:hard, bytes) of new logins of {user}, in {file} (in KiB there)",
        now=before,
        then=raise_pair(before, limit),
        commands=((*WRITE, file, *lines),),
        undo_commands=(("rm", file),),
    )


def in_kib(value: str) -> str:
    """Return bytes as limits.conf(5) counts locked memory: KiB, a started one as a whole one."""
    return value if value == "unlimited" else str(-(-int(value) // 1024))


def _manual_lines(change: ManualChange) -> Lines:
    before = change.verdict.limit.value if change.verdict.limit else 0
    user, uid, limit = (str(change.params[name]) for name in ("user", "uid", "limit"))
    planned = _persist(user, uid, limit, f"{before:.0f}:{before:.0f}")
    return planned.commands, planned.undo_commands


ACTION = Action(
    name="user_memlock",
    parameters={
        "user": Parameter("user"),
        "uid": Parameter("int", 1, 2**32 - 2),
        "limit": Parameter("int", 1, 2**47),
    },
    fields=("user", "uid", "before", "value"),
    steps=("persist",),
    undo="captured",
    disruption="None: only new logins have it, and running processes keep their limit.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
