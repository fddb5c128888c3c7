"""End one process. Cannot be undone.

SIGTERM first; SIGKILL only after a SIGTERM to the same process, as a plan of its own.
"""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import process
from triagebook.tools.actions.action import Action, Lines, ManualChange, Parameter, Params, PlannedChange, Step
from triagebook.tools.actions.process_limit import one_of
from triagebook.tools.collector.readings import HostReading


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (process.capture_one(str(params["pid"])),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    pid, signal = str(params["pid"]), str(params["signal"])
    found = one_of(pid, outputs[0])
    if found.state == "Z":
        raise UsageError(f"process {pid} is a zombie: act on its parent {found.parent}", reason="zombie")
    return PlannedChange(
        order={"step": step, "pid": pid, "start": str(found.start), "uid": str(found.uid), "signal": signal},
        what=f"process {pid} ({found.comm}) of user {found.uid}",
        now="running",
        then="asked to end (SIGTERM)" if signal == "TERM" else "ended at once (SIGKILL), its unsaved work lost",
        commands=(("kill", "-s", signal, pid),),
        undo_commands=(),
    )


def _manual_lines(change: ManualChange) -> Lines:
    return [("kill", "-s", str(change.params["signal"]), str(change.params["pid"]))], []


ACTION = Action(
    name="process_signal",
    parameters={"pid": Parameter("pid", 2, 4194304), "signal": Parameter("word", words=("TERM", "KILL"))},
    fields=("pid", "start", "uid", "signal"),
    steps=("live",),
    undo="none",
    disruption="The process ends, and what it was doing is lost. It cannot be undone.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
