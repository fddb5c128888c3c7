"""Proposes a fix: the server diagnoses the host itself and stores exactly what would be done, for others to decide."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import timedelta

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation, Verdict
from triagebook.runbooks.engine.errors import PlanError, RefusedError
from triagebook.runbooks.engine.model import RISKS
from triagebook.runbooks.engine.plan import MAX_REASON, Plan, PlannedValue, Request, Value, find_offer, make_plan
from triagebook.runbooks.engine.plan_codec import digest, encode
from triagebook.tools.fixes.approval_server import (
    ApprovalServer,
    FixRequest,
    decide_on_machine,
    log_decision,
    require,
    require_form,
    require_name,
)
from triagebook.tools.fixes.machines import require_machine
from triagebook.tools.fixes.view import require_quota
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.policy.decide import may_vote
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.redact import clean_text, redact
from triagebook.tools.store import fix_rows
from triagebook.tools.store.fix_states import Fix, runbook_name
from triagebook.tools.times import parse_rfc3339, rfc3339


def changes_of(verdict: Verdict, offered: OfferedRemediation, values: Mapping[str, Value]) -> tuple[PlannedValue, ...]:
    """Return the change of the limit that the one bounded number among the parameters makes; nothing if there is no such one."""
    bounded = [name for name, bound in offered.params.items() if bound.type == "int" and bound.min is not None]
    if verdict.limit is None or len(bounded) != 1:
        return ()
    what = f"{verdict.limit.name} of {verdict.culprit.unit or verdict.culprit.id}"
    return (PlannedValue(what, before_of(verdict), str(values[bounded[0]])),)


def before_of(verdict: Verdict) -> str:
    """Return the limit's value as it was read; empty if the verdict has no limit."""
    if verdict.limit is None:
        return ""
    value = verdict.limit.value
    return str(int(value)) if float(value).is_integer() else str(value)


UNCOVERED_EXPIRY = timedelta(minutes=15)  # of a plan that only breaking the glass can approve


@dataclass(frozen=True)
class Proposal:
    """Describes the fix asked for. No member says who asks: the channel proves that."""

    host: str
    remediation: str
    runbook: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    culprit: str = ""
    reason: str = ""


def propose(server: ApprovalServer, request: FixRequest, proposal: Proposal) -> Fix:
    """Diagnose the host, plan the fix and store it. Raises RefusedError, PlanError, and what the diagnosis raises."""
    host = _check_host(server, request, proposal.host)
    runbooks = _require_one(server, request, host, _runbooks_of(server, proposal))
    require_name(server, request, host)
    require_room(server, request)
    require_quota(server, request)
    diagnosis = _diagnose(server, host, runbooks, proposal)
    request.about.update(host=host, runbook=f"{diagnosis.runbook.id}@{diagnosis.runbook.version}")
    plan = _plan(server, request, proposal, diagnosis)
    change = "; ".join(f"{change.what}: {change.now} -> {change.then}" for change in plan.changes)
    return store_plan(server, request, plan, {"change": change, "diagnosis": plan.diagnosis, "policy": server.policy.digest})


def _check_host(server: ApprovalServer, request: FixRequest, text: str) -> str:
    """Return the host's name if it can be one of the inventory, or a recorded case; whoever asks, and however."""
    target = parse_target(text)
    if target.user:
        raise RefusedError(f"{text}: the server chooses the account on a host; write {target.host}", reason="host_name")
    require_form(server, request, target.text)
    return target.text


def _runbooks_of(server: ApprovalServer, proposal: Proposal) -> tuple[str, ...]:
    """Return the runbook that was named, or those that may offer the remediation. Raises PlanError: there is none."""
    named = proposal.runbook or server.default_runbook()
    found = (named,) if named else server.diagnoser.runbooks_with(proposal.remediation)
    if not found:
        raise PlanError(f"{proposal.host}: no runbook that is asked here offers {proposal.remediation!r}: name one with --runbook")
    return found


def _require_one(server: ApprovalServer, request: FixRequest, host: str, runbooks: Sequence[str]) -> tuple[str, ...]:
    """Return those by which this person may diagnose and propose on the host. Raises RefusedError, recorded: none."""
    if len(runbooks) > 1:
        may_ask = [
            name
            for name in runbooks
            if decide_on_machine(server, request.identity, PolicyQuestion("diagnose", host, name)).is_allowed
        ]
        runbooks = may_ask or runbooks[:1]
    for name in runbooks:
        require(server, request, PolicyQuestion("diagnose", host, name))
        _require_any_risk(server, request, PolicyQuestion("propose", host, name))
    return tuple(runbooks)


def _diagnose(server: ApprovalServer, host: str, runbooks: Sequence[str], proposal: Proposal) -> Diagnosis:
    """Return the diagnosis of the first runbook that offers the remediation on the host now, else of the last one asked."""
    diagnosis = server.diagnoser.diagnose(host, runbooks[0], proposal.inputs)
    for name in runbooks[1:]:
        if any(offer.id == proposal.remediation for offer in diagnosis.remediations):
            break
        diagnosis = server.diagnoser.diagnose(host, name, proposal.inputs)
    return diagnosis


