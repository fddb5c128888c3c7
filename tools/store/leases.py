"""Leases: a row belongs to one owner until a time; if the owner dies, the lease expires and others know. Their SQL is only here.

Jobs and messages whose lease expired are taken over by another owner. A fix never is: it becomes `unknown` (`fix_rows.lose`).
Every table with leases has the columns `owner` and `lease_until`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, Table, update
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.periodic import PeriodicThread
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import to_micros

Micros = int | BindParameter[int]  # a time, or its place in a statement that is built once

ENDED: Mapping[str, int] = {"lease_until": 0}  # given up in order; `owner` stays, as the last one
IN_DOUBT: Mapping[str, int] = {"lease_until": 1}  # free, but nobody can say whether the owner's work was done


@dataclass(frozen=True)
class Lease:
    """The owner of a row, and the time at which its lease expires."""

    owner: str
    until: datetime


def owner_values(lease: Lease) -> dict[str, Any]:
    """The values of a row that belongs to this owner."""
    return {"owner": lease.owner, "lease_until": to_micros(lease.until)}


def is_over(table: Table, now: datetime) -> ColumnElement[bool]:
    """The row belongs to nobody: its lease was given up, or it expired."""
    return is_over_at(table, to_micros(now))


def is_over_at(table: Table, micros: Micros) -> ColumnElement[bool]:
    """The same at a time that is a number of microseconds, or a parameter of a statement that is built once."""
    return table.c.lease_until <= micros


def is_held(table: Table, owner: str, now: datetime) -> ColumnElement[bool]:
    """The row belongs to this owner, whose lease has not expired."""
    return (table.c.owner == owner) & (table.c.lease_until > to_micros(now))


def is_not_taken(table: Table, owner: str) -> ColumnElement[bool]:
    """This owner did not give the row up and nobody took it over, whether or not the lease has expired meanwhile."""
    return (table.c.owner == owner) & (table.c.lease_until > IN_DOUBT["lease_until"])


def claim(
    transaction: Transaction, table: Table, lease: Lease, now: datetime, where: ColumnElement[bool], **values: Any
) -> Sequence[Row[Any]]:
    """Take the rows that belong to nobody; returns those that were taken. Of two owners at once, one gets each row."""
    statement = update(table).where(is_over(table, now), where).values(**owner_values(lease), **values)
    return transaction.connection.execute(statement.returning(*table.c)).all()


def renew(transaction: Transaction, table: Table, until: datetime, where: ColumnElement[bool]) -> int:
    """Prolong the leases of these rows; returns how many. `where` says whose they must be (`is_held`, `is_not_taken`)."""
    statement = update(table).where(where).values(lease_until=to_micros(until))
    return transaction.connection.execute(statement).rowcount


@contextmanager
def hold_lease(renew: Callable[[], bool], length: timedelta) -> Iterator[None]:
    """Renew a lease every third of its length until the block ends, or until `renew` returns False: then it was lost.

    A renewal that fails is logged and tried again; the time in the database decides.
    """

    def step() -> None:
        if not renew():
            thread.end()

    thread = PeriodicThread("lease", step, length.total_seconds() / 3, is_first_late=True)
    thread.start()
    try:
        yield
    finally:
        thread.stop(None)
