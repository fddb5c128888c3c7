"""Approving, denying, withdrawing. Each click is authorised again, against the plan as it is stored now."""

from dataclasses import replace
from datetime import datetime

from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.fixes.attempt import ApprovalServer, FixRequest, log_decision
from triagebook.tools.fixes.views import question_of
from triagebook.tools.policy.decide import Decision, is_approved, may, may_vote, votes_text
from triagebook.tools.redact import clean_text
from triagebook.tools.store import audit_rows, fix_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import OPEN, Fix, Vote, plan_of

MAX_TEXT = 300


def load_fix(trust: ApprovalServer, tried: FixRequest, transaction: Transaction, fix_id: str, *, for_update: bool = False) -> Fix:
    """The fix, if this identity may see its host. UsageError `not_found` says no more than that."""
    fix = fix_rows.read(transaction, fix_id, for_update=for_update)
    if fix is None or not may(trust.policy, tried.identity, question_of(fix, "diagnose")).is_allowed:
        raise UsageError(f"no fix {fix_id[:40]!r} that you may see", reason="not_found")
    tried.concerns(fix)
    return fix


def with_current_groups(trust: ApprovalServer, tried: FixRequest, fix_id: str) -> ApprovalServer:
    """The same with the user groups that decide on this fix as they are now. Asked before a transaction, which must be short."""
    with trust.store.read() as transaction:
        fix = load_fix(trust, tried, transaction, fix_id)
        voters = {vote.person for vote in fix_rows.votes_of(transaction, fix.id)}
    policy, noted = trust.groups.for_approval(trust.policy, question_of(fix, "approve"), {tried.identity.person, *voters})
    tried.noted.update(noted)
    return replace(trust, policy=policy)


def approve(trust: ApprovalServer, tried: FixRequest, fix_id: str, plan_digest: str, break_glass: str = "") -> None:
    """Record this person's yes to exactly this digest; the fix is approved when the last needed one comes.

    `break_glass` is the reason for approving an own plan. Raises RefusedError, each case with its own reason.
    """
    reason = clean_text(break_glass, MAX_TEXT)
    trust = with_current_groups(trust, tried, fix_id)
    with trust.store.write("approve") as transaction:
        fix = load_fix(trust, tried, transaction, fix_id, for_update=True)
        decision = _votable(trust, tried, fix, plan_digest, reason)
        _add_vote(tried, transaction, fix, is_yes=True, break_glass=reason)
        is_emergency = decision.reason == "break_glass"
        terms = trust.policy.terms_for(question_of(fix, "approve"))
        yes = [vote.person for vote in fix_rows.votes_of(transaction, fix.id) if counts(trust, fix, vote)]
        event = _approval_event(tried, decision, reason, votes_text(terms, yes) if terms else "")
        if is_emergency or (terms is not None and is_approved(terms, yes)):
            _require_moved(fix_rows.decide(transaction, fix, "approved", event), fix)
        else:
            audit_rows.append(transaction, event)


def deny(trust: ApprovalServer, tried: FixRequest, fix_id: str, plan_digest: str, why: str) -> None:
    """One approver's no ends it. Raises RefusedError."""
    trust = with_current_groups(trust, tried, fix_id)
    with trust.store.write("deny") as transaction:
        fix = load_fix(trust, tried, transaction, fix_id, for_update=True)
        _votable(trust, tried, fix, plan_digest, "")
        _add_vote(tried, transaction, fix, is_yes=False, break_glass="")
        _require_moved(fix_rows.decide(transaction, fix, "denied", tried.event(detail={"why": clean_text(why, MAX_TEXT)})), fix)


def withdraw(trust: ApprovalServer, tried: FixRequest, fix_id: str) -> None:
    """The requester takes the plan back, also when it was approved. Raises RefusedError."""
    with trust.store.write("withdraw") as transaction:
        fix = load_fix(trust, tried, transaction, fix_id, for_update=True)
        if not tried.identity.is_known or tried.identity.person != fix.requester:
            raise RefusedError(f"{fix.id}: only {fix.requester}, who asked for it, withdraws it", reason="not_the_requester")
        _require_open(fix, tried.at)
        _require_moved(fix_rows.decide(transaction, fix, "withdrawn", tried.event()), fix)


def counts(trust: ApprovalServer, fix: Fix, vote: Vote) -> bool:
    """Is this still a yes to this plan, by somebody who may give it under the policy of now?"""
    if not vote.is_yes or vote.plan_digest != fix.plan_digest:
        return False
    terms = trust.policy.terms_for(question_of(fix, "approve"))
    return bool(vote.break_glass) or (vote.person != fix.requester and terms is not None and vote.person in terms.approvers)


def _votable(trust: ApprovalServer, tried: FixRequest, fix: Fix, plan_digest: str, break_glass: str) -> Decision:
    if tried.actor.channel == "mcp" and tried.identity.account.kind != "mcp":
        raise RefusedError(
            f"{fix.id}: an assistant's channel cannot decide; use the terminal or Slack", reason="mcp_cannot_approve"
        )
    question = question_of(fix, "approve")
    decision = may_vote(trust.policy, tried.identity, question, fix.requester, break_glass=break_glass)
    log_decision(tried, question, decision)
    if not decision.is_allowed:
        raise RefusedError(f"{fix.id}: {decision.says}", reason=decision.reason)
    _require_open(fix, tried.at)
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


def _add_vote(tried: FixRequest, transaction: Transaction, fix: Fix, *, is_yes: bool, break_glass: str) -> None:
    identity = tried.identity
    vote = Vote(identity.person, str(identity.account), is_yes, fix.plan_digest, tried.at, break_glass)
    if not fix_rows.add_vote(transaction, fix.id, vote):
        raise RefusedError(f"{fix.id}: {identity.person} voted before; one person, one vote", reason="already_voted")


def _approval_event(tried: FixRequest, decision: Decision, reason: str, given: str) -> AuditEvent:
    if decision.reason != "break_glass":
        return tried.event(detail={"rule": decision.says, "approvals": given})
    detail = {"rule": decision.says, "why": reason, "approvals": given}
    return tried.event(action="break_glass", reason="break_glass", severity="alert", detail=detail)


def _require_moved(is_moved: bool, fix: Fix) -> None:
    if not is_moved:
        raise RefusedError(f"{fix.id}: somebody else was faster, or it expired", reason="already_decided")
