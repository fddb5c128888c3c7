"""Audit rows, the head of their tree and the checkpoints made of it.

The index of a row comes from the one `tree_head` row, which is locked, read, and updated last in the transaction: two
writers never get the same index, and a row never stands without the head that counts it.
"""

import sys
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import bindparam, insert, select, update
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.anchors import sample
from triagebook.tools.audit.event import (
    MAX_WORD,
    AuditEvent,
    Head,
    LogRow,
    SearchColumns,
    as_recorded,
    columns_of,
    decode,
    is_copy,
    leaf_of,
    search_text,
)
from triagebook.tools.audit.merkle import Edge, GrowingEdge, decode_edge, leaf_hash
from triagebook.tools.audit.seal import has_seal
from triagebook.tools.store.database import Transaction, insert_of
from triagebook.tools.store.schema import audit, checkpoints, signed_head, tree_head
from triagebook.tools.store.triggers import suspend_append_only
from triagebook.tools.times import to_micros

PAGE = 1000
HASHES = 50_000  # leaf hashes read at once
MAX_INDEX = 2**63 - 1
# Built once: SQLAlchemy spends more on building a statement than SQLite on running it.
_HEAD = select(tree_head.c.size, tree_head.c.edge, tree_head.c.last_leaf)
_LOCKED_HEAD = _HEAD.with_for_update()
_INSERT = insert(audit)
_PAGE = select(audit).where(audit.c.idx >= bindparam("start"), audit.c.idx < bindparam("stop")).order_by(audit.c.idx).limit(PAGE)
_SET_HEAD = update(tree_head).where(tree_head.c.id == 1)


def append(transaction: Transaction, event: AuditEvent) -> int:
    """Append one event; its index. Call it last in a transaction: it holds the log's lock until the commit."""
    head = read_head(transaction, for_update=True)
    recorded = as_recorded(event)
    leaf = leaf_of(recorded, head.edge.size, head.last_leaf, transaction.row_key)
    hashed = leaf_hash(leaf)
    edge = head.edge.append(hashed)
    row = {"idx": head.edge.size, "leaf": leaf.decode(), "leaf_hash": hashed, **_columns(columns_of(recorded))}
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
        given = {"start": start, "stop": MAX_INDEX if stop is None else stop}
        page = transaction.connection.execute(_PAGE, given).all()
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


def events_of_fix(transaction: Transaction, fix_id: str) -> list[AuditEvent]:
    """What the log says of a fix, in order, from its first row on, which is sought by its column.

    Every row from there to the newest is looked at, not only what the column shows: each must follow the one before it and
    have this server's seal, so that none of them can have been hidden or taken out. TrustError `audit_broken` otherwise.
    """
    where = audit.c.fix == search_text(fix_id, MAX_WORD)
    first = transaction.connection.execute(select(audit.c.idx).where(where).order_by(audit.c.idx).limit(1)).scalar()
    found, expected, previous = [], first, ""
    for row in rows(transaction, first) if first is not None else ():
        is_next = row.index == expected and (not previous or f'"previous":"{previous}"'.encode() in row.leaf)
        if not is_next or not transaction.row_key.is_sealed(row.leaf):
            if not previous and not has_seal(row.leaf):
                return []  # of a release before seals: nothing counts that began then
            message = f"audit log: row {expected} is not the one that was written; see `triagebook audit verify`"
            raise TrustError(message, reason="audit_broken")
        expected, previous = row.index + 1, leaf_hash(row.leaf).hex()
        if fix_id.encode() in row.leaf and (event := decode(row.leaf)[0]).fix == fix_id:
            found.append(event)
    if first is not None and expected != read_head(transaction).edge.size:
        raise TrustError("audit log: its newest rows are gone; see `triagebook audit verify`", reason="audit_broken")
    return found


def leaf_hashes(transaction: Transaction, start: int, stop: int) -> list[bytes]:
    """Stored leaf hashes with start <= index < stop, in order."""
    where = (audit.c.idx >= start) & (audit.c.idx < stop)
    statement = select(audit.c.leaf_hash).where(where).order_by(audit.c.idx)
    return [bytes(value) for value in transaction.connection.execute(statement).scalars()]


def add_checkpoint(transaction: Transaction, size: int, note: str, now: datetime) -> None:
    """Keep a signed checkpoint for good; one of the same size stays as it is."""
    statement = transaction.insert(checkpoints).values(size=size, note=note, at=to_micros(now))
    transaction.connection.execute(statement.on_conflict_do_nothing())


def set_signed_head(transaction: Transaction, edge: Edge, note: str, now: datetime) -> None:
    """Keep the newest checkpoint and the edge of its tree, unless another server kept a newer one."""
    values = {"id": 1, "size": edge.size, "edge": edge.encode(), "note": note, "at": to_micros(now)}
    transaction.connection.execute(_set_signed_head(transaction.connection.dialect.name), values)


@cache
def _set_signed_head(dialect: str) -> Any:
    given = insert_of(dialect, signed_head)
    kept = {name: given.excluded[name] for name in ("size", "edge", "note", "at")}
    return given.on_conflict_do_update(index_elements=["id"], set_=kept, where=signed_head.c.size < given.excluded.size)


def checkpoint_notes(transaction: Transaction, most: int = sys.maxsize) -> list[str]:
    """The checkpoints kept, smallest first; at most about so many, evenly spread, the newest among them."""
    statement = select(checkpoints.c.note).order_by(checkpoints.c.size).execution_options(yield_per=PAGE)
    kept = sample(transaction.connection.execute(statement).scalars(), most)
    newest = transaction.connection.execute(select(signed_head.c.note)).scalar()
    return kept if not newest or newest in kept[-1:] else [*kept, newest]


def read_signed_head(transaction: Transaction) -> tuple[Edge, str] | None:
    """The newest checkpoint's edge and note as they were kept; the caller compares the roots. None: they are not there."""
    row = transaction.connection.execute(select(signed_head.c.size, signed_head.c.edge, signed_head.c.note)).one_or_none()
    try:
        return (decode_edge(row.size, bytes(row.edge)), row.note) if row is not None else None
    except ValueError:
        return None


def stored_edge(transaction: Transaction, size: int) -> Edge:
    """The edge of the tree over the first `size` stored leaf hashes."""
    grown = GrowingEdge(Edge())
    for start in range(0, size, HASHES):
        for hashed in leaf_hashes(transaction, start, min(size, start + HASHES)):
            grown.append(hashed)
    return grown.edge()


def repair_columns(transaction: Transaction) -> list[int]:
    """Write the search columns that differ from their leaf anew; the indexes of their rows. The leaves are not touched.

    Take it early in a transaction: it locks the log, and then the table's trigger is put aside for as long as it lasts.
    """
    read_head(transaction, for_update=True)
    repaired = []
    with suspend_append_only(transaction.connection):
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
    index, leaf, hashed, *copies = tuple(item)  # in the order of the table: three times as fast as by name
    return LogRow(index, leaf.encode("utf-8", "surrogatepass"), bytes(hashed), SearchColumns(*copies))
