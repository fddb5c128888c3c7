"""Raise the number of processes a user may have: live for running processes, then for new logins."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from triagebook.runbooks.engine.dataclass import dataclass
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
)
from triagebook.tools.actions.process import RunningProcess
from triagebook.tools.collector.readings import HostReading

MOST = 32  # processes in one order


@dataclass(frozen=True)
class TargetProcess:
    """A process whose limit is raised, and its limit (SOFT:HARD) before."""

    pid: int
    start: int
    limits: str


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (process.capture_user(str(params["uid"])),)


def parents_to_raise(found: Sequence[RunningProcess], limit: str) -> tuple[RunningProcess, ...]:
    """List those whose limit would rise, the ones with most children and threads first: siblings do not inherit."""
    children: dict[int, int] = {}
    for one in found:
        children[one.parent] = children.get(one.parent, 0) + 1
    low = [one for one in found if one.state != "Z" and is_less(one.limits["nproc"].partition(":")[0], limit)]
    return tuple(sorted(low, key=lambda one: (-children.get(one.pid, 0), -one.threads, one.pid))[:MOST])


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    user, limit, found = str(params["user"]), str(params["limit"]), _check(params, outputs)
    if step == "persist":
        return _persist(user, str(params["uid"]), limit, found)
    chosen = [TargetProcess(one.pid, one.start, one.limits["nproc"]) for one in parents_to_raise(found, limit)]
    if not chosen:
        raise UsageError(f"no process of {user} has a limit below {limit}", reason="not_higher")
    return _live(user, str(params["uid"]), limit, chosen)


def _again(params: Params, step: Step, outputs: Sequence[str], approved: Mapping[str, str]) -> PlannedChange:
    """Plan for the processes that were approved. That others came, and that some ended, changes nothing about it."""
    user, limit, found = str(params["user"]), str(params["limit"]), _check(params, outputs)
    if step == "persist":
        return _persist(user, str(params["uid"]), limit, found)
    now = {(one.pid, one.start): one.limits["nproc"] for one in found}
    chosen = [parse_target_process(text) for text in approved["processes"].split(",")]
    if not any((one.pid, one.start) in now for one in chosen):
        raise UsageError(f"every process of {user} that was to be changed has ended", reason="process_gone")
    chosen = [replace(one, limits=now.get((one.pid, one.start), one.limits)) for one in chosen]
    return _live(user, str(params["uid"]), limit, chosen)


def _check(params: Params, outputs: Sequence[str]) -> Sequence[RunningProcess]:
    user, uid, limit = str(params["user"]), str(params["uid"]), str(params["limit"])
    if uid == "0":
        raise UsageError("root is exempt from this limit", reason="exempt")
    found = [one for one in process.parse(outputs[0]) if one.uid == int(uid)]
    tasks = sum(one.threads for one in found)
    if not tasks < int(limit):
        raise UsageError(f"{user} has {tasks} tasks: a limit of {limit} would refuse the next one", reason="below_use")
    return found


def parse_target_process(text: str) -> TargetProcess:
    """Read one entry of an order's `processes`: PID:START:SOFT:HARD."""
    pid, start, limits = text.split(":", 2)
    return TargetProcess(int(pid), int(start), limits)


def _live(user: str, uid: str, limit: str, chosen: Sequence[TargetProcess]) -> PlannedChange:
    pairs = [(str(one.pid), one.limits, raise_pair(one.limits, limit)) for one in chosen]
    kinds = Counter((before, after) for _, before, after in pairs)
    listed = ",".join(f"{one.pid}:{one.start}:{one.limits}" for one in chosen)
    return PlannedChange(
        order={"step": "live", "user": user, "uid": uid, "processes": listed, "before": "none", "value": limit},
        what=f"process limit (soft:hard) of {len(chosen)} running processes of {user}, and of what they start",
        now=", ".join(f"{count} x {before}" for (before, _), count in kinds.items()),
        then=", ".join(f"{count} x {after}" for (_, after), count in kinds.items()),
        commands=tuple(("prlimit", "--pid", pid, f"--nproc={after}") for pid, _, after in pairs),
        undo_commands=tuple(("prlimit", "--pid", pid, f"--nproc={before}") for pid, before, _ in pairs),
    )


def _persist(user: str, uid: str, limit: str, found: Sequence[RunningProcess]) -> PlannedChange:
    if not found:
        raise UsageError(f"no process of {user} runs: its present limit is not known", reason="unknown_limit")
    lowest = min((one.limits["nproc"] for one in found), key=lambda pair: _order(pair.partition(":")[0]))
    after = raise_pair(lowest, limit)
    file = f"/etc/security/limits.d/zz-triagebook-{user}.conf"
    hard = () if after.endswith(":unlimited") else (f"{user} hard nproc {after.partition(':')[2]}",)
    return PlannedChange(
        order={"step": "persist", "user": user, "uid": uid, "processes": "none", "before": lowest, "value": limit},
        what=f"process limit (soft:hard) of new logins of {user}, in {file}",
        now=lowest,
        then=after,
        commands=((*WRITE, file, f"{user} soft nproc {limit}", *hard),),
        undo_commands=(("rm", file),),
    )


def _order(limit: str) -> int:
    return 2**63 if limit == "unlimited" else int(limit)


def _manual_lines(change: ManualChange) -> Lines:
    return process.prlimit_lines(change, "nproc")


ACTION = Action(
    name="user_nproc",
    parameters={
        "user": Parameter("user"),
        "uid": Parameter("int", 1, 2**32 - 2),
        "limit": Parameter("int", 1, 4194304),
    },
    fields=("user", "uid", "processes", "before", "value"),
    steps=("live", "persist"),
    undo="captured",
    disruption="None. The user's guard against fork bombs gets wider. Only new logins see the persistent step.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
    again=_again,
)