def _require_any_risk(server: ApprovalServer, request: FixRequest, question: PolicyQuestion) -> None:
    """Refuse who may propose nothing on the host at any risk, so that it is not diagnosed for them."""
    decisions = [decide_on_machine(server, request.identity, replace(question, risk=risk)) for risk in RISKS]
    if not any(decision.is_allowed for decision in decisions):
        log_decision(request, question, decisions[0])
        raise RefusedError(decisions[0].says, reason=decisions[0].reason)


def require_room(server: ApprovalServer, request: FixRequest) -> None:
    """Refuse more open plans than one person may have. Raises RefusedError `too_many_open`."""
    with server.store.read() as transaction:
        count = fix_rows.open_count(transaction, request.identity.person)
    if count >= server.most_open:
        message = f"{request.identity.person} has {count} open plans; withdraw one before proposing another"
        raise RefusedError(message, reason="too_many_open")


def _plan(server: ApprovalServer, request: FixRequest, proposal: Proposal, diagnosis: Diagnosis) -> Plan:
    offered = find_offer(diagnosis, proposal.remediation, proposal.culprit)
    runbook = f"{diagnosis.runbook.id}@{diagnosis.runbook.version}"
    question = PolicyQuestion("propose", diagnosis.host.name, runbook, offered.risk)
    require(server, request, question)
    expires_at = request.at + expiry_of(server, request, PolicyQuestion("approve", question.host, runbook, offered.risk))
    is_replay = parse_target(diagnosis.host.name).kind == "replay"
    if not is_replay and not (diagnosis.host.machine_id and diagnosis.host.boot_id):
        raise PlanError(f"{diagnosis.host.name}: its machine id or boot id could not be read: a plan must know its host")
    target_id = server.executor.target_id(diagnosis.host.name) if server.executor and not is_replay else ""
    require_machine(server, diagnosis, target_id)
    wanted = Request(
        remediation=offered.id,
        culprit=offered.culprit,
        parameters=proposal.parameters,
        requester=request.identity.person,
        requester_account=str(request.identity.account),
        reason=clean_text(proposal.reason, MAX_REASON),
        expires_at=rfc3339(expires_at),
        target_id=target_id,
        inputs=proposal.inputs,
    )
    return _without_secrets(make_plan(diagnosis, wanted, server.renderer.render(diagnosis, offered, proposal.parameters)))


def _without_secrets(plan: Plan) -> Plan:
    """Redact what a host said in words before it is stored. Names that are acted on stay as they are."""
    facts = tuple(replace(fact, value=redact(fact.value)) for fact in plan.facts)
    return replace(plan, summary=redact(plan.summary), facts=facts)


def expiry_of(server: ApprovalServer, request: FixRequest, question: PolicyQuestion) -> timedelta:
    """Return how long a plan may wait, by the terms that cover it. Raises RefusedError `no_approval_rule`."""
    terms = server.policy.terms_for(question)
    if terms is not None:
        return timedelta(seconds=terms.expires_in_s)
    decision = may_vote(server.policy, request.identity, question, request.identity.person, break_glass="possible")
    if not decision.is_allowed:
        raise RefusedError("no approval terms cover this: nobody could approve it", reason="no_approval_rule")
    return UNCOVERED_EXPIRY


def find_stored(server: ApprovalServer, request: FixRequest) -> Fix | None:
    """Return the fix that this very delivery stored before, when a server died between that and the end of the delivery."""
    if not request.key:
        return None
    with server.store.read() as transaction:
        fix = fix_rows.read(transaction, request.fix_id())
    return fix if fix is not None and fix.requester_account == str(request.identity.account) else None


def store_plan(server: ApprovalServer, request: FixRequest, plan: Plan, detail: Mapping[str, str]) -> Fix:
    """Store a new plan as a proposed fix, with its audit row, which has `detail` too."""
    fix = Fix(
        id=request.fix_id(),
        state="proposed",
        content=encode(plan),
        plan_digest=digest(plan),
        host=plan.host,
        lock=plan.host_key or plan.host,  # the key is proven; a machine id is the host's own word, and another's could be said
        risk=plan.risk,
        runbook=runbook_name(plan),
        requester=plan.requester,
        requester_account=plan.requester_account,
        created_at=request.at,
        updated_at=request.at,
        expires_at=parse_rfc3339(plan.expires_at),
    )
    request.concerns(fix)
    said = {"action": plan.action, "risk": plan.risk, "expires_at": plan.expires_at, **detail}
    with server.store.write("propose") as transaction:
        fix_rows.add(transaction, fix, request.event(runbook_digest=plan.runbook_digest, detail=said))
    return fix
