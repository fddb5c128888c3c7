"""Raise LimitNPROC=, LimitAS= or LimitNOFILE= of a service by a drop-in. It holds from the service's next start, not before."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.facts import Collection
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
from triagebook.tools.actions.process_limit import refuse_too_many_files
from triagebook.tools.collector.readings import HostReading

_SETTINGS = {"nproc": "LimitNPROC", "as": "LimitAS", "nofile": "LimitNOFILE"}


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (units.capture(str(params["unit"])),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    name, resource, limit = str(params["unit"]), str(params["resource"]), str(params["limit"])
    setting = _SETTINGS[resource]
    refuse_too_many_files(resource, limit)
    before = units.parse(name, outputs[0]).limits.get(resource, "")
    if not before:
        raise UsageError(
            f"{setting} of {name} is not read by the collector that is installed there: install it anew", reason="unread"
        )
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
    resource = str(change.params["resource"])
    hard = str(_hard_of(change)) if resource == "nofile" else ""
    return ACTION.plan_by_hand(change, units.text_from_facts(change, "unit_limit", _SETTINGS[resource], hard))


def _hard_of(change: ManualChange) -> int | str:
    """Return the hard limit of the culprit's open files, as the facts have it: a lone number in the drop-in would lower it."""
    for probe in change.facts.values():
        for collection in vars(probe).values():
            for item in collection.items if isinstance(collection, Collection) else ():
                if getattr(item, "pid", None) == change.verdict.culprit.pid and isinstance(getattr(item, "hard", None), int):
                    return int(item.hard)
    return ""


ACTION = Action(
    name="unit_limit",
    parameters={
        "unit": Parameter("unit"),
        "resource": Parameter("word", words=("nproc", "as", "nofile")),
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
