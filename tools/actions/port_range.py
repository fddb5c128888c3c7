"""Widen net.ipv4.ip_local_port_range: the local ports that the kernel gives out, as a whole."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import figures
from triagebook.tools.actions.action import Action, Lines, ManualChange, Parameter, Params, PlannedChange, Step
from triagebook.tools.collector.readings import HostReading

_KEY = "net.ipv4.ip_local_port_range"


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return figures.capture(_KEY)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    after = int(params["low"]), int(params["high"])
    before = figures.parse(_KEY, outputs[0], 2)
    if step == "live" and (after[0] > before[0] or after[1] < before[1] or after == before):
        raise UsageError(f"{_KEY} is {before[0]} {before[1]}: {after[0]} {after[1]} would not widen it", reason="not_higher")
    return figures.plan(_KEY, step, before, after)


def _manual_lines(change: ManualChange) -> Lines:
    before = change.before("ports_low"), change.before("ports_high")
    if None in before:
        return [("sysctl", "-w", f"{_KEY}={change.params['low']} {change.params['high']}")], []
    return ACTION.plan_by_hand(change, " ".join(map(str, before)))


ACTION = Action(
    name="port_range",
    parameters={"low": Parameter("int", 1024, 65535), "high": Parameter("int", 1024, 65535)},
    fields=("key", "before", "value"),
    steps=("live", "persist"),
    undo="captured",
    disruption="None: open connections stay. A service that is started later may find its port given out, unless it is reserved.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
