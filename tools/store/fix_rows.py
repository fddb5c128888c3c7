"""Fixes, votes and host locks. A move of a fix is one compare-and-set, with its audit row in the same transaction.

No function here moves a fix without an event, and none moves it where `tools.fixes.MOVES` does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select, update
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.log import log_event
from triagebook.tools.store import audit_rows, leases
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import LEASED, OPEN, SETTLED, Fix, FixOutline, HostLock, State, Vote, is_legal
from triagebook.tools.store.leases import Lease
from triagebook.tools.store.schema import fixes, host_locks, votes
from triagebook.tools.times import from_micros, to_micros


def add(transaction: Transaction, fix: Fix, event: AuditEvent) -> None:
    """Store a new fix, which must be `proposed`."""
    if fix.state != "proposed":
        raise TrustError(f"{fix.id}: a fix begins as proposed, not {fix.state}")
    values = {name: getattr(fix, name) for name in ("id", "state", "plan_digest", "host", "lock", "risk", "runbook")}
    transaction.connection.execute(
        insert(fixes).values(
            **values,
            content=fix.content.decode(),
            requester=fix.requester,
            requester_account=fix.requester_account,
            created_at=to_micros(fix.created_at),
            updated_at=to_micros(fix.updated_at),
            expires_at=to_micros(fix.expires_at),
            owner="",
            outcome="",
            **leases.ENDED,
        )
    )
    moved = {"host": fix.host, "fix": fix.id, "after": fix.state, "by": event.person or event.channel}
    transaction.after_commit(partial(log_event, "fix.moved", **moved))
    audit_rows.append(transaction, event)


def read(transaction: Transaction, fix_id: str, *, for_update: bool = False) -> Fix | None:
    """A fix by its id. `for_update` makes other writers of it wait until this transaction ends."""
    statement = select(fixes).where(fixes.c.id == _as_text(fix_id))
    row = transaction.connection.execute(statement.with_for_update() if for_update else statement).one_or_none()
    return None if row is None else _fix(row)


def list_fixes(transaction: Transaction, limit: int, *, states: Sequence[State] = (), host: str = "") -> list[Fix]:
    """The newest fixes first, in these states and of this host where given."""
    statement = select(fixes).order_by(fixes.c.created_at.desc(), fixes.c.id).limit(limit)
    statement = statement.where(fixes.c.state.in_(states)) if states else statement
    statement = statement.where(fixes.c.host == _as_text(host)) if host else statement
    return [_fix(row) for row in transaction.connection.execute(statement)]


def decide(transaction: Transaction, fix: Fix, after: State, event: AuditEvent) -> bool:
    """proposed -> approved | denied | withdrawn, approved -> withdrawn | stale, while the plan holds. False: lost."""
    now = to_micros(event.at)
    return _move(transaction, fix, after, event, fixes.c.expires_at > now, fixes.c.plan_digest == fix.plan_digest)


def expire(transaction: Transaction, fix: Fix, event: AuditEvent) -> bool:
    """proposed | approved -> expired, once its time is over. False: lost."""
    return _move(transaction, fix, "expired", event, fixes.c.expires_at <= to_micros(event.at))


def claim(transaction: Transaction, fix: Fix, after: State, lease: Lease, event: AuditEvent) -> bool:
    """approved -> running, validated | unresolved -> reverting: from now on the lease's owner alone works on it. False: lost.

    The expiry is the plan's for `running`; an undo is decided by a plan of its own and has its own.
    """
    conditions = [fixes.c.plan_digest == fix.plan_digest]
    if after == "running":
        conditions.append(fixes.c.expires_at > to_micros(event.at))
    return _move(transaction, fix, after, event, *conditions, **leases.owner_values(lease))


def renew(transaction: Transaction, fix_id: str, lease: Lease, now: datetime) -> bool:
    """Prolong a lease that is still held. False: it expired; the owner must stop, and the fix becomes `unknown`."""
    is_held = leases.is_held(fixes, lease.owner, now) & fixes.c.state.in_(sorted(LEASED))
    return leases.renew(transaction, fixes, lease.until, (fixes.c.id == fix_id) & is_held) == 1


def settle(transaction: Transaction, fix: Fix, after: State, owner: str, outcome: str, event: AuditEvent) -> bool:
    """running | reverting -> how it ended, or approved again, by its owner alone; frees the host. False: no longer the owner's."""
    return _move(transaction, fix, after, event, fixes.c.owner == owner, outcome=outcome, **leases.ENDED)


def lose(transaction: Transaction, fix: Fix, event: AuditEvent) -> bool:
    """running | reverting -> unknown, only when the lease expired. The host stays locked. False: it did not expire."""
    return _move(transaction, fix, "unknown", event, leases.is_over(fixes, event.at), **leases.ENDED)


def resolve(transaction: Transaction, fix: Fix, after: State, outcome: str, event: AuditEvent) -> bool:
    """unknown -> what the helper's journal and fresh facts say; frees the host. False: somebody resolved it before."""
    return fix.state == "unknown" and _move(transaction, fix, after, event, outcome=outcome)


def add_vote(transaction: Transaction, fix_id: str, vote: Vote) -> bool:
    """Record a person's vote. False: that person voted before."""
    row = {"fix_id": fix_id, "person": vote.person, "account": vote.account, "is_yes": vote.is_yes}
    rest = {"plan_digest": vote.plan_digest, "at": to_micros(vote.at), "break_glass": vote.break_glass}
    rest["seal"] = transaction.row_key.seal(*_vote_members(fix_id, vote))
    statement = transaction.insert(votes).values(**row, **rest).on_conflict_do_nothing()
    return transaction.connection.execute(statement.returning(votes.c.person)).first() is not None


