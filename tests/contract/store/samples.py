"""Fixes and events to store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import update
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.store import audit_rows, fix_rows
from triagebook.tools.store.database import Store
from triagebook.tools.store.fix_states import MOVES, Fix, HostLock, State
from triagebook.tools.store.schema import fixes

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def event(action: str = "test", at: datetime = NOW, **values: str) -> AuditEvent:
    return AuditEvent(at=at, action=action, outcome="ok", **values)  # type: ignore[arg-type]


def fix(fix_id: str = "F-1", host: str = "web-01") -> Fix:
    return Fix(
        id=fix_id,
        state="proposed",
        content=b"{}",
        plan_digest="d" * 64,
        host=host,
        lock=f"machine-of-{host}",
        risk="low",
        runbook="forks@1.0.0",
        requester="ann",
        requester_account="os:ann",
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
    )


def way_to(state: State) -> list[State]:
    """A way along the table of moves: SQL refuses any other."""
    ways: list[list[State]] = [["proposed"]]
    while ways[0][-1] != state:
        ways += [[*ways[0], after] for after in sorted(MOVES[ways[0][-1]]) if after not in ways[0]]
        del ways[0]
    return ways[0][1:]


def stored(store: Store, fix_id: str = "F-1", state: State = "proposed", **values: object) -> Fix:
    """A fix put straight into a state."""
    fresh = fix(fix_id)
    with store.write() as transaction:
        fix_rows.add(transaction, fresh, event("propose", fix=fix_id))
        for step in way_to(state):
            transaction.connection.execute(update(fixes).where(fixes.c.id == fix_id).values(state=step))
        if values:
            transaction.connection.execute(update(fixes).where(fixes.c.id == fix_id).values(**values))
    return replace(fresh, state=state)


def lock(fix_id: str = "F-1", host: str = "web-01") -> HostLock:
    return HostLock(f"machine-of-{host}", host, fix_id, "a fix is running", "ann", NOW)


def state_of(store: Store, fix_id: str = "F-1") -> str:
    with store.read() as transaction:
        found = fix_rows.read(transaction, fix_id)
    assert found is not None
    return found.state


def audit_size(store: Store) -> int:
    with store.read() as transaction:
        return audit_rows.read_head(transaction).edge.size
