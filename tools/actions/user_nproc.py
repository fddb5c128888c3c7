"""Raise the number of processes a user may have: live for running processes, then for new logins."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import process
from triagebook.tools.actions.action import (
    WRITE,
    Action,
    Argv,
    Parameter,
    Params,
    PlannedChange,
    Step,
    is_less,
    raised_pair,
)
from triagebook.tools.actions.process import RunningProcess
from triagebook.tools.orders import fields_of

MOST = 32  # processes in one order


def _capture(params: Params, step: Step) -> tuple[Argv, ...]:
    return (process.capture_user(str(params["uid"])),)


def forking_parents(found: Sequence[RunningProcess], limit: str) -> tuple[RunningProcess, ...]:
    """Those whose limit would rise, the ones with most children and threads first: siblings do not inherit."""
    children: dict[int, int] = {}
    for one in found:
        children[one.parent] = children.get(one.parent, 0) + 1
    low = [one for one in found if one.state != "Z" and is_less(one.limits["nproc"].partition(":")[0], limit)]
    return tuple(sorted(low, key=lambda one: (-children.get(one.pid, 0), -one.threads, one.pid))[:MOST])


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    user, uid, limit = str(params["user"]), str(params["uid"]), str(params["limit"])
    if uid == "0":
        raise UsageError("root is exempt from this limit", reason="exempt")
    found = [one for one in process.parse(outputs[0]) if one.uid == int(uid)]
    tasks = sum(one.threads for one in found)
    if not tasks < int(limit):
        raise UsageError(f"{user} has {tasks} tasks: a limit of {limit} would refuse the next one", reason="below_use")
    return _live(user, uid, limit, found) if step == "live" else _persist(user, uid, limit, found)


def _live(user: str, uid: str, limit: str, found: Sequence[RunningProcess]) -> PlannedChange:
    chosen = forking_parents(found, limit)
    if not chosen:
        raise UsageError(f"no process of {user} has a limit below {limit}", reason="not_higher")
    pairs = [(str(one.pid), one.limits["nproc"], raised_pair(one.limits["nproc"], limit)) for one in chosen]
    listed = ",".join(f"{one.pid}:{one.start}:{one.limits['nproc']}" for one in chosen)
    return PlannedChange(
        order=fields_of("user_nproc", ("live", user, uid, listed, "none", limit)),
        what=f"process limit (soft:hard) of {len(chosen)} running processes of {user}, and of what they start",
        now=" ".join(f"{pid}={before}" for pid, before, _ in pairs),
        then=" ".join(f"{pid}={after}" for pid, _, after in pairs),
        commands=tuple(("prlimit", "--pid", pid, f"--nproc={after}") for pid, _, after in pairs),
        undo_commands=tuple(("prlimit", "--pid", pid, f"--nproc={before}") for pid, before, _ in pairs),
    )


def _persist(user: str, uid: str, limit: str, found: Sequence[RunningProcess]) -> PlannedChange:
    if not found:
        raise UsageError(f"no process of {user} runs: its present limit is not known", reason="unknown_limit")
    lowest = min((one.limits["nproc"] for one in found), key=lambda pair: _order(pair.partition(":")[0]))
    after = raised_pair(lowest, limit)
    file = f"/etc/security/limits.d/zz-triagebook-{user}.conf"
    hard = () if after.endswith(":unlimited") else (f"{user} hard nproc {after.partition(':')[2]}",)
    return PlannedChange(
        order=fields_of("user_nproc", ("persist", user, uid, "none", lowest, limit)),
        what=f"process limit (soft:hard) of new logins of {user}, in {file}",
        now=lowest,
        then=after,
        commands=((*WRITE, file, f"{user} soft nproc {limit}", *hard),),
        undo_commands=(("rm", file),),
    )


def _order(limit: str) -> int:
    return 2**63 if limit == "unlimited" else int(limit)


ACTION = Action(
    name="user_nproc",
    parameters={
        "user": Parameter("user"),
        "uid": Parameter("int", 1, 2**32 - 2),
        "limit": Parameter("int", 1, 4194304),
    },
    steps=("live", "persist"),
    undo="captured",
    disruption="None. The user's guard against fork bombs gets wider. Only new logins see the persistent step.",
    privilege="root",
    capture=_capture,
    plan=_plan,
)
