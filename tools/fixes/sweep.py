"""Does what time demands: expires plans and leases, settles unknown executions, writes refusal counts down."""

from datetime import datetime
from functools import partial

from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.tools.actions.orders import UNDO
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.fixes import history
from triagebook.tools.fixes.apply import result_event
from triagebook.tools.fixes.approval_server import ApprovalServer, expire
from triagebook.tools.fixes.claim import confirm_unknown
from triagebook.tools.fixes.interfaces import Ending, Execution
from triagebook.tools.fixes.revert import record_revert
from triagebook.tools.log import log_event
from triagebook.tools.store import fix_rows, refusal_rows
from triagebook.tools.store.fix_states import LEASED, OPEN, Fix, plan_of

BATCH = 500


def sweep(server: ApprovalServer) -> None:
    """Sweep once. It is safe at any time, also in several replicas at once: every move is a compare-and-set."""
    now = server.clock()
    for fix in _list_fixes(server, OPEN):
        if fix.expires_at <= now:
            with server.store.write("expire") as transaction:
                expire(server, transaction, fix.id, now)
    for fix in _list_fixes(server, LEASED):
        if fix.lease_until is not None and fix.lease_until <= now:
            with server.store.write("lose") as transaction:
                fix_rows.lose(transaction, fix, _event(fix, now, "lease_expired", owner=fix.owner))
    for fix in _list_fixes(server, frozenset({"unknown"})):
        _settle(server, fix)
    with server.store.write("refusals") as transaction:
        refusal_rows.close_windows(transaction, now)
        history.forget(transaction, now)
    server.checkpointer.publish()


def _settle(server: ApprovalServer, fix: Fix) -> None:
    """Ask the executor how an unknown execution ended. It stays unknown while that cannot be told."""
    if server.executor is None:
        return
    execution: Execution | None = None
    try:
        about = fix.id, plan_of(fix), fix.plan_digest, f"{fix.id}.{fix.owner.rpartition('.')[2]}", None
        execution = Execution(*about, server.checkpointer.publish(), confirm=partial(confirm_unknown, server, fix))
        ending = server.executor.recover(execution)
    except RefusedError as error:
        ending = Ending("failed", f"its plan was changed in the database: {error}")
    except TriagebookError as error:
        log_event("fix.not_recovered", host=fix.host, fix=fix.id, reason=error.reason, says=error)
        return
    if ending is None or ending.state == "unknown":
        return
    log_event("fix.recovered", host=fix.host, fix=fix.id, state=ending.state, says=ending.says)
    event = result_event(_event(fix, server.clock(), "result"), ending)
    with server.store.write("resolve") as transaction:
        done = fix_rows.resolve(transaction, fix, ending.state, ending.says, event)
        if done and execution is not None and execution.plan.action == UNDO and ending.state == "validated":
            record_revert(server, event, transaction, execution.plan, f"by {fix.id}")


def _list_fixes(server: ApprovalServer, states: frozenset[str]) -> list[Fix]:
    with server.store.read() as transaction:
        return fix_rows.list_fixes(transaction, BATCH, states=sorted(states))  # type: ignore[arg-type]


def _event(fix: Fix, now: datetime, action: str, **detail: str) -> AuditEvent:
    return AuditEvent(
        at=now,
        action=action,
        outcome="ok",
        channel="server",
        host=fix.host,
        fix=fix.id,
        runbook=fix.runbook,
        plan_digest=fix.plan_digest,
        detail=detail,
    )
