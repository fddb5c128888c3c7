"""Approves, denies and withdraws fixes. Each click is authorised again, against the plan as it is stored now."""

from dataclasses import replace
from datetime import datetime

from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, log_decision, require
from triagebook.tools.fixes.evidence import read_evidence
from triagebook.tools.fixes.views import question_of
from triagebook.tools.policy.channels import is_of_channel, kind_may_decide, may_decide
from triagebook.tools.policy.decide import Decision, is_approved, may, may_still_break, may_vote, votes_text
from triagebook.tools.policy.identity import parse_account
from triagebook.tools.redact import clean_reason, clean_text
from triagebook.tools.store import audit_rows, fix_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import OPEN, Fix, Vote, plan_of

MAX_TEXT = 300


def load_fix(
    server: ApprovalServer, request: FixRequest, transaction: Transaction, fix_id: str, *, for_update: bool = False
) -> Fix:
    """Load the fix if this identity may see its host. Raises UsageError `not_found`, which says no more than that."""
    fix = fix_rows.read(transaction, fix_id, for_update=for_update)
    if fix is None or not may(server.policy, request.identity, question_of(fix, "diagnose")).is_allowed:
        raise UsageError(f"no fix {fix_id[:40]!r} that you may see", reason="not_found")
    request.concerns(fix)
    return fix


def with_current_groups(server: ApprovalServer, request: FixRequest, fix_id: str, action: str = "") -> ApprovalServer:
    """Return the server with the user groups that decide on this fix as they are now.

    It asks a chat service, so it comes before a transaction, which must be short; who may not do `action` is refused first.
    """
    with server.store.read() as transaction:
        fix = load_fix(server, request, transaction, fix_id)
        if action:
            require(server, request, question_of(fix, action))
        voters = {vote.person for vote in fix_rows.votes_of(transaction, fix.id)}
    policy, noted = server.groups.for_approval(server.policy, question_of(fix, "approve"), {request.identity.person, *voters})
    request.noted.update(noted)
    return replace(server, policy=policy)


def approve(server: ApprovalServer, request: FixRequest, fix_id: str, plan_digest: str, break_glass: str = "") -> None:
    """Record this person's approval of exactly this digest; the last one needed makes the fix approved.

    `break_glass` is the reason for approving an own plan. Raises RefusedError, each case with its own reason.
    """
    reason = clean_reason(break_glass)
    if break_glass and not reason:
        raise UsageError("say in words why the glass is broken: it is what others will read", reason="usage")
    server = with_current_groups(server, request, fix_id)
    with server.store.write("approve") as transaction:
        fix = load_fix(server, request, transaction, fix_id, for_update=True)
        decision = _votable(server, request, fix, plan_digest, reason)
        read_evidence(transaction, fix).require_proposal()
        _add_vote(request, transaction, fix, is_yes=True, break_glass=reason)
        is_emergency = decision.reason == "break_glass"
        terms = server.policy.terms_for(question_of(fix, "approve"))
        yes = [vote.person for vote in fix_rows.votes_of(transaction, fix.id) if counts(server, fix, vote)]
        event = _approval_event(request, decision, reason, votes_text(terms, yes) if terms else "")
        if is_emergency or (terms is not None and is_approved(terms, yes)):
            _require_moved(fix_rows.decide(transaction, fix, "approved", event), fix)
        else:
            audit_rows.append(transaction, event)


def deny(server: ApprovalServer, request: FixRequest, fix_id: str, plan_digest: str, why: str) -> None:
    """Record an approver's denial, which is final. Raises RefusedError."""
    server = with_current_groups(server, request, fix_id)
    with server.store.write("deny") as transaction:
        fix = load_fix(server, request, transaction, fix_id, for_update=True)
        _votable(server, request, fix, plan_digest, "")
        _add_vote(request, transaction, fix, is_yes=False, break_glass="")
        _require_moved(fix_rows.decide(transaction, fix, "denied", request.event(detail={"why": clean_text(why, MAX_TEXT)})), fix)


