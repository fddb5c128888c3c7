"""Plans to revert a fix: a plan of its own, with its own approval, orders the helper to restore the values from before."""

from dataclasses import replace

from triagebook.runbooks.engine.canonical import plan_digest
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import PlanError, RefusedError
from triagebook.runbooks.engine.plan import MAX_REASON, ORDER_FIELDS, Plan, PlannedValue
from triagebook.tools.actions.orders import UNDO, number_of
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, require
from triagebook.tools.fixes.freshness import other_host
from triagebook.tools.fixes.propose import expiry_of, require_room, store_plan
from triagebook.tools.fixes.vote import load_fix
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.redact import clean_text
from triagebook.tools.store import fix_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import Fix, plan_of
from triagebook.tools.store.leases import Lease
from triagebook.tools.times import rfc3339

REVERTS = "reverts"  # the parameter of an undo's plan that names the fix
IN_PLACE = frozenset({"validated", "unresolved"})


def propose_revert(server: ApprovalServer, request: FixRequest, fix_id: str, reason: str) -> Fix:
    """Store the plan that undoes a fix. Raises RefusedError: no undo, not in place, another host or boot, not allowed."""
    with server.store.read() as transaction:
        fix = load_fix(server, request, transaction, fix_id)
    require(server, request, PolicyQuestion("propose", fix.host, fix.runbook, fix.risk))
    plan = plan_of(fix)
    if fix.state not in IN_PLACE:
        raise RefusedError(f"{fix.id}: it is {fix.state}; only a change that is in place can be reverted", reason="not_in_place")
    if plan.undo == "none" or plan.action == UNDO:
        raise RefusedError(f"{fix.id}: it cannot be undone; its plan said so before it was approved", reason="no_undo")
    if server.executor is None:
        raise RefusedError(
            f"{fix.id}: this server cannot change hosts; by hand: {'; '.join(plan.undo_commands)}", reason="cannot_apply"
        )
    require_room(server, request)
    fresh, _ = server.diagnoser.look(plan.host, fix.runbook, (), {})
    same_boot = plan if plan.order.get("step") == "live" else replace(plan, boot_id=fresh.host.boot_id)
    stale = other_host(replace(same_boot, runbook_digest=fresh.runbook.digest), fresh, server.executor.target_id(plan.host))
    if stale is not None:
        gone = ": the live change went with that boot" if stale.reason == "rebooted" else ""
        raise RefusedError(f"{fix.id}: {stale.says}{gone}", reason=stale.reason)
    undo = _plan(server, request, fix, plan, fresh, reason=reason)
    return store_plan(server, request, undo, {REVERTS: fix.id, "policy": server.policy.digest})


def record_revert(server: ApprovalServer, event: AuditEvent, transaction: Transaction, plan: Plan, says: str) -> None:
    """Mark the undone fix as `reverted`, in the transaction that records its undo as done."""
    fix = fix_rows.read(transaction, str(plan.parameters.get(REVERTS, "")), for_update=True)
    if fix is None or fix.state not in IN_PLACE:
        return
    about = replace(event, action="revert", fix=fix.id, plan_digest=fix.plan_digest)
    now = server.clock()
    if fix_rows.claim(transaction, fix, "reverting", Lease(fix.owner, now + server.lease), about):
        claimed = fix_rows.read(transaction, fix.id, for_update=True)
        if claimed is not None:
            done = replace(about, action="result", reason="reverted", detail={"says": says})
            fix_rows.settle(transaction, claimed, "reverted", fix.owner, says, done)


def _plan(server: ApprovalServer, request: FixRequest, fix: Fix, plan: Plan, fresh: Diagnosis, *, reason: str) -> Plan:
    if not plan.undo_commands:
        raise PlanError(f"{fix.id}: its plan has no undo")
    values = (UNDO, plan.target_id, plan.machine_id, fresh.host.boot_id)
    execution = f"{fix.id}.{fix.owner.rpartition('.')[2]}"
    order = {**dict(zip(ORDER_FIELDS, values, strict=True)), "undoes": number_of(execution)}
    return replace(
        plan,
        runbook_digest=fresh.runbook.digest,
        boot_id=fresh.host.boot_id,
        diagnosis=fresh.id,
        title=f"Revert {fix.id}: {plan.title}",
        action=UNDO,
        parameters={REVERTS: fix.id},
        changes=tuple(PlannedValue(change.what, change.then, change.now) for change in plan.changes),
        commands=plan.undo_commands,
        undo="none",
        undo_commands=(),
        disruption="The value before comes back; the helper refuses where present use is above it.",
        requester=request.identity.person,
        requester_account=str(request.identity.account),
        reason=clean_text(reason, MAX_REASON),
        expires_at=rfc3339(request.at + expiry_of(server, request, PolicyQuestion("approve", fix.host, fix.runbook, plan.risk))),
        order=order,
        order_digest=plan_digest(order),
    )
