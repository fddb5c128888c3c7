"""Raise a unit's task limit (TasksMax, pids.max). No restart: systemd applies both steps to the running unit."""

from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions import unit as units
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


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (units.capture(str(params["unit"])),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    name, limit = str(params["unit"]), str(params["limit"])
    if name.startswith(_CONTAINER):
        raise UsageError(f"{name} belongs to a container runtime: set its own pids limit", reason="container_unit")
    unit = units.parse(name, outputs[0])
    if step == "live":
        if not unit.is_active:
            raise UsageError(f"{name} is not active: it has no live limit", reason="unit_not_active")
        refuse_unless_higher(f"the task limit of {name}", unit.tasks_max, limit)
    elif is_less(limit, unit.tasks_max):
        raise UsageError(f"{name} has {unit.tasks_max} already: {limit} would lower it", reason="not_higher")
    file = f"/run/systemd/system.control/{name}.d/50-TasksMax.conf"
    live = ("systemctl", "set-property", "--runtime", name)
    before = "infinity" if unit.tasks_max == "max" else unit.tasks_max
    commands: tuple[Argv, ...] = ((*live, f"TasksMax={limit}"),)
    undo: tuple[Argv, ...] = ((*live, f"TasksMax={before}"),)  # newer systemd does not apply a deleted file to a running unit
    if step == "persist":
        folder = f"/etc/systemd/system/{name}.d"
        undo = ()
        file = f"{folder}/zz-triagebook-TasksMax.conf"
        section = name.rpartition(".")[2].capitalize()
        commands = (
            ("mkdir", "-p", folder),
            (*WRITE, file, f"[{section}]", f"TasksMax={limit}"),
            ("systemctl", "daemon-reload"),
        )
    return PlannedChange(
        order={"step": step, "unit": name, "before": unit.tasks_max, "value": limit},
        what=f"task limit of {name}" + (", until the next boot" if step == "live" else f", in {file}"),
        now=f"{unit.tasks_max}, until the next boot" if step == "persist" and unit.tasks_max == limit else unit.tasks_max,
        then=limit,
        commands=commands,
        undo_commands=(*undo, ("rm", file), ("systemctl", "daemon-reload")),
    )


def _manual_lines(change: ManualChange) -> Lines:
    return ACTION.plan_by_hand(change, units.text_from_facts(change, "unit_tasks_max", "TasksMax"))


def _find_harm(order: Mapping[str, str], before: Sequence[str], after: Sequence[str]) -> str:
    """Say what was harmed: `disruption` promises that the unit's main process stays, and its new limit holds."""
    name = order["unit"]
    was, now = units.parse(name, before[0]), units.parse(name, after[0])
    if was.main_pid not in {"", "0", now.main_pid}:
        return f"the main process of {name} changed from {was.main_pid} to {now.main_pid}, which was promised not to happen"
    if now.tasks_max != order["value"]:
        return f"the task limit of {name} reads {now.tasks_max}, not {order['value']}"
    return ""


ACTION = Action(
    name="unit_tasks_max",
    parameters={"unit": Parameter("unit"), "limit": Parameter("int", 1, 4194304)},
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
