"""Audit rows, the head of their tree and the checkpoints made of it.

The index of a row comes from the one `tree_head` row, which is locked, read, and updated last in the transaction: two
writers never get the same index, and a row never stands without the head that counts it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import insert, select, update
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.event import (
    MAX_WORD,
    AuditEvent,
    Head,
    LogRow,
    SearchColumns,
    columns_of,
    decode,
    encode,
    is_copy,
    search_text,
)
from triagebook.tools.audit.merkle import decode_edge, leaf_hash
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.schema import audit, checkpoints, tree_head
from triagebook.tools.store.triggers import append_only_suspended
from triagebook.tools.times import to_micros

PAGE = 1000
# Built once: SQLAlchemy spends more on building a statement than SQLite on running it.
_HEAD = select(tree_head.c.size, tree_head.c.edge, tree_head.c.last_leaf)
_LOCKED_HEAD = _HEAD.with_for_update()
_INSERT = insert(audit)
_SET_HEAD = update(tree_head).where(tree_head.c.id == 1)


def append(transaction: Transaction, event: AuditEvent) -> int:
    """Append one event; its index. Call it last in a transaction: it holds the log's lock until the commit."""
    head = read_head(transaction, for_update=True)
    leaf = encode(event, head.edge.size, head.last_leaf)
    hashed = leaf_hash(leaf)
    edge = head.edge.append(hashed)
    row = {"idx": head.edge.size, "leaf": leaf.decode(), "leaf_hash": hashed, **_columns(columns_of(decode(leaf)[0]))}
    transaction.connection.execute(_INSERT, row)
    transaction.connection.execute(_SET_HEAD, {"size": edge.size, "edge": edge.encode(), "last_leaf": hashed})
    return head.edge.size


def read_head(transaction: Transaction, *, for_update: bool = False) -> Head:
    """The head of the tree. TrustError when its row is missing or does not fit itself."""
    row = transaction.connection.execute(_LOCKED_HEAD if for_update else _HEAD).one_or_none()
    if row is None:
        raise TrustError("audit: the tree_head row is gone", reason="audit_broken")
    try:
        return Head(decode_edge(row.size, bytes(row.edge)), bytes(row.last_leaf))
    except ValueError as error:
        raise TrustError(f"audit: tree_head: {error}", reason="audit_broken") from None


def rows(transaction: Transaction, start: int = 0, stop: int | None = None) -> Iterator[LogRow]:
    """Rows with start <= index < stop in order, a page at a time."""
    while stop is None or start < stop:
        statement = select(audit).where(audit.c.idx >= start).order_by(audit.c.idx).limit(PAGE)
        page = transaction.connection.execute(statement if stop is None else statement.where(audit.c.idx < stop)).all()
        yield from (_row(item) for item in page)
        if len(page) < PAGE:
            return
        start = page[-1].idx + 1


def newest_rows(
    transaction: Transaction, limit: int, *, fix: str = "", host: str = "", person: str = "", action: str = ""
) -> list[LogRow]:
    """The newest rows first, of one fix, host, person or action where given."""
    statement = select(audit).order_by(audit.c.idx.desc()).limit(limit)
    wanted = ((audit.c.host, search_text(host)), (audit.c.person, search_text(person)))
    words = ((audit.c.fix, search_text(fix, MAX_WORD)), (audit.c.action, search_text(action, MAX_WORD)))
    for column, value in (*wanted, *words):
        statement = statement.where(column == value) if value else statement
    return [_row(item) for item in transaction.connection.execute(statement)]


def leaf_hashes(transaction: Transaction, start: int, stop: int) -> list[bytes]:
    """Stored leaf hashes with start <= index < stop, in order."""
    where = (audit.c.idx >= start) & (audit.c.idx < stop)
    statement = select(audit.c.leaf_hash).where(where).order_by(audit.c.idx)
    return [bytes(value) for value in transaction.connection.execute(statement).scalars()]


def add_checkpoint(transaction: Transaction, size: int, note: str, now: datetime) -> None:
    """Keep a signed checkpoint; one of the same size stays as it is."""
    statement = transaction.insert(checkpoints).values(size=size, note=note, at=to_micros(now))
    transaction.connection.execute(statement.on_conflict_do_nothing())


def checkpoint_notes(transaction: Transaction) -> list[str]:
    """Every checkpoint kept, smallest first."""
    return list(transaction.connection.execute(select(checkpoints.c.note).order_by(checkpoints.c.size)).scalars())


def repair_columns(transaction: Transaction) -> list[int]:
    """Write the search columns that differ from their leaf anew; the indexes of their rows. The leaves are not touched.

    Take it early in a transaction: it locks the log, and then the table's trigger is put aside for as long as it lasts.
    """
    read_head(transaction, for_update=True)
    repaired = []
    with append_only_suspended(transaction.connection):
        for row in rows(transaction):
            try:
                event = decode(row.leaf)[0]
            except TrustError:
                continue
            if row.copies and not is_copy(row.copies, event):
                statement = update(audit).where(audit.c.idx == row.index).values(**_columns(columns_of(event)))
                transaction.connection.execute(statement)
                repaired.append(row.index)
    return repaired


def _columns(copies: SearchColumns) -> dict[str, Any]:
    names = {"action": copies.action, "host": copies.host, "fix": copies.fix, "person": copies.person}
    return {"at": copies.at_micros, **names}


def _row(item: SqlRow[Any]) -> LogRow:
    copies = SearchColumns(item.at, item.action, item.host, item.fix, item.person)
    return LogRow(item.idx, item.leaf.encode("utf-8", "surrogatepass"), bytes(item.leaf_hash), copies)
