"""Raise a unit's memory limit (MemoryMax, memory.max). No restart: systemd applies both steps to the running unit."""

import re
from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError, UsageError
from triagebook.runbooks.engine.text import is_whole_number, safe_text
from triagebook.tools.actions.action import (
    WRITE,
    Action,
    Argv,
    Lines,
    ManualChange,
    Parameter,
    Params,
    PlannedChange,
    Step,
    is_less,
    refuse_unless_higher,
)
from triagebook.tools.collector.readings import HostReading

_CONTAINER = ("docker-", "libpod-", "cri-containerd-", "crio-", "kubepods")
_UNLIMITED = ("infinity", "18446744073709551615", "max")


@dataclass(frozen=True)
class _UnitMemory:
    """Describes what is read of a unit. `memory_max` is the enforced limit, or the configured one while it has no cgroup."""

    is_active: bool
    memory_max: str
    current: int
    main_pid: str


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (HostReading("unit_memory", (str(params["unit"]),)),)


def _parse(name: str, text: str) -> _UnitMemory:
    """Read what the capture printed.

    Raises:
        UsageError: systemd has not loaded such a unit, or its host has no memory limits of cgroup v2.
        ParseError: not the output of `systemctl show`.
    """
    shown: dict[str, str] = dict(re.findall(r"(?m)^([A-Za-z.]+)=(.*)$", text))
    if "LoadState" not in shown:
        raise ParseError(f"{name}: no LoadState in what systemctl printed")
    if shown["LoadState"] != "loaded":
        raise UsageError(f"{name}: systemd has not loaded it ({safe_text(shown['LoadState'], 40)})", reason="unit_not_loaded")
    is_active = shown.get("ActiveState") == "active"
    if is_active and "memory.max" not in shown:
        raise UsageError(f"{name} has no memory.max: this host has no memory controller of cgroup v2", reason="no_controller")
    value = shown.get("memory.max", shown.get("MemoryMax", ""))
    value = "max" if value in _UNLIMITED else value
    if not re.fullmatch(r"max|\d+", value):
        raise ParseError(f"{name}: MemoryMax={value[:40]!r}")
    current = shown.get("memory.current", "0")
    return _UnitMemory(is_active, value, int(current) if is_whole_number(current) else 0, shown.get("MainPID", ""))


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    name, limit = str(params["unit"]), str(params["limit"])
    if name.startswith(_CONTAINER):
        raise UsageError(f"{name} belongs to a container runtime: set its own memory limit", reason="container_unit")
    unit = _parse(name, outputs[0])
    if step == "live":
        if not unit.is_active:
            raise UsageError(f"{name} is not active: it has no live limit", reason="unit_not_active")
        refuse_unless_higher(f"the memory limit of {name}", unit.memory_max, limit)
    elif is_less(limit, unit.memory_max):
        raise UsageError(f"{name} has {unit.memory_max} already: {limit} would lower it", reason="not_higher")
    if int(limit) <= unit.current:
        raise UsageError(f"{name} uses {unit.current} bytes: a limit of {limit} would have it killed at once", reason="below_use")
    file = f"/run/systemd/system.control/{name}.d/50-MemoryMax.conf"
    live = ("systemctl", "set-property", "--runtime", name)
    before = "infinity" if unit.memory_max == "max" else unit.memory_max
    commands: tuple[Argv, ...] = ((*live, f"MemoryMax={limit}"),)
    undo: tuple[Argv, ...] = ((*live, f"MemoryMax={before}"),)
    if step == "persist":
        folder = f"/etc/systemd/system/{name}.d"
        undo = ()
        file = f"{folder}/zz-triagebook-MemoryMax.conf"
        section = name.rpartition(".")[2].capitalize()
        commands = (
            ("mkdir", "-p", folder),
            (*WRITE, file, f"[{section}]", f"MemoryMax={limit}"),
            ("systemctl", "daemon-reload"),
        )
    return PlannedChange(
        order={"step": step, "unit": name, "before": unit.memory_max, "value": limit},
        what=f"memory limit of {name}" + (", until the next boot" if step == "live" else f", in {file}"),
        now=f"{unit.memory_max}, until the next boot" if step == "persist" and unit.memory_max == limit else unit.memory_max,
        then=limit,
        commands=commands,
        undo_commands=(*undo, ("rm", file), ("systemctl", "daemon-reload")),
    )


def _manual_lines(change: ManualChange) -> Lines:
    if change.verdict.limit is None:
        raise UsageError("unit_memory_max: the limit itself was not read")
    limit = f"{change.verdict.limit.value:.0f}"
    used = f"{change.verdict.usage.value:.0f}" if change.verdict.usage else "0"
    shown = {"LoadState": "loaded", "ActiveState": "active", "MemoryMax": limit, "memory.max": limit, "memory.current": used}
    return ACTION.plan_by_hand(change, "".join(f"{key}={text}\n" for key, text in shown.items()))


def _find_harm(order: Mapping[str, str], before: Sequence[str], after: Sequence[str]) -> str:
    """Say what was harmed: `disruption` promises that the unit's main process stays, and its new limit holds."""
    name = order["unit"]
    was, now = _parse(name, before[0]), _parse(name, after[0])
    if was.main_pid not in {"", "0", now.main_pid}:
        return f"the main process of {name} changed from {was.main_pid} to {now.main_pid}, which was promised not to happen"
    if now.memory_max != order["value"]:
        return f"the memory limit of {name} reads {now.memory_max}, not {order['value']}"
    return ""


ACTION = Action(
    name="unit_memory_max",
    parameters={"unit": Parameter("unit"), "limit": Parameter("int", 1048576, 10**15)},
    fields=("unit", "before", "value"),
    steps=("live", "persist"),
    undo="captured",
    disruption="None: the running unit keeps its processes. The persistent step and an undo reload systemd's "
    "unit files, which also applies edits others made to them.",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
    find_harm=_find_harm,
)
