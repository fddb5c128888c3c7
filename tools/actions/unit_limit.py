"""Raise one limit (LimitNPROC=, LimitMEMLOCK= and others) of a service by a drop-in. It holds from the service's next start."""

from collections.abc import Sequence

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.facts import Collection, Unreadable
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
from triagebook.tools.actions.resources import RESOURCES
from triagebook.tools.collector.readings import HostReading


def _capture(params: Params, step: Step) -> tuple[HostReading, ...]:
    return (units.capture(str(params["unit"])),)


def _plan(params: Params, step: Step, outputs: Sequence[str]) -> PlannedChange:
    name, resource, limit = str(params["unit"]), str(params["resource"]), str(params["limit"])
    setting = RESOURCES[resource].setting
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
    hard = _hard_of(change, resource)
    return ACTION.plan_by_hand(change, units.text_from_facts(change, "unit_limit", RESOURCES[resource].setting, hard))


def _hard_of(change: ManualChange, resource: str) -> str:
    """Return the hard limit of the culprit, as the facts that the verdict cites have it: a lone number would lower it."""
    cited = {identifier.partition("[")[0] for identifier in change.verdict.evidence}
    for probe in (probe for name, probe in change.facts.items() if name in cited):
        for collection in vars(probe).values():
            for item in collection.items if isinstance(collection, Collection) else ():
                hard = getattr(item, "hard", getattr(item, "hard_bytes", None))
                if getattr(item, "pid", None) != change.verdict.culprit.pid or getattr(item, "resource", resource) != resource:
                    continue
                if isinstance(hard, (int, Unreadable)):  # one that cannot be told is none
                    return "infinity" if isinstance(hard, Unreadable) else str(hard)
    return ""


ACTION = Action(
    name="unit_limit",
    parameters={
        "unit": Parameter("unit"),
        "resource": Parameter("word", words=tuple(RESOURCES)),
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
