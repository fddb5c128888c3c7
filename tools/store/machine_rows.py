"""Machines by the inventory name they have: what each showed of itself when it was first seen, or when a person bound it anew."""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, false, or_, select, update
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.schema import machines
from triagebook.tools.times import from_micros, to_micros


@dataclass(frozen=True)
class Machine:
    """Tells a machine by its host key, which it proved to have; target id and machine id are what it says of itself.

    An empty member was not seen yet.
    """

    host: str
    host_key: str
    machine_id: str
    target_id: str
    seen_at: datetime


def read(transaction: Transaction, host: str) -> Machine | None:
    """The machine that a name is bound to; None if the server never saw it."""
    row = transaction.connection.execute(select(machines).where(machines.c.host == host)).one_or_none()
    return None if row is None else Machine(row.host, row.host_key, row.machine_id, row.target_id, from_micros(row.seen_at))


def add(transaction: Transaction, machine: Machine) -> None:
    """Bind a name that is not bound; what another replica bound first stays."""
    values = {name: getattr(machine, name) for name in ("host", "host_key", "machine_id", "target_id")}
    transaction.connection.execute(
        transaction.insert(machines).values(**values, seen_at=to_micros(machine.seen_at)).on_conflict_do_nothing()
    )


def complete(transaction: Transaction, host: str, **values: str) -> None:
    """Fill in what was not seen of a machine before."""
    transaction.connection.execute(update(machines).where(machines.c.host == host).values(values))


def bind(transaction: Transaction, machine: Machine, event: AuditEvent) -> None:
    """Bind a name to another machine than before, with the audit row of who did so."""
    transaction.connection.execute(delete(machines).where(machines.c.host == machine.host))
    add(transaction, machine)
    audit_rows.append(transaction, event)


def names_of(transaction: Transaction, machine: Machine) -> list[str]:
    """Every name under which this machine was seen: by the same host key or the same target id.

    The same machine id alone is no proof: machines cloned from one snapshot share it, and each has its own host key.
    """
    columns = ((machines.c.host_key, machine.host_key), (machines.c.target_id, machine.target_id))
    same: list[ColumnElement[bool]] = [column == value for column, value in columns if value]
    rows = transaction.connection.execute(select(machines.c.host).where(or_(false(), *same)).order_by(machines.c.host))
    return [row.host for row in rows]
