"""Raise one of six kernel values, or relax strict overcommit. The live value first; then a file for the next boot."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import ParseError, UsageError
from triagebook.tools.actions.action import WRITE, Action, Parameter, Params, PlannedChange, Step
from triagebook.tools.actions.orders import fields_of
from triagebook.tools.collector.readings import HostReading

MAXIMA = {
    "vm.max_map_count": 2147483647,
    "vm.overcommit_memory": 0,
    "vm.overcommit_ratio": 100,
    "vm.overcommit_kbytes": 10**12,
    "kernel.pid_max": 4194304,
    "kernel.threads-max": 4194304,
}
KEYS = tuple(MAXIMA)
_PAIR = ("vm.overcommit_ratio", "vm.overcommit_kbytes")  # writing one zeroes the other


def _paths(key: str) -> tuple[str, ...]:
    keys = (key, *(other for other in _PAIR if other != key)) if key in _PAIR else (key,)
    return tuple(each.replace(".", "/") for each in keys)


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (HostReading("sysctl", _paths(str(params["key"]))),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    key, value = str(params["key"]), str(params["value"])
    if int(value) > MAXIMA[key]:
        raise UsageError(f"{key}: {value} is above {MAXIMA[key]}", reason="out_of_bounds")
    values = outputs[0].split()
    if len(values) != len(_paths(key)) or not all(each.isdigit() for each in values):
        raise ParseError(f"{key}: {outputs[0]!r}")
    return _live(key, value, values) if step == "live" else _persist(key, value, values[0])


def _live(key: str, value: str, values: Sequence[str]) -> PlannedChange:
    before = values[0]
    if key == "vm.overcommit_memory":
        if before != "2":
            raise UsageError(f"{key} is {before}: only strict overcommit (2) is relaxed", reason="no_effect")
    elif int(value) <= int(before):
        raise UsageError(f"{key} is {before}: {value} would not raise it", reason="not_higher")
    restored = f"{key}={before}"
    if key in _PAIR and before == "0":  # the other one of the pair is in force
        restored = f"{_PAIR[key == _PAIR[0]]}={values[1]}"
    return PlannedChange(
        order=fields_of("sysctl", ("live", key, before, value)),
        what=f"{key}, until the next boot",
        now=before,
        then=value,
        commands=(("sysctl", "-w", f"{key}={value}"),),
        undo_commands=(("sysctl", "-w", restored),),
    )


def _persist(key: str, value: str, before: str) -> PlannedChange:
    if before != value:
        raise UsageError(f"{key} is {before}: make {value} live first, then permanent", reason="not_live")
    file = f"/etc/sysctl.d/99-zz-triagebook-{key}.conf"
    return PlannedChange(
        order=fields_of("sysctl", ("persist", key, before, value)),
        what=f"{key} from the next boot on, in {file}",
        now="not in a file of ours",
        then=f"{key} = {value}",
        commands=((*WRITE, file, f"{key} = {value}"),),
        undo_commands=(("rm", file),),
    )


ACTION = Action(
    name="sysctl",
    parameters={"key": Parameter("word", words=KEYS), "value": Parameter("int")},
    steps=("live", "persist"),
    undo="captured",
    disruption="None at once; it holds for the whole host. Overcommit in mode 0 lets the kernel kill "
    "under memory pressure where it refused before. A higher threads-max also raises the default TasksMax "
    "at the next daemon-reload.",
    privilege="root",
    capture=_capture,
    plan=_plan,
)