def withdraw(server: ApprovalServer, request: FixRequest, fix_id: str) -> None:
    """Withdraw the plan in its requester's name, also after it was approved. Raises RefusedError."""
    with server.store.write("withdraw") as transaction:
        fix = load_fix(server, request, transaction, fix_id, for_update=True)
        if not request.identity.is_known or request.identity.person != fix.requester:
            raise RefusedError(f"{fix.id}: only {fix.requester}, who asked for it, withdraws it", reason="not_the_requester")
        _require_open(fix, request.at)
        _require_moved(fix_rows.decide(transaction, fix, "withdrawn", request.event()), fix)


def counts(server: ApprovalServer, fix: Fix, vote: Vote) -> bool:
    """Say whether this vote still approves this plan: recorded by the server, by one who may approve it by the policy of now."""
    if not vote.is_genuine or not vote.is_yes or vote.plan_digest != fix.plan_digest:
        return False
    question, kind = question_of(fix, "approve"), parse_account(vote.account).kind
    if vote.break_glass:
        return vote.person == fix.requester and may_still_break(server.policy, vote.person, kind, question)
    terms = server.policy.terms_for(question)
    if terms is None or not is_of_channel(kind, terms.via):
        return False
    return vote.person != fix.requester and vote.person in terms.approvers


def _votable(server: ApprovalServer, request: FixRequest, fix: Fix, plan_digest: str, break_glass: str) -> Decision:
    if not may_decide(request.actor.channel) and kind_may_decide(request.identity.account.kind):
        raise RefusedError(
            f"{fix.id}: an assistant's channel cannot decide; use the terminal or Slack", reason="mcp_cannot_approve"
        )
    question = question_of(fix, "approve")
    decision = may_vote(server.policy, request.identity, question, fix.requester, break_glass=break_glass)
    log_decision(request, question, decision)
    if not decision.is_allowed:
        raise RefusedError(f"{fix.id}: {decision.says}", reason=decision.reason)
    _require_open(fix, request.at)
    if fix.state != "proposed":
        raise RefusedError(f"{fix.id}: it is {fix.state} already", reason="already_decided")
    plan_of(fix)
    if plan_digest != fix.plan_digest:
        message = f"{fix.id}: you saw the plan {plan_digest[:12]}..., the one stored is {fix.plan_digest[:12]}...: look again"
        raise RefusedError(message, reason="other_plan")
    return decision


def _require_open(fix: Fix, now: datetime) -> None:
    if fix.state == "expired" or (fix.state in OPEN and fix.expires_at <= now):
        raise RefusedError(f"{fix.id}: expired at {fix.expires_at:%Y-%m-%d %H:%M:%S} UTC; propose it anew", reason="expired")
    if fix.state not in OPEN:
        raise RefusedError(f"{fix.id}: it is {fix.state} already", reason="already_decided")


def _add_vote(request: FixRequest, transaction: Transaction, fix: Fix, *, is_yes: bool, break_glass: str) -> None:
    identity = request.identity
    vote = Vote(identity.person, str(identity.account), is_yes, fix.plan_digest, request.at, break_glass)
    if not fix_rows.add_vote(transaction, fix.id, vote):
        raise RefusedError(f"{fix.id}: {identity.person} voted before; one person, one vote", reason="already_voted")


def _approval_event(request: FixRequest, decision: Decision, reason: str, given: str) -> AuditEvent:
    if decision.reason != "break_glass":
        return request.event(detail={"rule": decision.says, "approvals": given})
    detail = {"rule": decision.says, "why": reason, "approvals": given}
    return request.event(action="break_glass", reason="break_glass", severity="alert", detail=detail)


def _require_moved(is_moved: bool, fix: Fix) -> None:
    if not is_moved:
        raise RefusedError(f"{fix.id}: somebody else was faster, or it expired", reason="already_decided")
