"""Defines the one noun that every face renders: what was found on one host. Its JSON is `triagebook/diagnosis/v1`.

Enumerations grow only with v2. Strings that a host made are already escaped and capped (`text.safe_text`).
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.plain_data import later, member

SCHEMA: Literal["triagebook/diagnosis/v1"] = "triagebook/diagnosis/v1"
Status = Literal["healthy", "warning", "cause_found", "inconclusive", "unreachable"]
Active = Literal["now", "at_limit", "past", "near", "trend"]
Strength = Literal["certain", "likely", "possible"]
Outcome = Literal["matched", "cleared", "unknown", "skipped"]
CulpritKind = Literal["cgroup", "unit", "user", "process", "container", "host"]


def is_only_close(nature: str, active: str) -> bool:
    """Say whether a state is that of a limit which was not reached. A shortage has no sharp border: near it, requests may fail."""
    return active in {"near", "trend"} and nature != "shortage"


@dataclass(frozen=True)
class HostInfo:
    """Which host answered. Empty where it could not be read."""

    name: str
    hostname: str = ""
    kernel: str = ""
    boot_id: str = ""
    machine_id: str = ""
    container: str = ""


@dataclass(frozen=True)
class RunbookRef:
    """The exact runbook content that decided."""

    id: str
    version: str
    digest: str


@dataclass(frozen=True)
class SymptomRef:
    """The error text a person gave, and the class it was routed to ('' if none)."""

    text: str
    error_class: str = member("class")


@dataclass(frozen=True)
class Culprit:
    """What is at the limit. Unused members are empty; pid 0 is none."""

    kind: CulpritKind
    id: str
    unit: str = ""
    user: str = ""
    pid: int = 0

    @property
    def title(self) -> str:
        """Return `unit /system.slice/x.service`; a thing whose name could not be read is said to have none."""
        return f"{self.kind} {self.id or '(its name could not be read)'}"


@dataclass(frozen=True)
class LimitValue:
    """The limit that refuses: its name, value, unit and the file it was read from."""

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True)
class Usage:
    """What is used of the limit, in the limit's unit."""

    value: float
    unit: str
    source: str


@dataclass(frozen=True)
class Consumer:
    """One of the five largest users of what is full."""

    unit: str
    user: str
    pid: int
    comm: str
    count: float


@dataclass(frozen=True)
class Verdict:
    """One cause, how sure, how pressing, and what says so (`evidence` are ids in `facts`)."""

    cause: str
    nature: Literal["limit", "shortage", "other"]
    strength: Strength
    active: Active
    explains_symptom: Literal["yes", "no", "unknown"]
    summary: str
    culprit: Culprit
    limit: LimitValue | None = None
    usage: Usage | None = None
    since: str = ""
    consumers: tuple[Consumer, ...] = ()
    evidence: tuple[str, ...] = ()
    belongs_to: str = ""

    @property
    def is_only_close(self) -> bool:
        """Say whether it is a limit that was not reached: such a limit has refused nothing."""
        return is_only_close(self.nature, self.active)

    @property
    def may_be_why(self) -> bool:
        """Say whether it can be what was asked about: it was reached or refused, and can produce that error."""
        return self.explains_symptom != "no" and not self.is_only_close


@dataclass(frozen=True)
class Findings:
    """How many of a check's findings ended each way."""

    matched: int = 0
    cleared: int = 0
    unknown: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Reading:
    """One value of a fact, by sample number (1 is the first)."""

    sample: int
    value: int | float | bool | str


@dataclass(frozen=True)
class FactEntry:
    """A cited fact with its readings, or why it could not be read."""

    id: str
    unit: str = ""
    source: str = ""
    readings: tuple[Reading, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True)
class CheckResult:
    """One line of what was looked at. `figures` are the facts of what came nearest to its limit, also where it was ruled out."""

    id: str
    outcome: Outcome
    findings: Findings
    says: str
    figures: tuple[FactEntry, ...] = ()
    title: str = ""  # what people call it


@dataclass(frozen=True)
class Unknown:
    """What could not be judged, why, and which elements."""

    check: str
    because: str
    which: tuple[str, ...] = ()


@dataclass(frozen=True)
class ParamBounds:
    """A parameter of an offered remediation, bounds already computed from this host's facts."""

    type: str
    default: int | str
    min: int | None = None
    max: int | None = None


@dataclass(frozen=True)
class OfferedRemediation:
    """A change this diagnosis supports, with the exact commands for a person without `serve`."""

    id: str
    title: str
    action: str
    cause: str
    culprit: str
    risk: Literal["low", "medium", "high"]
    disruption: str
    undo: str
    params: Mapping[str, ParamBounds]
    commands: tuple[str, ...]
    undo_commands: tuple[str, ...]


@dataclass(frozen=True)
class SampleTime:
    """When a sample was taken (our clock, RFC 3339 UTC)."""

    n: int
    at: str


@dataclass(frozen=True)
class LoginResult:
    """How far the login went; see tools.transport.base.Login."""

    phase: str = ""
    outcome: str = "ok"
    message: str = ""


@dataclass(frozen=True)
class TargetCost:
    """How the facts were got, and what that cost the host. None where it was not measured."""

    transport: str = ""
    collector: str = ""
    forks: int | None = None
    cpu_ms: float | None = None
    bytes: int | None = None
    clock_skew_s: float | None = None
    host_key: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recurrence:
    """How often this cause was found on this host lately, and the last fix for it. `says` tells it to people, in our own words."""

    times: int  # this one included
    first_at: str
    says: str
    fix: str = ""
    fix_state: str = ""
    is_fix_lost: bool = False  # it was live, and the host has rebooted since


@dataclass(frozen=True)
class Diagnosis:
    """What was found on one host by one runbook, with everything it rests on."""

    id: str
    host: HostInfo
    runbook: RunbookRef
    symptom: SymptomRef | None
    started_at: str
    duration_ms: int
    status: Status
    headline: str
    verdict: Verdict | None
    also: tuple[Verdict, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    facts: tuple[FactEntry, ...] = ()
    remediations: tuple[OfferedRemediation, ...] = ()
    next: tuple[str, ...] = ()
    samples: tuple[SampleTime, ...] = ()
    truncated: tuple[str, ...] = ()
    login: LoginResult = field(default_factory=LoginResult)
    target: TargetCost = field(default_factory=TargetCost)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()  # unknowns a caller accepted beforehand
    schema: Literal["triagebook/diagnosis/v1"] = SCHEMA
    recurrence: Recurrence | None = later(None)  # of a server that keeps what its hosts answered
