"""Applies an approved fix: checks everything again, claims it once, anchors, lets the executor change the host, records the end."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import PlanError, RefusedError, TriagebookError, TrustError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.plan import Plan, Rendering, inputs_of
from triagebook.tools.actions.orders import UNDO
from triagebook.tools.audit.event import AuditEvent, Outcome
from triagebook.tools.audit.note import Checkpoint
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest
from triagebook.tools.fixes.claim import HeldClaim
from triagebook.tools.fixes.evidence import read_evidence
from triagebook.tools.fixes.freshness import UNKNOWN, Stale, other_host, why_cause_is_gone, why_start_differs
from triagebook.tools.fixes.interfaces import Approach, Ending, Execution, Executor
from triagebook.tools.fixes.machines import require_machine
from triagebook.tools.fixes.persist import FOLLOWS
from triagebook.tools.fixes.revert import record_revert
from triagebook.tools.fixes.views import question_of
from triagebook.tools.fixes.vote import counts, load_fix, with_current_groups
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.log import log_event
from triagebook.tools.policy.decide import UNASKED, is_approved
from triagebook.tools.store import fix_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import Fix, HostLock, plan_of

USED = {"running", "reverting", "unknown", "validated", "unresolved", "reverted", "failed"}


def apply(server: ApprovalServer, request: FixRequest, fix_id: str) -> None:
    """Carry out an approved fix, once. Raises RefusedError; nothing ran then."""
    server = with_current_groups(server, request, fix_id, "apply")
    with server.store.read() as transaction:
        fix = load_fix(server, request, transaction, fix_id)
        _require_applicable(server, request, transaction, fix)
    plan = plan_of(fix)
    executor = _executor(server, plan)
    with ThreadPoolExecutor(1) as pool:  # two logins at once: somebody waits for this change
        approach = pool.submit(executor.approach, plan.host)
        try:
            now = _look(server, fix, plan)
            way = approach.result()  # a host out of reach leaves the approval as it is: it says nothing about the plan
            _require_fresh(server, request, fix, now)
            require_machine(server, now.fresh, plan.target_id)
            held = HeldClaim(server, fix.id, f"{server.instance}.{secrets.token_hex(8)}")
            claimed = _ClaimedFix(server, request, fix, plan, executor, now.fresh, way, held)
            claimed.claim()
            server.step("apply.claimed")
            ending = claimed.run()
            is_settled = claimed.settle(ending)
            if is_settled and ending.state == "approved":
                request.is_recorded = True
                raise RefusedError(_refusal(fix, ending.says), reason="not_begun")
        finally:
            if approach.exception() is None:
                approach.result().close()


def _require_applicable(server: ApprovalServer, request: FixRequest, transaction: Transaction, fix: Fix) -> None:
    if fix.state in USED:
        raise RefusedError(f"{fix.id}: it was used before ({fix.state}); an approval is for one execution", reason="already_used")
    if fix.state == "expired" or fix.expires_at <= request.at:
        raise RefusedError(f"{fix.id}: expired at {fix.expires_at:%Y-%m-%d %H:%M:%S} UTC; propose it anew", reason="expired")
    if fix.state != "approved":
        raise RefusedError(f"{fix.id}: it is {fix.state}, not approved", reason="not_approved")
    plan_of(fix)
    evidence = read_evidence(transaction, fix)
    given = fix_rows.votes_of(transaction, fix.id)
    votes = [vote for vote in evidence.votes(given) if counts(server, fix, vote)]
    terms = server.policy.terms_for(question_of(fix, "approve"))
    is_covered = terms is not None and is_approved(terms, [vote.person for vote in votes])
    if not is_covered and not any(vote.break_glass for vote in votes):
        if terms is not None and terms.unasked_groups:
            raise RefusedError(f"{fix.id}: its approvals cannot be checked: {server.policy.why_unasked}", reason=UNASKED)
        message = f"{fix.id}: its approvals are not for this plan, or do not suffice under the policy of now"
        if any(vote.is_yes and not vote.is_genuine for vote in given):
            message += "; an approval of it was not recorded by this server, or before it sealed votes: propose it anew"
        raise RefusedError(message, reason="approval_void")
    evidence.require_proposal()
    evidence.require_unused()


def _executor(server: ApprovalServer, plan: Plan) -> Executor:
    by_hand = "\n".join(("To do it by hand, as root on that host:", *(f"  {line}" for line in plan.commands)))
    undo = "\n".join(("To undo it:", *(f"  {line}" for line in plan.undo_commands))) if plan.undo_commands else "It has no undo."
    if parse_target(plan.host).kind == "replay":
        raise RefusedError(f"{plan.host} is a recorded case: nothing is there to fix.\n{by_hand}\n{undo}", reason="replay")
    if server.executor is None:
        message = f"this server has no executor: it cannot change hosts.\n{by_hand}\n{undo}"
        raise RefusedError(message, reason="cannot_apply")
    return server.executor


@dataclass(frozen=True)
class _Now:
    """The host as it is when a plan is to be carried out: its facts, and the change as it would be now."""

    fresh: Diagnosis
    change: Rendering | Stale | None  # None for an undo: it is decided by the helper's journal

    def stale(self, plan: Plan) -> Stale | None:
        """Return why the plan does not hold any more. For an undo and a permanent step the cause is gone already.

        The helper itself judges whether it belongs to the installation that the plan names: the order says which.
        """
        found = other_host(plan, self.fresh, plan.target_id)
        if found is not None or self.change is None:
            return found
        if FOLLOWS not in plan.parameters and (gone := why_cause_is_gone(plan, self.fresh)) is not None:
            return gone
        return self.change if isinstance(self.change, Stale) else why_start_differs(plan, self.change)


def _look(server: ApprovalServer, fix: Fix, plan: Plan) -> _Now:
    """Look at the host once, which mostly shows that the cause holds; if it does not, diagnose it in full."""
    if plan.action == UNDO:
        return _Now(server.diagnoser.look(plan.host, fix.runbook, (), {})[0], None)
    inputs = inputs_of(plan)
    fresh, outputs = server.diagnoser.look(plan.host, fix.runbook, server.renderer.reads(plan), inputs)
    if FOLLOWS not in plan.parameters and why_cause_is_gone(plan, fresh) is not None:
        fresh = server.diagnoser.diagnose(plan.host, fix.runbook, inputs)
    if isinstance(outputs, Unreadable):
        return _Now(fresh, Stale(UNKNOWN, f"what the change would start from cannot be read: {outputs.reason}"))
    try:
        return _Now(fresh, server.renderer.again(plan, outputs))
    except PlanError as error:
        return _Now(fresh, Stale(UNKNOWN if error.reason == UNKNOWN else "stale_facts", str(error)))


def _require_fresh(server: ApprovalServer, request: FixRequest, fix: Fix, now: _Now) -> None:
    """Refuse a plan that does not hold, or of which nobody can tell now; nothing runs then. Raises RefusedError.

    Only a different fact makes it stale, with its audit row. A host that is slow or cannot be read leaves the approval as it is.
    """
    stale = now.stale(plan_of(fix))
    if stale is None:
        return
    if stale.reason == UNKNOWN:
        raise RefusedError(_refusal(fix, stale.says), reason=UNKNOWN)
    with server.store.write("stale") as transaction:
        event = request.event(outcome="refused", reason=stale.reason, detail={"says": stale.says})
        request.is_recorded = fix_rows.decide(transaction, fix, "stale", event)
    raise RefusedError(f"{fix.id}: {stale.says.rstrip('. ')}. Nothing was done; propose it anew", reason=stale.reason)


def _refusal(fix: Fix, why: str) -> str:
    """Return the refusal of an approved plan that can be applied again as it is."""
    until = f"{fix.expires_at:%H:%M:%S} UTC"
    return f"{fix.id}: {why.rstrip('. ')}. Nothing was done; it stays approved until {until}: apply it again"


@dataclass(frozen=True)
class _ClaimedFix:
    """Carries out one fix once, for one owner."""

    server: ApprovalServer
    request: FixRequest
    fix: Fix
    plan: Plan
    executor: Executor
    fresh: Diagnosis
    approach: Approach
    held: HeldClaim

    def claim(self) -> None:
        """Move the fix to running, with the host's lock and the audit row, in one transaction. Raises RefusedError."""
        now, fix = self.server.clock(), self.fix
        lock = HostLock(fix.lock, fix.host, fix.id, f"{fix.id} is being applied", self.request.identity.person, now)
        with self.server.store.write("claim") as transaction:
            standing = fix_rows.take_lock(transaction, lock)
            if standing is not None and standing.fix_id != fix.id:
                message = f"{fix.host}: locked since {standing.taken_at:%H:%M:%S} UTC by {standing.fix_id} ({standing.reason})"
                raise RefusedError(message, reason="host_locked")
            event = self.request.event(at=now, detail={"owner": self.held.owner})
            if not fix_rows.claim(transaction, fix, "running", self.held.lease(), event):
                message = f"{fix.id}: somebody else applies it, it was withdrawn, or it expired"
                raise RefusedError(message, reason="already_used")

    def run(self) -> Ending:
        """Carry the fix out, holding the claim all the while. It is running by now: whatever happens is an ending, no refusal."""
        with self.held.hold():
            try:
                checkpoint = self.server.checkpointer.publish()
            except TrustError as error:
                return Ending("failed", f"nothing ran: {error}")
            self.server.step("apply.anchored")
            return self._execute(checkpoint)

    def _execute(self, checkpoint: Checkpoint) -> Ending:
        order_id = f"{self.fix.id}.{self.held.owner.rpartition('.')[2]}"
        about = self.fix.id, self.plan, self.fix.plan_digest, order_id, self.fresh, checkpoint
        try:
            return self.executor.execute(Execution(*about, confirm=self.held.confirm, approach=self.approach))
        except TriagebookError as error:
            return Ending("unknown", f"{error.reason}: {error}")
        except Exception as error:  # noqa: BLE001 - a defect while a host is being changed: nobody knows
            log_event("fix.defect", host=self.fix.host, fix=self.fix.id, error=error)
            return Ending("unknown", f"{type(error).__name__}: {error}")

    def settle(self, ending: Ending) -> bool:
        """Record the ending. False: the lease ran out, so the fix is unknown and the helper's journal will tell."""
        log_event("fix.ended", host=self.fix.host, fix=self.fix.id, state=ending.state, says=ending.says)
        self.server.step("apply.executed")
        now = self.server.clock()
        event = result_event(self.request.event(at=now), ending)
        with self.server.store.write("settle") as transaction:
            running = fix_rows.read(transaction, self.fix.id, for_update=True)
            if running is None or running.state != "running":
                return False
            done = fix_rows.settle(transaction, running, ending.state, self.held.owner, ending.says, event)
            if done and self.plan.action == UNDO and ending.state == "validated":
                record_revert(self.server, event, transaction, self.plan, f"by {self.fix.id}")
        return done


def result_event(event: AuditEvent, ending: Ending) -> AuditEvent:
    """Return the audit row of an ending."""
    outcome: Outcome = "ok" if ending.state in {"validated", "unresolved"} else "failed"
    return replace(event, action="result", outcome=outcome, reason=ending.state, detail={"says": ending.says, **ending.detail})
