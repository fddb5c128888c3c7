"""Restart a service once, to free what it leaked or to let new limits hold. Cannot be undone; its counters go."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import unit as units
from triagebook.tools.actions.action import Action, Lines, ManualChange, Parameter, Params, PlannedChange, Step
from triagebook.tools.collector.readings import HostReading


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (units.capture(str(params["unit"])),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    name = str(params["unit"])
    invocation = units.parse(name, outputs[0]).invocation
    if not name.endswith(".service") or len(invocation) != 32:
        raise UsageError(f"{name} is not a service that was started", reason="unit_not_active")
    return PlannedChange(
        order={"step": step, "unit": name, "before": invocation},
        what=f"{name}",
        now=f"running as invocation {invocation}",
        then="restarted",
        commands=(("systemctl", "restart", name),),
        undo_commands=(),
    )


def _manual_lines(change: ManualChange) -> Lines:
    return [("systemctl", "restart", str(change.params["unit"]))], []


ACTION = Action(
    name="unit_restart",
    parameters={"unit": Parameter("unit")},
    fields=("unit", "before"),
    steps=("live",),
    undo="none",
    disruption="The service is away while it stops and starts; its connections end, its counters begin at zero.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
