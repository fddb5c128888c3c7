"""A recorded-looking diagnosis and what is made of it, for the tests of fixes. Two runbooks' worth of nothing real."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from triagebook.runbooks.engine.diagnosis import (
    Culprit,
    Diagnosis,
    FactEntry,
    HostInfo,
    LimitValue,
    OfferedRemediation,
    ParamBounds,
    Reading,
    RunbookRef,
    TargetCost,
    Usage,
    Verdict,
)
from triagebook.runbooks.engine.plan import Plan, PlannedValue, Rendering, Request, make_plan
from triagebook.tools.inventory.inventory import Inventory, InventoryHost
from triagebook.tools.inventory.names import Names
from triagebook.tools.times import rfc3339

HOSTS = (*(f"web-{number:02}" for number in range(1, 61)), "db-01", "db-02", "old-01", "vault-01", "vault-1", "host01")
NAMES = Names(Inventory({name: InventoryHost(name) for name in HOSTS}))
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
UNIT = "worker.service"


def _of(host: str, value: str) -> str:
    """What tells a machine: of web-01 as it stands there, of every other host its own."""
    return value if host == "web-01" else f"{value}-of-{host}"


def diagnosis(host: str = "web-01", *, current_limit: int = 100) -> Diagnosis:
    """A unit at its task limit, with one fix on offer."""
    verdict = Verdict(
        cause="pids_cgroup",
        nature="limit",
        strength="certain",
        active="at_limit",
        explains_symptom="yes",
        summary=f"{UNIT} is at its task limit: {current_limit} of {current_limit}.",
        culprit=Culprit("unit", UNIT, unit=UNIT),
        limit=LimitValue("TasksMax", current_limit, "tasks", "/sys/fs/cgroup/system.slice/worker.service/pids.max"),
        usage=Usage(current_limit, "tasks", "/sys/fs/cgroup/system.slice/worker.service/pids.current"),
        evidence=("pids[worker].current", "pids[worker].refused"),
    )
    offer = OfferedRemediation(
        id="raise_tasks_max",
        title="Raise the task limit of the unit",
        action="unit_tasks_max",
        cause="pids_cgroup",
        culprit=UNIT,
        risk="low",
        disruption="none",
        undo="captured",
        params={"limit": ParamBounds("int", 200, 101, 1000), "unit": ParamBounds("unit", UNIT)},
        commands=(f"systemctl set-property --runtime {UNIT} TasksMax=200",),
        undo_commands=(f"systemctl set-property --runtime {UNIT} TasksMax={current_limit}",),
    )
    return Diagnosis(
        id="D-1",
        host=HostInfo(host, hostname=host, kernel="6.1.0", boot_id="boot-1", machine_id=_of(host, "machine-1")),
        runbook=RunbookRef("forks", "1.0.0", "ab" * 32),
        symptom=None,
        started_at="2026-11-23T13:59:58Z",
        duration_ms=900,
        status="cause_found",
        headline=f"{UNIT} is at its task limit.",
        verdict=verdict,
        facts=(
            FactEntry("pids[worker].current", "tasks", "pids.current", (Reading(1, current_limit),)),
            FactEntry("pids[worker].refused", "", "pids.events", unreadable="permission denied"),
        ),
        remediations=(offer,),
        target=TargetCost(transport="ssh", host_key=_of(host, "SHA256:key-1")),
    )


def rendering(now: str = "100", then: str = "200") -> Rendering:
    """What an action says about raising a unit's limit."""
    return Rendering(
        changes=(PlannedValue(f"TasksMax of {UNIT}", now, then),),
        commands=(f"systemctl set-property --runtime {UNIT} TasksMax={then}",),
        undo_commands=(f"systemctl set-property --runtime {UNIT} TasksMax={now}",),
        order={"step": "live", "unit": UNIT, "before": now, "limit": then},
    )


def request(**changes: object) -> Request:
    """ann asks."""
    base = Request(
        remediation="raise_tasks_max",
        culprit="",
        parameters={"limit": 200},
        requester="ann",
        requester_account="os:ann",
        reason="pages since 13:50",
        expires_at=rfc3339(NOW + timedelta(minutes=15)),
        target_id="target-1",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def plan(**changes: object) -> Plan:
    """A plan by ann for web-01; `changes` replace fields of it."""
    return replace(make_plan(diagnosis(), request(), rendering()), **changes)  # type: ignore[arg-type]
