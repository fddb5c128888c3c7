"""Refusals: the first of a kind by one actor is an audit row, its repetitions within a window are only counted.

When the window is over, one more row says how many there were. So nobody can drown the log, and nothing is hidden.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, true, update
from triagebook.tools.audit.event import MAX_WORD, AuditEvent, as_recorded, column_text
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.schema import refusals
from triagebook.tools.times import from_micros, rfc3339, to_micros

WINDOW = timedelta(minutes=10)
MAX_ACCOUNT = 512


def record(transaction: Transaction, event: AuditEvent) -> None:
    """Append the refusal, or count it when the same actor was refused the same within the window.

    What is counted beside the log says no more than the log: the event as it is recorded, cut to what the columns hold.
    """
    told = as_recorded(event)
    values = {"account": column_text(told.account, MAX_ACCOUNT)}
    values |= {name: column_text(getattr(told, name), MAX_WORD) for name in ("action", "reason", "fix")}
    key = and_(*(refusals.c[name] == value for name, value in values.items()))
    now = to_micros(event.at)
    is_within = refusals.c.first_at > to_micros(event.at - WINDOW)
    counted = update(refusals).where(key, is_within).values(repeats=refusals.c.repeats + 1, last_at=now)
    if transaction.connection.execute(counted).rowcount == 1:
        return
    over = _take_over(transaction, event.at, key)
    who = {"person": column_text(told.person), "host": column_text(told.host)}
    first = transaction.insert(refusals).values(**values, **who, first_at=now, last_at=now, repeats=0)
    inserted = first.on_conflict_do_nothing().returning(refusals.c.account)
    is_first = transaction.connection.execute(inserted).first() is not None
    if not is_first:  # another replica was refused the same at this moment
        transaction.connection.execute(counted)
    for summary in (*over, event) if is_first else over:
        audit_rows.append(transaction, summary)


def close_windows(transaction: Transaction, now: datetime) -> None:
    """Append the count of every window that is over."""
    for summary in _take_over(transaction, now, true()):
        audit_rows.append(transaction, summary)


def _take_over(transaction: Transaction, now: datetime, where: ColumnElement[bool]) -> list[AuditEvent]:
    """Remove the windows that are over; what there is to say about them."""
    is_over = refusals.c.first_at <= to_micros(now - WINDOW)
    rows = transaction.connection.execute(delete(refusals).where(is_over, where).returning(*refusals.c)).all()
    return [_summary(row, now) for row in rows if row.repeats]


def _summary(row: Row[Any], now: datetime) -> AuditEvent:
    return AuditEvent(
        at=now,
        action=row.action,
        outcome="refused",
        reason=row.reason,
        account=row.account,
        person=row.person,
        host=row.host,
        fix=row.fix,
        detail={
            "repeated": str(row.repeats),
            "from": rfc3339(from_micros(row.first_at)),
            "to": rfc3339(from_micros(row.last_at)),
        },
    )
