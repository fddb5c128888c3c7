"""Makes a plan: the exact change on one host that a person approves, and the digest that the approval is for.

Pure: made from a diagnosis, an offered remediation and typed parameters. Everything an approver is shown is a field
here, every field is in the digest, and every line of the order that a host gets comes from `order` or is one of
`ISSUED_FIELDS`, which are written when it is signed. An unknown field is never ignored.
"""

from collections.abc import Mapping
from dataclasses import field

from triagebook.runbooks.engine.canonical import MAX_INTEGER, plan_digest
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation, ParamBounds, Verdict
from triagebook.runbooks.engine.errors import PlanError
from triagebook.runbooks.engine.symptoms import NAMED
from triagebook.runbooks.engine.text import did_you_mean, safe_line

Value = int | str
MAX_TEXT = 200  # characters of a name


def check_parameters(given: Mapping[str, Value], bounds: Mapping[str, ParamBounds]) -> Mapping[str, Value]:
    """Return every parameter of the remediation, given or default. PlanError: unknown, of another type, out of bounds.

    A parameter without bounds was fixed by the finding (which unit, which process): it may be repeated, not changed.
    """
    unknown = sorted(set(given) - set(bounds))
    if unknown:
        raise PlanError(f"unknown parameter {unknown[0]!r} (there are: {', '.join(sorted(bounds)) or 'none'})")
    return {name: _check(name, given.get(name, bound.default), bound) for name, bound in sorted(bounds.items())}


def _check(name: str, value: Value, bound: ParamBounds) -> Value:
    if bound.type == "int" and (isinstance(value, bool) or not isinstance(value, int)):
        raise PlanError(f"{name}: expected an integer, got {value!r}")
    if bound.type != "int" and not isinstance(value, type(bound.default)):
        raise PlanError(f"{name}: expected {type(bound.default).__name__}, got {value!r}")
    if isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
        raise PlanError(f"{name}: longer than {MAX_TEXT} characters, or not printable")
    if bound.min is None or bound.max is None:
        if value != bound.default:
            raise PlanError(f"{name}: is {bound.default!r} on this host and cannot be changed to {value!r}")
        return value
    if not isinstance(value, int) or not max(bound.min, -MAX_INTEGER) <= value <= min(bound.max, MAX_INTEGER):
        raise PlanError(f"{name}: {value} is outside {bound.min} to {bound.max}")
    return value


SCHEMA = "triagebook/plan/v1"
MAX_REASON = 300  # characters
MAX_NAMED = 300  # characters of an error's text: enough to tell its class again
_INPUT_FACTS = {name: f"inputs.{name}" for name in NAMED}
ORDER_FIELDS = ("action", "target_id", "machine_id", "boot_id")  # of every order; actions add their own below them
# The lines that say which order it is, and for what; written when it is signed. `target` and `boot` are those of the plan.
ISSUED_FIELDS = ("id", "plan", "target", "boot", "issued", "expires")


@dataclass(frozen=True)
class PlannedValue:
    """Describes one value before and after: `what` is its name and place, `now` what was read, `then` what will be written."""

    what: str
    now: str
    then: str


@dataclass(frozen=True)
class CitedFact:
    """Describes a fact the plan rests on, as it was read."""

    id: str
    value: str
    source: str


