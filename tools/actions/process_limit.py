"""Raise one limit (RLIMIT_AS, RLIMIT_MEMLOCK and others) of one running process. Its children inherit it, and it ends with it."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import process
from triagebook.tools.actions.action import (
    Action,
    Lines,
    ManualChange,
    Parameter,
    Params,
    PlannedChange,
    Step,
    raise_pair,
    refuse_unless_higher,
)
from triagebook.tools.actions.process import RunningProcess
from triagebook.tools.actions.resources import RESOURCES
from triagebook.tools.collector.readings import HostReading

MOST_FILES = 1048576  # programs that close every possible number at start take minutes of more, or gigabytes of tables


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (process.capture_one(str(params["pid"])),)


def one_of(pid: str, output: str) -> RunningProcess:
    """Find the process of that number. Raises UsageError when it has ended."""
    for found in process.parse(output):
        if found.pid == int(pid):
            return found
    raise UsageError(f"process {pid} has ended", reason="process_gone")


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    pid, resource, limit = str(params["pid"]), str(params["resource"]), str(params["limit"])
    refuse_too_many_files(resource, limit)
    found = one_of(pid, outputs[0])
    before = found.limits.get(resource, "")
    if not before:
        raise UsageError(f"the {resource} limit of process {pid} was not printed", reason="unread")
    refuse_unless_higher(f"the {resource} limit of process {pid}", before.partition(":")[0], limit)
    after = raise_pair(before, limit)
    process_fields = {"pid": pid, "start": str(found.start), "uid": str(found.uid)}
    return PlannedChange(
        order={"step": step, **process_fields, "resource": resource, "before": before, "value": limit},
        what=f"{resource} limit (soft:hard, {RESOURCES[resource].unit}) of process {pid} ({found.comm}), while it runs",
        now=before,
        then=after,
        commands=(("prlimit", "--pid", pid, f"--{resource}={after}"),),
        undo_commands=(("prlimit", "--pid", pid, f"--{resource}={before}"),),
    )


def refuse_too_many_files(resource: str, limit: str) -> None:
    """Refuse more open files than any program is given here. Raises UsageError."""
    if resource == "nofile" and int(limit) > MOST_FILES:
        raise UsageError(f"nofile: {limit} is above {MOST_FILES}", reason="out_of_bounds")


def _manual_lines(change: ManualChange) -> Lines:
    return process.prlimit_lines(change, str(change.params["resource"]))


ACTION = Action(
    name="process_limit",
    parameters={
        "pid": Parameter("pid", 2, 4194304),
        "resource": Parameter("word", words=tuple(RESOURCES)),
        "limit": Parameter("int", 1, 2**47),
    },
    fields=("pid", "start", "uid", "resource", "before", "value"),
    steps=("live",),
    undo="captured",
    disruption="None: the process goes on and is not told.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
