"""FixService: the one object that all faces call. It authorises, audits and moves fixes; faces parse and render."""

from collections.abc import Iterator, Mapping, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.runbooks.engine.plan import Rendering, Value, find_offer
from triagebook.tools.fixes import apply, audit_log, persist, propose, revert, sweep, view, vote
from triagebook.tools.fixes.attempt import ApprovalServer, FixRequest, attempt, require
from triagebook.tools.fixes.audit_log import AuditProof, AuditReport
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.views import AuditRow, FixSummary, FixView, LockView, lock_view, question_of, summary_of, view_of
from triagebook.tools.policy.decide import may, may_vote
from triagebook.tools.policy.identity import Actor, parse_account
from triagebook.tools.policy.model import RULED, PolicyQuestion
from triagebook.tools.redact import clean_text
from triagebook.tools.store import fix_rows
from triagebook.tools.store.fix_states import LEASED, STATES, HostLock

MOST_LISTED = 200


@dataclass(frozen=True)
class PolicyAnswer:
    """What the policy says to a question, and by which rule."""

    is_allowed: bool
    reason: str
    says: str
    account: str
    person: str
    service: str


class FixService:
    """Every method takes who asks, as the channel proved it, and raises RefusedError with a reason code for each no."""

    def __init__(self, trust: ApprovalServer) -> None:
        self._trust = trust

    def propose(self, actor: Actor, proposal: Proposal) -> FixView:
        """Diagnose the host and store the plan of an offered remediation."""
        with attempt(self._trust, actor, "propose") as tried:
            fix = propose.propose(self._trust, tried, proposal)
            return self._view(tried, fix.id)

    def preview(
        self, actor: Actor, diagnosis: Diagnosis, remediation: str, culprit: str, parameters: Mapping[str, Value]
    ) -> Rendering:
        """What a fix of that diagnosis would do, to be shown before it is proposed; a plan is made from a fresh diagnosis."""
        with attempt(self._trust, actor, "propose") as tried:
            offered, runbook = find_offer(diagnosis, remediation, culprit), diagnosis.runbook
            question = PolicyQuestion("propose", diagnosis.host.name, f"{runbook.id}@{runbook.version}", offered.risk)
            tried.about.update(host=question.host, runbook=question.runbook)
            require(self._trust, tried, question)
            return self._trust.renderer.render(diagnosis, offered, parameters)

    def show(self, actor: Actor, fix_id: str) -> FixView:
        """One fix with its plan."""
        with attempt(self._trust, actor, "show") as tried:
            return self._view(tried, fix_id)

    def list(self, actor: Actor, *, state: str = "", host: str = "") -> tuple[FixSummary, ...]:
        """The newest fixes on hosts this identity may diagnose."""
        with attempt(self._trust, actor, "list") as tried:
            states = [found for found in STATES if found == state]
            if state and not states:
                raise UsageError(f"no state {state[:40]!r} (there are: {', '.join(STATES)})", reason="usage")
            with self._trust.store.read() as transaction:
                fixes = fix_rows.list_fixes(transaction, MOST_LISTED, states=states, host=host)
            policy = self._trust.policy
            return tuple(summary_of(fix) for fix in fixes if may(policy, tried.identity, question_of(fix, "diagnose")).is_allowed)

    def approve(self, actor: Actor, fix_id: str, plan_digest: str, *, break_glass: str = "") -> FixView:
        """This person's yes to exactly that plan."""
        with attempt(self._trust, actor, "approve") as tried:
            vote.approve(self._trust, tried, fix_id, plan_digest, break_glass)
            return self._view(tried, fix_id)

    def deny(self, actor: Actor, fix_id: str, plan_digest: str, *, why: str = "") -> FixView:
        """An approver's no."""
        with attempt(self._trust, actor, "deny") as tried:
            vote.deny(self._trust, tried, fix_id, plan_digest, why)
            return self._view(tried, fix_id)

    def withdraw(self, actor: Actor, fix_id: str) -> FixView:
        """The requester takes it back."""
        with attempt(self._trust, actor, "withdraw") as tried:
            vote.withdraw(self._trust, tried, fix_id)
            return self._view(tried, fix_id)

    def apply(self, actor: Actor, fix_id: str) -> FixView:
        """Carry out an approved fix, once. Without an executor: refused `cannot_apply`, with the commands to run by hand."""
        with attempt(self._trust, actor, "apply") as tried:
            apply.apply(self._trust, tried, fix_id)
            return self._view(tried, fix_id)

    def revert(self, actor: Actor, fix_id: str, reason: str = "") -> FixView:
        """Store the plan that puts back what a fix changed; it is approved and applied like any other."""
        with attempt(self._trust, actor, "revert") as tried:
            return self._view(tried, revert.propose_revert(self._trust, tried, fix_id, reason).id)

    def persist(self, actor: Actor, fix_id: str, reason: str = "") -> FixView:
        """Store the plan that makes a live fix permanent; it is approved and applied like any other."""
        with attempt(self._trust, actor, "persist") as tried:
            return self._view(tried, persist.propose_permanent(self._trust, tried, fix_id, reason).id)

    def locks(self, actor: Actor) -> tuple[LockView, ...]:
        """Locked hosts among those this identity may diagnose."""
        with attempt(self._trust, actor, "locks") as tried:
            with self._trust.store.read() as transaction:
                found = fix_rows.locks(transaction)
            policy = self._trust.policy
            seen = [lock for lock in found if may(policy, tried.identity, PolicyQuestion("diagnose", lock.host)).is_allowed]
            return tuple(map(lock_view, seen))

    def break_lock(self, actor: Actor, host: str, reason: str) -> LockView:
        """Remove a host's lock, with a reason, unless somebody is on the host by a lease that still runs."""
        with attempt(self._trust, actor, "break_lock") as tried:
            require(self._trust, tried, PolicyQuestion("break_lock", host))
            tried.about["host"] = host
            lock = self._break_lock(tried, host, clean_text(reason, 300))
            return lock_view(lock)

    def audit_list(self, actor: Actor, limit: int = 50, *, fix: str = "", host: str = "", person: str = "") -> tuple[AuditRow, ...]:
        """The newest audit rows this identity may read."""
        with attempt(self._trust, actor, "audit_list") as tried:
            return audit_log.list_rows(self._trust, tried, limit, fix=fix, host=host, person=person)

    def audit_show(self, actor: Actor, index: int, old_size: int = 0) -> tuple[AuditRow, AuditProof]:
        """One audit row with its proof."""
        with attempt(self._trust, actor, "audit_show") as tried:
            return audit_log.show_row(self._trust, tried, index, old_size)

    def audit_verify(self, actor: Actor, notes: Sequence[str] = ()) -> AuditReport:
        """Is the log what every checkpoint says it was?"""
        tried = FixRequest(actor, self._trust.policy.directory.identify(actor.account), "audit_verify", self._trust.clock())
        return audit_log.verify(self._trust, tried, notes)

    def audit_export(self, actor: Actor, start: int = 0) -> Iterator[dict[str, object]]:
        """The log as JSON Lines, for a verifier elsewhere."""
        with attempt(self._trust, actor, "audit_export") as tried:
            yield from audit_log.export(self._trust, tried, start)

    def policy_check(self, actor: Actor, question: PolicyQuestion, *, account: str = "", requester: str = "") -> PolicyAnswer:
        """Explain a decision: one's own, or another's to who may read the audit log of that host."""
        with attempt(self._trust, actor, "policy_check") as tried:
            policy = self._trust.policy
            identity = policy.directory.identify(parse_account(account)) if account else tried.identity
            if identity.account != tried.identity.account:
                require(self._trust, tried, PolicyQuestion(audit_log.READ, question.host))
            if question.action not in {*RULED, "approve"}:
                raise UsageError(f"no action {question.action[:40]!r} (there are: {', '.join(RULED)}, approve)", reason="usage")
            if question.action == "approve":
                policy, _ = self._trust.groups.for_approval(policy, question, {identity.person})
                decision = may_vote(policy, identity, question, requester)
            else:
                decision = may(policy, identity, question)
            return PolicyAnswer(
                decision.is_allowed, decision.reason, decision.says, str(identity.account), identity.person, identity.service
            )

    def note_refusal(self, actor: Actor, action: str, reason: str, says: str, fix_id: str = "") -> None:
        """A face said no before it asked: recorded as any refusal."""
        view.record_refusal(self._trust, actor, action, reason, says, fix_id)

    def view_for_channel(self, fix_id: str) -> FixView | None:
        """A fix for a place that the operator chose to show fixes in. No request of anybody: nothing is recorded."""
        with self._trust.store.read() as transaction:
            fix = fix_rows.read(transaction, fix_id)
            return None if fix is None else view_of(self._trust.display_policy, fix, fix_rows.votes_of(transaction, fix.id))

    def sweep(self) -> None:
        """Let time do its work: expiry, leases, unknown executions, counts. Call it every few seconds."""
        sweep.sweep(self._trust)

    def _view(self, tried: FixRequest, fix_id: str) -> FixView:
        with self._trust.store.read() as transaction:
            fix = vote.load_fix(self._trust, tried, transaction, fix_id)
            return view_of(self._trust.display_policy, fix, fix_rows.votes_of(transaction, fix.id))

    def _break_lock(self, tried: FixRequest, host: str, reason: str) -> HostLock:
        if not reason:
            raise UsageError("say why the lock is broken", reason="usage")
        with self._trust.store.write("break_lock") as transaction:
            lock = fix_rows.lock_of_host(transaction, host)
            if lock is None:
                raise UsageError(f"{host}: is not locked", reason="not_found")
            fix = fix_rows.read(transaction, lock.fix_id, for_update=True)
            if fix is not None:
                tried.concerns(fix)
                if fix.state in LEASED and fix.lease_until is not None and fix.lease_until > tried.at:
                    raise RefusedError(f"{host}: {fix.id} is running there until its lease ends", reason="lock_in_use")
            event = tried.event(severity="alert", detail={"why": reason, "lock": lock.reason, "taken_by": lock.person})
            if not fix_rows.break_lock(transaction, lock, event):
                raise UsageError(f"{host}: is not locked any more", reason="not_found")
        return lock
