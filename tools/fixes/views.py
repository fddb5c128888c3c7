"""Defines what the service answers: frozen data that every face renders. Times are RFC 3339 UTC."""

from collections.abc import Mapping
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.runbooks.engine.plan import Plan
from triagebook.tools.policy.channels import is_of_channel
from triagebook.tools.policy.decide import votes_text
from triagebook.tools.policy.identity import parse_account
from triagebook.tools.policy.model import Policy, PolicyQuestion
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.fix_states import Fix, HostLock, Vote, plan_of
from triagebook.tools.store.machine_rows import Machine
from triagebook.tools.times import rfc3339


@dataclass(frozen=True)
class VoteView:
    """Shows one person's decision."""

    person: str
    account: str
    decision: str  # approve | deny
    at: str
    break_glass: str


@dataclass(frozen=True)
class FixView:
    """Shows a fix as an approver must see it. `plan` is None if the stored one was changed; then `problem` says so."""

    id: str
    state: str
    digest: str
    plan: Plan | None
    votes: tuple[VoteView, ...]
    approvals: str  # `1 of 2 (group:sre)`
    created_at: str
    updated_at: str
    expires_at: str
    outcome: str = ""
    problem: str = ""


@dataclass(frozen=True)
class FixSummary:
    """Shows a fix in one line of a list."""

    id: str
    state: str
    host: str
    risk: str
    runbook: str
    requester: str
    created_at: str
    expires_at: str


@dataclass(frozen=True)
class LockView:
    """Shows a locked host, since when and why."""

    host: str
    fix: str
    reason: str
    person: str
    taken_at: str


@dataclass(frozen=True)
class MachineView:
    """Shows which machine a name of the inventory is bound to."""

    host: str
    host_key: str
    machine_id: str
    target_id: str
    seen_at: str


@dataclass(frozen=True)
class AlertView:
    """Shows an alert and what came of it. `problem` says why no host was asked, or why it gave no answer."""

    id: str
    source: str
    name: str
    host: str
    state: str  # firing | resolved
    rule: str
    first_at: str
    last_at: str
    repeats: int
    status: str  # of the newest answer; empty: none yet
    cause: str
    says: str
    problem: str
    is_cause_still_there: bool = False  # the alert resolved, and its host was found to have the same as at first


@dataclass(frozen=True)
class AuditRow:
    """Shows one audit row, read from its leaf and never from the search columns."""

    index: int
    at: str
    action: str
    outcome: str
    reason: str
    account: str
    person: str
    service: str
    channel: str
    host: str
    fix: str
    runbook: str
    runbook_digest: str
    plan_digest: str
    severity: str
    detail: Mapping[str, str] = field(default_factory=dict)


def view_of(policy: Policy, fix: Fix, votes: tuple[Vote, ...]) -> FixView:
    """Return a fix for display, with its plan only if it is the one that was proposed."""
    plan, problem = None, ""
    try:
        plan = plan_of(fix)
    except RefusedError as error:
        problem = str(error)
    terms = policy.terms_for(question_of(fix, "approve"))
    via = terms.via if terms else frozenset()
    yes = [vote.person for vote in votes if vote.is_yes and is_of_channel(parse_account(vote.account).kind, via)]
    return FixView(
        id=fix.id,
        state=fix.state,
        digest=fix.plan_digest,
        plan=plan,
        votes=tuple(map(_vote, votes)),
        approvals=votes_text(terms, yes) if terms else "nobody can approve this: no terms cover it",
        created_at=rfc3339(fix.created_at),
        updated_at=rfc3339(fix.updated_at),
        expires_at=rfc3339(fix.expires_at),
        outcome=fix.outcome,
        problem=problem,
    )


def summary_of(fix: Fix) -> FixSummary:
    """Return a fix as one line of a list."""
    times = rfc3339(fix.created_at), rfc3339(fix.expires_at)
    return FixSummary(fix.id, fix.state, fix.host, fix.risk, fix.runbook, fix.requester, *times)


def alert_view(episode: AlertEpisode) -> AlertView:
    """Return an alert as it is shown."""
    return AlertView(
        episode.id,
        episode.source,
        episode.name,
        episode.host,
        "firing" if episode.resolved_at is None else "resolved",
        episode.rule,
        rfc3339(episode.first_at),
        rfc3339(episode.last_at),
        episode.repeats,
        episode.status,
        episode.cause,
        alert_sentence(episode),
        episode.problem,
        _is_cause_still_there(episode),
    )


def _is_cause_still_there(episode: AlertEpisode) -> bool:
    """Tell whether the host was asked after the alert resolved, and the cause of the first answer is at work now.

    A warning is not: it tells of what was refused before, or of what comes near again.
    """
    resolved_at, answered_at = episode.resolved_at, episode.answered_at
    is_after = resolved_at is not None and answered_at is not None and answered_at >= resolved_at
    return is_after and episode.status == "cause_found" and _is_cause_of_alert(episode)


def _is_cause_of_alert(episode: AlertEpisode) -> bool:
    return bool(episode.cause_at_alert) and episode.cause == episode.cause_at_alert


def alert_sentence(episode: AlertEpisode) -> str:
    """Return the first sentence about an alert: why nobody was asked, or what the host was found to have.

    An alert that resolved although its cause is still there is said first.
    """
    if episode.says or episode.answered_at is None:
        return episode.says or "Not answered yet."
    if episode.resolved_at is None or not episode.cause_at_alert:
        return episode.headline
    if episode.answered_at < episode.resolved_at:
        return f"The alert resolved; the host has not been asked since. {episode.headline}"
    if _is_cause_still_there(episode):
        return f"The alert resolved, but the cause is still there: {episode.headline}"
    if _is_cause_of_alert(episode):
        return f"The alert resolved. {episode.headline}"
    return f"The alert resolved, and what was found then is gone. {episode.headline}"


def lock_view(lock: HostLock) -> LockView:
    """Return a lock for display."""
    return LockView(lock.host, lock.fix_id, lock.reason, lock.person, rfc3339(lock.taken_at))


def machine_view(machine: Machine) -> MachineView:
    """Return a bound machine for display."""
    return MachineView(machine.host, machine.host_key, machine.machine_id, machine.target_id, rfc3339(machine.seen_at))


def question_of(fix: Fix, action: str) -> PolicyQuestion:
    """Return the question to the policy about a fix."""
    return PolicyQuestion(action, fix.host, fix.runbook, fix.risk)


def question_of_view(fix: FixView, action: str) -> PolicyQuestion | None:
    """Return the question to the policy about a shown fix; None if its plan was changed."""
    if fix.plan is None:
        return None
    return PolicyQuestion(action, fix.plan.host, f"{fix.plan.runbook_id}@{fix.plan.runbook_version}", fix.plan.risk)


def _vote(vote: Vote) -> VoteView:
    decision = "approve" if vote.is_yes else "deny"
    return VoteView(vote.person, vote.account, decision, rfc3339(vote.at), vote.break_glass)
