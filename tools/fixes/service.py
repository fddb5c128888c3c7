"""Offers every request about fixes to all faces. FixService authorises, audits and moves fixes; faces parse and render."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.runbooks.engine.plan import Rendering, Value, find_offer
from triagebook.tools.diagnosis.stored_diagnosis import StoredDiagnosis
from triagebook.tools.fixes import (
    apply,
    audit_log,
    feedback,
    history,
    machines,
    persist,
    propose,
    record,
    revert,
    sweep,
    view,
    vote,
)
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, attempt, require
from triagebook.tools.fixes.audit_log import AuditProof, AuditReport
from triagebook.tools.fixes.feedback import FeedbackView
from triagebook.tools.fixes.history import HistoryEntry
from triagebook.tools.fixes.propose import Proposal
from triagebook.tools.fixes.views import (
    AlertView,
    AuditRow,
    FixSummary,
    FixView,
    LockView,
    MachineView,
    alert_view,
    lock_view,
    machine_view,
    question_of,
    summary_of,
    view_of,
)
from triagebook.tools.policy.decide import may, may_vote
from triagebook.tools.policy.identity import Actor, parse_account
from triagebook.tools.policy.model import RULED, PolicyQuestion
from triagebook.tools.redact import clean_reason
from triagebook.tools.store import fix_rows
from triagebook.tools.store.fix_states import LEASED, STATES, HostLock

MOST_LISTED = 200


@dataclass(frozen=True)
class PolicyAnswer:
    """Says whether the policy allows a question, and by which rule."""

    is_allowed: bool
    reason: str
    says: str
    account: str
    person: str
    service: str


class FixService:
    """Answers requests about fixes. Each method takes the actor that the channel proved, and refuses by RefusedError."""

    def __init__(self, server: ApprovalServer) -> None:
        self._server = server

    def propose(self, actor: Actor, proposal: Proposal, key: str = "") -> FixView:
        """Diagnose the host and store the plan of an offered remediation. A delivery, known by its key, stores one at most."""
        with attempt(self._server, actor, "propose", key) as request:
            fix = propose.find_stored(self._server, request) or propose.propose(self._server, request, proposal)
            return self._view(request, fix.id)

    def preview(
        self, actor: Actor, diagnosis: Diagnosis, remediation: str, culprit: str, parameters: Mapping[str, Value]
    ) -> Rendering:
        """Show what a fix of that diagnosis would do before it is proposed; the plan itself is made from a fresh diagnosis."""
        with attempt(self._server, actor, "propose") as request:
            offered, runbook = find_offer(diagnosis, remediation, culprit), diagnosis.runbook
            question = PolicyQuestion("propose", diagnosis.host.name, f"{runbook.id}@{runbook.version}", offered.risk)
            request.about.update(host=question.host, runbook=question.runbook)
            require(self._server, request, question)
            return self._server.renderer.render(diagnosis, offered, parameters)

    def get_diagnosis(self, actor: Actor, diagnosis_id: str) -> StoredDiagnosis:
        """Show again what somebody was told about a host that this identity may diagnose, by the id of the answer."""
        with attempt(self._server, actor, "get_diagnosis") as request:
            return history.get_answer(self._server, request, diagnosis_id)

    def show(self, actor: Actor, fix_id: str) -> FixView:
        """Show one fix with its plan."""
        with attempt(self._server, actor, "show") as request:
            return self._view(request, fix_id)

    def list(self, actor: Actor, *, state: str = "", host: str = "") -> tuple[FixSummary, ...]:
        """List the newest fixes on hosts that this identity may diagnose."""
        with attempt(self._server, actor, "list") as request:
            states = [found for found in STATES if found == state]
            if state and not states:
                raise UsageError(f"no state {state[:40]!r} (there are: {', '.join(STATES)})", reason="usage")
            with self._server.store.read() as transaction:
                fixes = fix_rows.list_fixes(transaction, MOST_LISTED, states=states, host=host)
            policy = self._server.policy
            return tuple(summary_of(fix) for fix in fixes if may(policy, request.identity, question_of(fix, "diagnose")).is_allowed)

    def approve(self, actor: Actor, fix_id: str, plan_digest: str, *, break_glass: str = "") -> FixView:
        """Approve exactly that plan in this person's name."""
        with attempt(self._server, actor, "approve") as request:
            vote.approve(self._server, request, fix_id, plan_digest, break_glass)
            return self._view(request, fix_id)

    def deny(self, actor: Actor, fix_id: str, plan_digest: str, *, why: str = "") -> FixView:
        """Deny the fix in an approver's name; this is final."""
        with attempt(self._server, actor, "deny") as request:
            vote.deny(self._server, request, fix_id, plan_digest, why)
            return self._view(request, fix_id)

    def withdraw(self, actor: Actor, fix_id: str) -> FixView:
        """Withdraw the fix in its requester's name."""
        with attempt(self._server, actor, "withdraw") as request:
            vote.withdraw(self._server, request, fix_id)
            return self._view(request, fix_id)

    def apply(self, actor: Actor, fix_id: str) -> FixView:
        """Carry out an approved fix, once. Without an executor: refused `cannot_apply`, with the commands to run by hand."""
        with attempt(self._server, actor, "apply") as request:
            apply.apply(self._server, request, fix_id)
            return self._view(request, fix_id)

    def revert(self, actor: Actor, fix_id: str, reason: str = "", key: str = "") -> FixView:
        """Store the plan that puts back what a fix changed; it is approved and applied like any other."""
        with attempt(self._server, actor, "revert", key) as request:
            stored = propose.find_stored(self._server, request)
            return self._view(request, (stored or revert.propose_revert(self._server, request, fix_id, reason)).id)

    def persist(self, actor: Actor, fix_id: str, reason: str = "", key: str = "") -> FixView:
        """Store the plan that makes a live fix permanent; it is approved and applied like any other."""
        with attempt(self._server, actor, "persist", key) as request:
            stored = propose.find_stored(self._server, request)
            return self._view(request, (stored or persist.propose_permanent(self._server, request, fix_id, reason)).id)

    def history(self, actor: Actor, host: str, days: int) -> tuple[HistoryEntry, ...]:
        """Show what a host was found to have, its alerts, fixes and boots, newest first."""
        with attempt(self._server, actor, "history") as request:
            return history.history(self._server, request, host, days)

    def alerts(self, actor: Actor, host: str, limit: int) -> tuple[AlertView, ...]:
        """List the newest alerts about hosts that this identity may diagnose."""
        with attempt(self._server, actor, "alerts") as request:
            return tuple(map(alert_view, history.alerts(self._server, request, host, limit)))

    def record(self, actor: Actor, subject: str, since: datetime | None = None) -> Mapping[str, object]:
        """Make the record of an incident: of a host, a fix or an alert, each line with the proof that the audit log has it."""
        with attempt(self._server, actor, "record") as request:
            return record.make_record(self._server, request, subject, since)

    def give_feedback(self, actor: Actor, answer_id: str, was: str, it_was: str = "") -> FeedbackView:
        """Record that an answer was `right`, or `wrong` and what it was."""
        with attempt(self._server, actor, feedback.ACTION) as request:
            return feedback.give(self._server, request, answer_id, was, it_was)

    def feedback(self, actor: Actor, host: str, limit: int) -> tuple[FeedbackView, ...]:
        """List what was said of answers about hosts that this identity may diagnose, newest first."""
        with attempt(self._server, actor, "list_feedback") as request:
            return feedback.feedback(self._server, request, host, limit)

    def keep_case(self, actor: Actor, answer_id: str, text: str) -> None:
        """Keep the draft of a case beside an answer that was said to be wrong."""
        with attempt(self._server, actor, "keep_case") as request:
            feedback.keep_case(self._server, request, answer_id, text)

    def get_case(self, actor: Actor, answer_id: str) -> str:
        """Return the draft of a case that is kept beside an answer."""
        with attempt(self._server, actor, "get_case") as request:
            return feedback.get_case(self._server, request, answer_id)

    def locks(self, actor: Actor) -> tuple[LockView, ...]:
        """List the locked hosts among those that this identity may diagnose."""
        with attempt(self._server, actor, "locks") as request:
            with self._server.store.read() as transaction:
                found = fix_rows.locks(transaction)
            policy = self._server.policy
            seen = [lock for lock in found if may(policy, request.identity, PolicyQuestion("diagnose", lock.host)).is_allowed]
            return tuple(map(lock_view, seen))

    def break_lock(self, actor: Actor, host: str, reason: str) -> LockView:
        """Remove a host's lock, with a reason, unless a running lease still holds it."""
        with attempt(self._server, actor, "break_lock") as request:
            require(self._server, request, PolicyQuestion("break_lock", host))
            request.about["host"] = host
            lock = self._break_lock(request, host, clean_reason(reason))
            return lock_view(lock)

    def bind_host(self, actor: Actor, host: str, reason: str) -> MachineView:
        """Bind a name of the inventory to the machine that answers to it now, with a reason."""
        with attempt(self._server, actor, machines.BIND) as request:
            return machine_view(machines.bind_host(self._server, request, host, reason))

    def audit_list(self, actor: Actor, limit: int = 50, *, fix: str = "", host: str = "", person: str = "") -> tuple[AuditRow, ...]:
        """List the newest audit rows that this identity may read."""
        with attempt(self._server, actor, "audit_list") as request:
            return audit_log.list_rows(self._server, request, limit, fix=fix, host=host, person=person)

    def audit_show(self, actor: Actor, index: int, old_size: int = 0) -> tuple[AuditRow, AuditProof]:
        """Show one audit row with its proof."""
        with attempt(self._server, actor, "audit_show") as request:
            return audit_log.show_row(self._server, request, index, old_size)

    def audit_verify(self, actor: Actor, notes: Sequence[str] = (), since: int = 0) -> AuditReport:
        """Verify the audit log against every checkpoint."""
        request = FixRequest(actor, self._server.policy.directory.identify(actor.account), "audit_verify", self._server.clock())
        return audit_log.verify(self._server, request, notes, since)

    def audit_repair(self, actor: Actor) -> tuple[int, ...]:
        """Write search columns anew that differ from the log; return the rows."""
        with attempt(self._server, actor, "audit_repair") as request:
            return audit_log.repair_columns(self._server, request)

    def audit_export(self, actor: Actor, start: int = 0) -> Iterator[dict[str, object]]:
        """Export the audit log as JSON Lines, for a verifier elsewhere."""
        with attempt(self._server, actor, "audit_export") as request:
            yield from audit_log.export(self._server, request, start)

    def policy_check(self, actor: Actor, question: PolicyQuestion, *, account: str = "", requester: str = "") -> PolicyAnswer:
        """Explain a decision: one's own, or another's to who may read the audit log of that host."""
        with attempt(self._server, actor, "policy_check") as request:
            policy = self._server.policy
            identity = policy.directory.identify(parse_account(account)) if account else request.identity
            if identity.account != request.identity.account:
                require(self._server, request, PolicyQuestion(audit_log.READ, question.host))
            if question.action not in {*RULED, "approve"}:
                raise UsageError(f"no action {question.action[:40]!r} (there are: {', '.join(RULED)}, approve)", reason="usage")
            if question.action == "approve":
                policy, _ = self._server.groups.for_approval(policy, question, {identity.person})
                decision = may_vote(policy, identity, question, requester)
            else:
                decision = may(policy, identity, question)
            return PolicyAnswer(
                decision.is_allowed, decision.reason, decision.says, str(identity.account), identity.person, identity.service
            )

    def note_refusal(self, actor: Actor, action: str, reason: str, says: str, fix_id: str = "") -> None:
        """Record that a face refused a request before it asked this service."""
        view.record_refusal(self._server, actor, action, reason, says, fix_id)

    def view_for_channel(self, fix_id: str) -> FixView | None:
        """Show a fix in a channel that the operator chose for that. It is nobody's request, so nothing is recorded."""
        with self._server.store.read() as transaction:
            fix = fix_rows.read(transaction, fix_id)
            return None if fix is None else view_of(self._server.display_policy, fix, fix_rows.votes_of(transaction, fix.id))

    def sweep(self) -> None:
        """Let time do its work: expiry, leases, unknown executions, counts. Call it every few seconds."""
        sweep.sweep(self._server)

    def _view(self, request: FixRequest, fix_id: str) -> FixView:
        with self._server.store.read() as transaction:
            fix = vote.load_fix(self._server, request, transaction, fix_id)
            return view_of(self._server.display_policy, fix, fix_rows.votes_of(transaction, fix.id))

    def _break_lock(self, request: FixRequest, host: str, reason: str) -> HostLock:
        if not reason:
            raise UsageError("say in words why the lock is broken", reason="usage")
        with self._server.store.write("break_lock") as transaction:
            lock = fix_rows.lock_of_host(transaction, host)
            if lock is None:
                raise UsageError(f"{host}: is not locked", reason="not_found")
            fix = fix_rows.read(transaction, lock.fix_id, for_update=True)
            if fix is not None:
                request.concerns(fix)
                if fix.state in LEASED and fix.lease_until is not None and fix.lease_until > request.at:
                    raise RefusedError(f"{host}: {fix.id} is running there until its lease ends", reason="lock_in_use")
            event = request.event(severity="alert", detail={"why": reason, "lock": lock.reason, "taken_by": lock.person})
            if not fix_rows.break_lock(transaction, lock, event):
                raise UsageError(f"{host}: is not locked any more", reason="not_found")
        return lock