@dataclass(frozen=True)
class Rendering:
    """Says what an action makes of its parameters: the change in words, by hand, and as the fields of an order."""

    changes: tuple[PlannedValue, ...]
    commands: tuple[str, ...]
    undo_commands: tuple[str, ...]
    order: Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """Says who asks for what. `reason` is a stranger's text: shown as unverified, never acted on."""

    remediation: str
    culprit: str
    parameters: Mapping[str, Value]
    requester: str
    requester_account: str
    reason: str
    expires_at: str
    target_id: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Describes the immutable content of a fix. Times are RFC 3339 UTC; numbers shown as text are in base units."""

    runbook_id: str
    runbook_version: str
    runbook_digest: str
    host: str
    host_key: str
    target_id: str
    machine_id: str
    boot_id: str
    diagnosis: str
    remediation: str
    title: str
    action: str
    parameters: Mapping[str, Value]
    cause: str
    culprit: str
    summary: str
    changes: tuple[PlannedValue, ...]
    facts: tuple[CitedFact, ...]
    commands: tuple[str, ...]
    undo: str
    undo_commands: tuple[str, ...]
    risk: str
    disruption: str
    requester: str
    requester_account: str
    reason: str
    expires_at: str
    order: Mapping[str, str]
    order_digest: str
    schema: str = SCHEMA


# Written out, so that a new field is a decision: a test compares this list with the class.
DIGEST_FIELDS = (
    "schema", "runbook_id", "runbook_version", "runbook_digest", "host", "host_key", "target_id", "machine_id",
    "boot_id", "diagnosis", "remediation", "title", "action", "parameters", "cause", "culprit", "summary", "changes",
    "facts", "commands", "undo", "undo_commands", "risk", "disruption", "requester", "requester_account", "reason",
    "expires_at", "order", "order_digest",
)  # fmt: skip


def make_plan(diagnosis: Diagnosis, request: Request, rendering: Rendering) -> Plan:
    """Return the plan for an offered remediation. Raises PlanError: not offered, a parameter out of its bounds, no cause."""
    offered = find_offer(diagnosis, request.remediation, request.culprit)
    verdict = find_verdict(diagnosis, offered)
    order = _order(diagnosis, offered, request.target_id, rendering)
    return Plan(
        runbook_id=diagnosis.runbook.id,
        runbook_version=diagnosis.runbook.version,
        runbook_digest=diagnosis.runbook.digest,
        host=diagnosis.host.name,
        host_key=diagnosis.target.host_key,
        target_id=request.target_id,
        machine_id=diagnosis.host.machine_id,
        boot_id=diagnosis.host.boot_id,
        diagnosis=diagnosis.id,
        remediation=offered.id,
        title=offered.title,
        action=offered.action,
        parameters=check_parameters(request.parameters, offered.params),
        cause=offered.cause,
        culprit=offered.culprit,
        summary=verdict.summary,
        changes=rendering.changes,
        facts=(*cited_facts(diagnosis, verdict), *facts_of_inputs(request.inputs)),
        commands=rendering.commands,
        undo=offered.undo,
        undo_commands=rendering.undo_commands,
        risk=offered.risk,
        disruption=offered.disruption,
        requester=request.requester,
        requester_account=request.requester_account,
        reason=request.reason[:MAX_REASON],
        expires_at=request.expires_at,
        order=order,
        order_digest=plan_digest(order),
    )


def find_offer(diagnosis: Diagnosis, remediation: str, culprit: str = "") -> OfferedRemediation:
    """Return the offered remediation of that id. Several culprits may offer it: then one must be named."""
    offers = [offer for offer in diagnosis.remediations if offer.id == remediation]
    matching = [offer for offer in offers if not culprit or offer.culprit == culprit]
    if len(matching) == 1:
        return matching[0]
    if not offers:
        raise PlanError(_why_not_offered(diagnosis, remediation))
    named = ", ".join(sorted(offer.culprit for offer in offers))
    raise PlanError(f"{diagnosis.host.name}: {remediation!r} is offered for {named}: name one of these culprits")


def _why_not_offered(diagnosis: Diagnosis, remediation: str) -> str:
    """Return why a diagnosis does not offer a remediation: what it found, and what it offers instead."""
    offered = sorted({offer.id for offer in diagnosis.remediations})
    instead = f"It offers: {', '.join(offered)}{did_you_mean(remediation, offered)}" if offered else "It offers no change"
    found = f"{diagnosis.status.replace('_', ' ').upper()}: {diagnosis.headline.rstrip('. ')}"
    return f"{diagnosis.host.name}: {remediation!r} is not offered. The host was diagnosed just now: {found}. {instead}"


def find_verdict(diagnosis: Diagnosis, offered: OfferedRemediation) -> Verdict:
    """Return the verdict an offer answers. PlanError if the diagnosis does not hold it."""
    verdicts = (diagnosis.verdict, *diagnosis.also) if diagnosis.verdict else diagnosis.also
    for verdict in verdicts:
        if verdict.cause == offered.cause and verdict.culprit.id == offered.culprit:
            return verdict
    raise PlanError(f"{diagnosis.host.name}: the cause {offered.cause} of {offered.culprit!r} is not established")


def cited_facts(diagnosis: Diagnosis, verdict: Verdict) -> tuple[CitedFact, ...]:
    """Return the facts a verdict cites, with their last reading. An unreadable one is said so, never left out."""
    entries = {entry.id: entry for entry in diagnosis.facts}
    cited = []
    for name in verdict.evidence:
        entry = entries.get(name)
        readings = entry.readings if entry else ()
        value = str(readings[-1].value) if readings else f"unreadable: {entry.unreadable if entry else 'not kept'}"
        cited.append(CitedFact(name, value, entry.source if entry else ""))
    return tuple(cited)


def facts_of_inputs(inputs: Mapping[str, Value]) -> tuple[CitedFact, ...]:
    """Return what the requester named (an error's text, a unit, a user, a process), on which a verdict may rest too."""
    return tuple(CitedFact(_INPUT_FACTS[name], safe_line(str(inputs[name]), MAX_NAMED), "") for name in NAMED if inputs.get(name))


def inputs_of(plan: Plan) -> Mapping[str, Value]:
    """Return what the requester named, to ask the host the same question once more."""
    values = {fact.id: fact.value for fact in plan.facts}
    return {name: values[identifier] for name, identifier in _INPUT_FACTS.items() if identifier in values}


def _order(diagnosis: Diagnosis, offered: OfferedRemediation, target_id: str, rendering: Rendering) -> Mapping[str, str]:
    base = dict(zip(ORDER_FIELDS, (offered.action, target_id, diagnosis.host.machine_id, diagnosis.host.boot_id), strict=True))
    reserved = set(ORDER_FIELDS) | set(ISSUED_FIELDS)
    if clash := reserved & set(rendering.order):
        raise PlanError(f"action {offered.action}: {', '.join(sorted(clash))} are not its fields to set")
    return {**base, **rendering.order}
