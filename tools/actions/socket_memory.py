"""Raise net.ipv4.tcp_mem or net.ipv4.udp_mem: three figures of pages, kept in the ratio 3 : 4 : 6 of the kernel's own."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import figures
from triagebook.tools.actions.action import Action, Lines, ManualChange, Parameter, Params, PlannedChange, Step
from triagebook.tools.collector.readings import HostReading

_FACTS = {
    "net.ipv4.tcp_mem": ("memory_low", "memory_pressure", "memory_max"),
    "net.ipv4.udp_mem": ("", "", "udp_memory_max"),
}


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return figures.capture(str(params["key"]))


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    key, most = str(params["key"]), int(params["pages"])
    before = figures.parse(key, outputs[0], 3)
    after = (most // 2, most * 2 // 3, most)
    if step == "live" and (most <= before[2] or any(new < old for new, old in zip(after, before, strict=True))):
        raise UsageError(f"{key} is {' '.join(map(str, before))}: {most} pages would not raise each of them", reason="not_higher")
    return figures.plan(key, step, before, before if step == "persist" and before[2] == most else after)


def _manual_lines(change: ManualChange) -> Lines:
    key, most = str(change.params["key"]), int(change.params["pages"])
    before = [change.before(fact) if fact else None for fact in _FACTS[key]]
    if any(figure is None for figure in before):
        return [("sysctl", "-w", f"{key}={most // 2} {most * 2 // 3} {most}")], []
    return ACTION.plan_by_hand(change, " ".join(map(str, before)))


ACTION = Action(
    name="socket_memory",
    parameters={"key": Parameter("word", words=tuple(_FACTS)), "pages": Parameter("int", 6, 2**40)},
    fields=("key", "before", "value"),
    steps=("live", "persist"),
    undo="captured",
    disruption="None at once; it holds for the whole host, at once for all sockets. This memory cannot be swapped.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
