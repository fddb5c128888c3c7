"""Plans to make a live change permanent: the second step of its action is a plan of its own with its own approval."""

from dataclasses import replace

from triagebook.runbooks.engine.canonical import plan_digest
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.runbooks.engine.plan import MAX_REASON, ORDER_FIELDS, Plan
from triagebook.tools.actions.orders import UNDO
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, require
from triagebook.tools.fixes.freshness import other_host
from triagebook.tools.fixes.propose import expiry_of, require_room, store_plan
from triagebook.tools.fixes.revert import IN_PLACE
from triagebook.tools.fixes.view import require_quota
from triagebook.tools.fixes.vote import load_fix
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.redact import clean_text
from triagebook.tools.store.fix_states import Fix, plan_of
from triagebook.tools.times import rfc3339

FOLLOWS = "follows"  # the parameter of a permanent step's plan that names the live fix


def propose_permanent(server: ApprovalServer, request: FixRequest, fix_id: str, reason: str) -> Fix:
    """Store the plan of the permanent step. Raises RefusedError: not in place, no such step, another host or boot, not allowed."""
    with server.store.read() as transaction:
        fix = load_fix(server, request, transaction, fix_id)
    require(server, request, PolicyQuestion("propose", fix.host, fix.runbook, fix.risk))
    plan = plan_of(fix)
    if plan.action == UNDO or plan.order.get("step") != "live":
        raise RefusedError(f"{fix.id}: it is no live change: there is nothing to make permanent", reason="not_live")
    if fix.state not in IN_PLACE:
        raise RefusedError(f"{fix.id}: it is {fix.state}; only a change that is in place is made permanent", reason="not_in_place")
    if server.executor is None:
        raise RefusedError(f"{fix.id}: this server cannot change hosts", reason="cannot_apply")
    require_room(server, request)
    require_quota(server, request)
    fresh, _ = server.diagnoser.look(plan.host, fix.runbook, (), {})
    stale = other_host(plan, fresh, server.executor.target_id(plan.host))
    if stale is not None:
        raise RefusedError(f"{fix.id}: {stale.says}", reason=stale.reason)
    permanent = _plan(server, request, fix, replace(plan, diagnosis=fresh.id), reason)
    return store_plan(server, request, permanent, {FOLLOWS: fix.id})


def _plan(server: ApprovalServer, request: FixRequest, fix: Fix, live: Plan, reason: str) -> Plan:
    rendering = server.renderer.permanent(live)
    order = {**{name: live.order[name] for name in ORDER_FIELDS}, **rendering.order}
    return replace(
        live,
        title=f"Make {fix.id} permanent: {live.title}",
        parameters={**live.parameters, FOLLOWS: fix.id},
        changes=rendering.changes,
        commands=rendering.commands,
        undo_commands=rendering.undo_commands,
        requester=request.identity.person,
        requester_account=str(request.identity.account),
        reason=clean_text(reason, MAX_REASON),
        expires_at=rfc3339(request.at + expiry_of(server, request, PolicyQuestion("approve", fix.host, fix.runbook, live.risk))),
        order=order,
        order_digest=plan_digest(order),
    )
