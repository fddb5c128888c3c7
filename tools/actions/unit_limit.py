"""Raise LimitNPROC= or LimitAS= of a service by a drop-in. It holds from the service's next start, not before."""

from collections.abc import Sequence

from triagebook.tools.actions import unit as units
from triagebook.tools.actions.action import (
    WRITE,
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
from triagebook.tools.collector.readings import HostReading

_SETTINGS = {"nproc": "LimitNPROC", "as": "LimitAS"}


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (units.capture(str(params["unit"])),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    name, resource, limit = str(params["unit"]), str(params["resource"]), str(params["limit"])
    setting = _SETTINGS[resource]
    before = units.parse(name, outputs[0]).limits[resource]
    refuse_unless_higher(f"{setting} of {name}", before.partition(":")[0], limit)
    after = raise_pair(before, limit)
    folder = f"/etc/systemd/system/{name}.d"
    file = f"{folder}/zz-triagebook-{setting}.conf"
    line = f"{setting}={after}".replace("unlimited", "infinity")
    return PlannedChange(
        order={"step": step, "unit": name, "resource": resource, "before": before, "value": limit},
        what=f"{setting} of {name} (soft:hard) from its next start, in {file}",
        now=before,
        then=after,
        commands=(("mkdir", "-p", folder), (*WRITE, file, "[Service]", line), ("systemctl", "daemon-reload")),
        undo_commands=(("rm", file), ("systemctl", "daemon-reload")),
    )


def _manual_lines(change: ManualChange) -> Lines:
    return ACTION.plan_by_hand(change, units.text_from_facts(change, "unit_limit", _SETTINGS[str(change.params["resource"])]))


ACTION = Action(
    name="unit_limit",
    parameters={
        "unit": Parameter("unit"),
        "resource": Parameter("word", words=("nproc", "as")),
        "limit": Parameter("int", 1, 2**47),
    },
    fields=("unit", "resource", "before", "value"),
    steps=("persist",),
    undo="captured",
    disruption="None now: running processes keep their limit until the service is restarted. (process_limit raises theirs.)",
    privilege="root",
    capture=_capture,
    plan=_plan,
    manual=_manual_lines,
)
