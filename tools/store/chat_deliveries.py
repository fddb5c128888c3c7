"""Deliveries of a chat service, each worked on once: the first insert of a key wins, on every replica and after a restart."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store.chat_schema import deliveries
from triagebook.tools.store.database import Store, Transaction
from triagebook.tools.times import to_micros

KEPT = timedelta(minutes=10)  # a chat service repeats what was not acknowledged for some minutes
MOST_TRIES = 3
BATCH = 50
FILE = "deliveries.db"


@dataclass(frozen=True)
class Stored:
    """A delivery as it was kept: what it is called, of which kind, and its body as JSON."""

    key: str
    kind: str
    body: str


def store_of(store: Store) -> Store:
    """Where deliveries are kept: on SQLite a file of their own, since an acknowledgement must not wait for whoever writes else."""
    return store.beside(FILE, deliveries)


def add(transaction: Transaction, items: Sequence[Stored], owner: str, now: datetime, lease: timedelta) -> frozenset[str]:
    """Keep those that were never seen, as this owner's to work on; their keys. The others are repetitions."""
    taken = {"received_at": to_micros(now), "owner": owner, "lease_until": to_micros(now + lease), "tries": 1, "done_at": 0}
    values = [{"key": item.key, "kind": item.kind, "body": item.body, **taken} for item in sorted(items, key=lambda one: one.key)]
    statement = transaction.insert(deliveries).values(values).on_conflict_do_nothing().returning(deliveries.c.key)
    return frozenset(transaction.connection.execute(statement).scalars())


def finish(transaction: Transaction, key: str, owner: str, now: datetime) -> bool:
    """It is done. False: the lease had run out and it is another's."""
    where = (deliveries.c.key == key) & (deliveries.c.owner == owner) & (deliveries.c.done_at == 0)
    statement = update(deliveries).where(where).values(done_at=to_micros(now), body="")
    return transaction.connection.execute(statement).rowcount == 1


def renew(transaction: Transaction, keys: Sequence[str], owner: str, now: datetime, lease: timedelta) -> None:
    """Prolong the leases of what this owner works on."""
    where = deliveries.c.key.in_(keys) & (deliveries.c.owner == owner) & (deliveries.c.done_at == 0)
    transaction.connection.execute(update(deliveries).where(where).values(lease_until=to_micros(now + lease)))


def release(transaction: Transaction, owner: str, now: datetime, but: Sequence[str] = ()) -> None:
    """Let another take over at once what this owner has not begun. It is not a try."""
    where = (deliveries.c.owner == owner) & (deliveries.c.done_at == 0) & deliveries.c.key.not_in(but)
    values = {"lease_until": to_micros(now), "tries": deliveries.c.tries - 1}
    transaction.connection.execute(update(deliveries).where(where).values(values))


def take_over(transaction: Transaction, owner: str, now: datetime, lease: timedelta) -> list[Stored]:
    """What nobody works on any more, now this owner's. After some tries it stays undone: it may be what kills the workers."""
    is_free = (deliveries.c.done_at == 0) & (deliveries.c.lease_until <= to_micros(now)) & (deliveries.c.tries < MOST_TRIES)
    keys = list(transaction.connection.execute(select(deliveries.c.key).where(is_free).limit(BATCH)).scalars())
    if not keys:
        return []
    values = {"owner": owner, "lease_until": to_micros(now + lease), "tries": deliveries.c.tries + 1}
    statement = update(deliveries).where(deliveries.c.key.in_(keys), is_free).values(values)
    rows = transaction.connection.execute(statement.returning(deliveries.c.key, deliveries.c.kind, deliveries.c.body))
    return [Stored(row.key, row.kind, row.body) for row in rows]


def forget(transaction: Transaction, now: datetime) -> None:
    """Drop what is older than any repetition."""
    transaction.connection.execute(delete(deliveries).where(deliveries.c.received_at < to_micros(now - KEPT)))