def votes_of(transaction: Transaction, fix_id: str) -> tuple[Vote, ...]:
    """The votes on a fix, in the order they came."""
    rows = transaction.connection.execute(select(votes).where(votes.c.fix_id == fix_id).order_by(votes.c.at))
    return tuple(_vote(transaction, row) for row in rows)


def votes_by_fix(transaction: Transaction) -> dict[str, list[Vote]]:
    """Every vote there is, by the id of its fix."""
    found: dict[str, list[Vote]] = {}
    for row in transaction.connection.execute(select(votes).order_by(votes.c.fix_id, votes.c.at)):
        found.setdefault(row.fix_id, []).append(_vote(transaction, row))
    return found


def outlines(transaction: Transaction) -> Iterator[FixOutline]:
    """Every fix there is, without its plan."""
    statement = select(fixes.c.id, fixes.c.state, fixes.c.plan_digest, fixes.c.requester).order_by(fixes.c.id)
    yield from (FixOutline(*row) for row in transaction.connection.execute(statement.execution_options(yield_per=1000)))


def take_lock(transaction: Transaction, lock: HostLock) -> HostLock | None:
    """Lock a host for a fix; the lock that stands in the way, or None when it was taken."""
    values = {name: getattr(lock, name) for name in ("lock", "host", "fix_id", "reason", "person")}
    taken = transaction.insert(host_locks).values(**values, taken_at=to_micros(lock.taken_at)).on_conflict_do_nothing()
    if transaction.connection.execute(taken.returning(host_locks.c.lock)).first() is not None:
        return None
    return read_lock(transaction, host_locks.c.lock == lock.lock)


def locks(transaction: Transaction) -> list[HostLock]:
    """Every host lock, oldest first."""
    rows = transaction.connection.execute(select(host_locks).order_by(host_locks.c.taken_at))
    return [_lock(row) for row in rows]


def lock_of_host(transaction: Transaction, host: str) -> HostLock | None:
    """The lock of a host, by the host's name."""
    return read_lock(transaction, host_locks.c.host == _as_text(host))


def break_lock(transaction: Transaction, lock: HostLock, event: AuditEvent) -> bool:
    """Remove a lock by hand, with its audit row. False: it is another's by now, or gone."""
    where = (host_locks.c.lock == lock.lock) & (host_locks.c.fix_id == lock.fix_id)
    if transaction.connection.execute(delete(host_locks).where(where)).rowcount != 1:
        return False
    audit_rows.append(transaction, event)
    return True


def read_lock(transaction: Transaction, where: ColumnElement[bool]) -> HostLock | None:
    """The first lock that fits."""
    row = transaction.connection.execute(select(host_locks).where(where).limit(1)).one_or_none()
    return None if row is None else _lock(row)


def open_count(transaction: Transaction, requester: str) -> int:
    """How many of a person's plans wait or are approved."""
    where = (fixes.c.requester == requester) & fixes.c.state.in_(sorted(OPEN))
    return len(transaction.connection.execute(select(fixes.c.id).where(where)).all())


def _move(
    transaction: Transaction, fix: Fix, after: State, event: AuditEvent, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    """The one statement that changes a state: only from the state `fix` was read in, and only along the table."""
    if not is_legal(fix.state, after):
        raise TrustError(f"{fix.id}: no move leads from {fix.state} to {after}", reason="illegal_move")
    changed: Mapping[str, Any] = {"state": after, "updated_at": to_micros(event.at), **values}
    statement = update(fixes).where(fixes.c.id == fix.id, fixes.c.state == fix.state, *conditions).values(changed)
    if transaction.connection.execute(statement).rowcount != 1:
        return False
    if (after in SETTLED and fix.state not in SETTLED) or (fix.state, after) == ("running", "approved"):
        _free(transaction, fix)
    moved = {"host": fix.host, "fix": fix.id, "before": fix.state, "after": after, "by": event.person or event.channel}
    transaction.after_commit(partial(log_event, "fix.moved", **moved))
    audit_rows.append(transaction, event)  # last: it holds the log's lock, and everybody takes that one last
    return True


def _as_text(sought: str) -> str:
    """Return text that every database takes for text: what is sought came from anybody."""
    return sought.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _free(transaction: Transaction, fix: Fix) -> None:
    where = (host_locks.c.lock == fix.lock) & (host_locks.c.fix_id == fix.id)
    transaction.connection.execute(delete(host_locks).where(where))


def _vote(transaction: Transaction, row: Row[Any]) -> Vote:
    vote = Vote(row.person, row.account, bool(row.is_yes), row.plan_digest, from_micros(row.at), row.break_glass)
    is_genuine = transaction.row_key.is_seal(row.seal, *_vote_members(row.fix_id, vote))
    return replace(vote, is_genuine=is_genuine, is_of_old=not row.seal)


def _vote_members(fix_id: str, vote: Vote) -> tuple[str, ...]:
    """All that a vote says, and on which fix; every one of them text."""
    said = "yes" if vote.is_yes else "no"
    return "vote", fix_id, vote.person, vote.account, said, vote.plan_digest, str(to_micros(vote.at)), vote.break_glass


def _fix(row: Row[Any]) -> Fix:
    values = dict(row._mapping)
    for name in ("created_at", "updated_at", "expires_at"):
        values[name] = from_micros(values[name])
    values["lease_until"] = from_micros(values["lease_until"]) if values["lease_until"] else None
    return Fix(**{**values, "content": values["content"].encode("utf-8", "surrogatepass")})


def _lock(row: Row[Any]) -> HostLock:
    return HostLock(row.lock, row.host, row.fix_id, row.reason, row.person, from_micros(row.taken_at))
