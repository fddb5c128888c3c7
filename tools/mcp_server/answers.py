"""Defines what the tools answer, as frozen data: its JSON Schema is each tool's output schema (`slots` would lose it).

Every text here is ours (words of a runbook, of the policy, of the inventory), except inside `untrusted`.
"""

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.mcp_server.untrusted import Untrusted


@dataclass(frozen=True)
class HostAnswer:
    """A host one may ask about."""

    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class HostsAnswer:
    """A page of the inventory."""

    hosts: tuple[HostAnswer, ...]
    total: int
    next_offset: int | None
    to_try: str


@dataclass(frozen=True)
class RunbookAnswer:
    """A runbook: what it explains, what it takes, what it looks at and offers."""

    name: str
    title: str
    inputs: tuple[str, ...]
    checks: tuple[str, ...]
    remediations: tuple[str, ...]
    resource: str


@dataclass(frozen=True)
class RunbooksAnswer:
    """Every runbook and version."""

    runbooks: tuple[RunbookAnswer, ...]


@dataclass(frozen=True)
class LimitAnswer:
    """The limit that refuses, in its unit."""

    name: str
    value: float
    used: float | None
    unit: str


@dataclass(frozen=True)
class CauseAnswer:
    """One cause: how pressing (`now` < `at_limit` < `past` < `near` < `trend`), how sure (`not reached`: merely close), and whether
    it explains the symptom.
    """

    cause: str
    active: str
    strength: str
    explains_symptom: str
    belongs_to: str
    limit: LimitAnswer | None


@dataclass(frozen=True)
class ParameterAnswer:
    """A number one may choose, within bounds computed from this host."""

    name: str
    default: int
    least: int
    most: int


@dataclass(frozen=True)
class OfferAnswer:
    """A change the diagnosis supports. Pass `remediation` to propose_fix."""

    remediation: str
    risk: str
    can_be_undone: bool
    parameters: tuple[ParameterAnswer, ...]


@dataclass(frozen=True)
class OtherRunbookAnswer:
    """What another runbook, asked in the same look, found; `diagnosis_id` for get_diagnosis."""

    runbook: str
    status: str
    cause: str
    active: str
    diagnosis_id: str


@dataclass(frozen=True)
class DiagnosisAnswer:
    """The verdict on one host: the worst that any runbook found. `cause` is null when none was established (a limit that is merely
    close stands in `also`); `not_judged` is never "fine"."""

    diagnosis_id: str
    host: str
    runbook: str
    status: str
    cause: CauseAnswer | None
    also: tuple[CauseAnswer, ...]
    ruled_out: tuple[str, ...]
    not_judged: tuple[str, ...]
    offers: tuple[OfferAnswer, ...]
    next_actions: tuple[str, ...]
    samples: int
    untrusted: Untrusted
    other_runbooks: tuple[OtherRunbookAnswer, ...] = ()
    recurrence: str = ""


@dataclass(frozen=True)
class FleetHost:
    """One host of a group; `diagnosis_id` for get_diagnosis."""

    host: str
    diagnosis_id: str


@dataclass(frozen=True)
class FleetGroup:
    """Hosts with the same answer."""

    status: str
    cause: str
    active: str
    count: int
    hosts: tuple[FleetHost, ...]


@dataclass(frozen=True)
class FleetFailure:
    """Hosts that could not be asked at all, by reason code."""

    reason: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class FleetAnswer:
    """Many hosts, grouped by verdict, worst first."""

    asked: int
    groups: tuple[FleetGroup, ...]
    failures: tuple[FleetFailure, ...]
    next_actions: tuple[str, ...]


@dataclass(frozen=True)
class SectionAnswer:
    """A page of one section of a diagnosis, each item as JSON text in `untrusted`."""

    diagnosis_id: str
    host: str
    section: str
    total: int
    next_offset: int | None
    untrusted: Untrusted


@dataclass(frozen=True)
class FixAnswer:
    """A fix and what may happen to it next. `waits_for_person`: somebody else must decide, outside of this connection."""

    fix_id: str
    state: str
    waits_for_person: bool
    host: str
    runbook: str
    remediation: str
    risk: str
    can_be_undone: bool
    requester: str
    approvals: str
    expires_at: str
    digest: str
    next_actions: tuple[str, ...]
    untrusted: Untrusted


@dataclass(frozen=True)
class FixStateAnswer:
    """What a program needs to go on with a fix. The answer has all members of `FixAnswer`: propose_fix's schema has them."""

    fix_id: str
    state: str
    waits_for_person: bool
    next_actions: tuple[str, ...]
    untrusted: Untrusted


@dataclass(frozen=True)
class AuditRowAnswer:
    """One row of the audit log; the resource audit://row/INDEX has its detail and proof."""

    index: int
    at: str
    action: str
    outcome: str
    reason: str
    account: str
    person: str
    channel: str
    host: str
    fix_id: str
    severity: str


@dataclass(frozen=True)
class AuditAnswer:
    """The newest rows first that this account may read."""

    rows: tuple[AuditRowAnswer, ...]
    next_actions: tuple[str, ...]
