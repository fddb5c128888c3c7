"""Stores the messages of a chat face: the wanted content of each, which a sender brings to the chat service.

A message is changed by storing what it should say; who sends it, when, and after how many failures is another matter. So
a chat service that is away loses nothing.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, delete, func, select, update
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store import leases
from triagebook.tools.store.chat_schema import messages
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import OPEN
from triagebook.tools.store.leases import Lease, Micros
from triagebook.tools.store.schema import fixes, votes
from triagebook.tools.times import to_micros

BATCH = 50


@dataclass(frozen=True)
class Message:
    """A message, posted (`ts`) or not."""

    id: str
    kind: str
    subject: str
    channel: str
    content: Mapping[str, Any]
    parent: str = ""
    thread_ts: str = ""
    ts: str = ""
    mark: str = ""
    wanted: int = 1
    shown: int = 0
    tries: int = 0
    problem: str = ""
    is_doubtful: bool = False  # perhaps the service shows it: who was at it died, or its answer never came


def new_id() -> str:
    """An id nobody can guess."""
    return secrets.token_hex(12)


def add(transaction: Transaction, message: Message, now: datetime) -> bool:
    """Keep a message that is to be posted, or one that was (with its `ts`). False: its id is there already."""
    names = ("id", "kind", "subject", "channel", "parent", "thread_ts", "ts", "mark", "wanted", "shown", "tries")
    values = {name: getattr(message, name) for name in names} | {"content": json.dumps(message.content)}
    values |= {"next_at": to_micros(now), "created_at": to_micros(now), "problem": "", "owner": "", **leases.ENDED}
    statement = transaction.insert(messages).values(values)
    made = statement.on_conflict_do_nothing().returning(messages.c.id)
    return transaction.connection.execute(made).first() is not None


def set_desired(
    transaction: Transaction, message_id: str, content: Mapping[str, Any], *, mark: str = "", before: str | None = None
) -> bool:
    """Set what the message should say; with `before`, only if its mark equals it (compare-and-set). False: it did not."""
    where = messages.c.id == message_id
    where = where & (messages.c.mark == before) if before is not None else where
    values = {"content": json.dumps(content), "mark": mark, "wanted": messages.c.wanted + 1, "next_at": 0, "tries": 0}
    return transaction.connection.execute(update(messages).where(where).values(values)).rowcount == 1


def read(transaction: Transaction, message_id: str, *, for_update: bool = False) -> Message | None:
    """A message by its id. `for_update` makes other writers of it wait until this transaction ends."""
    return _one(transaction, messages.c.id == message_id, for_update=for_update)


def at(transaction: Transaction, channel: str, ts: str) -> Message | None:
    """The message at a place of the chat service."""
    return _one(transaction, (messages.c.channel == channel) & (messages.c.ts == ts))


def newest_of(transaction: Transaction, channel: str, kind: str, since: datetime) -> Message | None:
    """The newest message of a kind in a channel, made since then."""
    where = (messages.c.channel == channel) & (messages.c.kind == kind) & (messages.c.created_at > to_micros(since))
    row = transaction.connection.execute(select(messages).where(where).order_by(messages.c.created_at.desc()).limit(1)).first()
    return None if row is None else _message(row)


def behind(transaction: Transaction, kind: str, now: datetime) -> list[tuple[Message, str]]:
    """Messages about fixes that show another state than the database has, each with the mark it should have.

    The mark is state, number of votes, time of the last change: whatever moves a fix changes one of them.
    """
    count = select(func.count()).select_from(votes).where(votes.c.fix_id == fixes.c.id).scalar_subquery()
    statement = select(*messages.c, fixes.c.state, fixes.c.updated_at, count.label("votes")).join(
        fixes, messages.c.subject == fixes.c.id
    )
    since = to_micros(now - timedelta(days=2))
    statement = statement.where(messages.c.kind == kind, (fixes.c.updated_at > since) | (messages.c.created_at > since))
    found = []
    for row in transaction.connection.execute(statement):
        mark = mark_of(row.state, row.votes, row.updated_at)
        if mark != row.mark:
            found.append((_message(row), mark))
    return found


def without_card(transaction: Transaction, kind: str, channel: str, limit: int = BATCH) -> list[str]:
    """Open fixes that no message of this kind in that channel, outside threads, is about, by their ids."""
    is_card = (messages.c.kind == kind) & (messages.c.channel == channel) & (messages.c.parent == "")
    has_card = select(messages.c.id).where(is_card, messages.c.subject == fixes.c.id).exists()
    statement = select(fixes.c.id).where(fixes.c.state.in_(sorted(OPEN)), ~has_card).order_by(fixes.c.created_at).limit(limit)
    return list(transaction.connection.execute(statement).scalars())


def mark_for(transaction: Transaction, fix_id: str) -> str:
    """The mark of what the database says of a fix; read before what is shown, so that a later move is noticed."""
    count = select(func.count()).select_from(votes).where(votes.c.fix_id == fixes.c.id).scalar_subquery()
    row = transaction.connection.execute(
        select(fixes.c.state, count.label("votes"), fixes.c.updated_at).where(fixes.c.id == fix_id)
    ).one()
    return mark_of(row.state, row.votes, row.updated_at)


def mark_of(state: str, vote_count: int, updated_at_micros: int) -> str:
    """What a message shows of a fix."""
    return f"{state}/{vote_count}/{updated_at_micros}"


def claim(transaction: Transaction, lease: Lease, now: datetime) -> list[Message]:
    """Take the messages that are to be sent. One in a thread waits until its parent is posted.

    A sender gives its lease up when it is done with a message; one that expired says that its sender died.
    """
    due = _is_behind(now) & leases.is_over(messages, now)
    wanted = select(messages.c.id, messages.c.lease_until).where(due, _has_place()).order_by(messages.c.created_at).limit(BATCH)
    left = {row.id: row.lease_until > 0 for row in transaction.connection.execute(wanted)}
    if not left:
        return []
    rows = leases.claim(transaction, messages, lease, now, messages.c.id.in_(left) & _is_behind(now))
    return [replace(_message(row), is_doubtful=left[row.id]) for row in sorted(rows, key=lambda row: row.created_at)]


def renew(transaction: Transaction, batch: Sequence[Message], lease: Lease, now: datetime) -> int:
    """Prolong the leases that this sender still has among these messages; returns how many."""
    is_ours = messages.c.id.in_([message.id for message in batch]) & leases.is_held(messages, lease.owner, now)
    return leases.renew(transaction, messages, lease.until, is_ours)


def release(transaction: Transaction, batch: Sequence[Message]) -> None:
    """Give the claim up unsent: any sender may have it. A doubtful message stays doubtful."""
    for is_doubtful in (False, True):
        ids = [message.id for message in batch if message.is_doubtful is is_doubtful]
        transaction.connection.execute(
            update(messages).where(messages.c.id.in_(ids)).values(**_free_values(is_doubtful=is_doubtful))
        )


def is_due(transaction: Transaction, now: datetime) -> bool:
    """Whether there is anything to send. It writes nothing."""
    return transaction.connection.execute(_due(), {"now": to_micros(now)}).first() is not None


@cache
def _due() -> Select[tuple[str]]:
    """Built once: it is asked several times a second."""
    now = bindparam("now", type_=BigInteger())
    return select(messages.c.id).where(_is_behind_at(now) & leases.is_over_at(messages, now), _has_place()).limit(1)


def age(transaction: Transaction, message: Message, now: datetime) -> timedelta:
    """How long it has been waiting since it was made."""
    made = transaction.connection.execute(select(messages.c.created_at).where(messages.c.id == message.id)).scalar_one()
    return timedelta(microseconds=to_micros(now) - made)


def mark_sent(transaction: Transaction, message: Message, ts: str) -> None:
    """Record that the service shows this version, and where."""
    statement = update(messages).where(messages.c.id == message.id)
    transaction.connection.execute(statement.values(ts=ts, shown=message.wanted, tries=0, **leases.ENDED))


def mark_retry(transaction: Transaction, message: Message, next_at: datetime, *, is_doubtful: bool = False) -> None:
    """Record that it could not be sent now; doubtful: nobody can say whether it was."""
    values = {"next_at": to_micros(next_at), "tries": messages.c.tries + 1, **_free_values(is_doubtful=is_doubtful)}
    transaction.connection.execute(update(messages).where(messages.c.id == message.id).values(values))


def mark_failed(transaction: Transaction, message: Message, problem: str) -> None:
    """Record that the service will not take it, now or later."""
    statement = update(messages).where(messages.c.id == message.id).values(problem=problem[:300], **leases.ENDED)
    transaction.connection.execute(statement)


def thread_of(transaction: Transaction, message: Message) -> str:
    """The thread it is posted to; empty: none."""
    parent = read(transaction, message.parent) if message.parent else None
    if parent is None:
        return message.thread_ts
    return parent.thread_ts or parent.ts


def forget(transaction: Transaction, before: datetime) -> None:
    """Drop messages made before then."""
    transaction.connection.execute(delete(messages).where(messages.c.created_at < to_micros(before)))


def _is_behind(now: datetime) -> ColumnElement[bool]:
    return _is_behind_at(to_micros(now))


def _is_behind_at(micros: Micros) -> ColumnElement[bool]:
    is_behind = (messages.c.shown < messages.c.wanted) & (messages.c.problem == "")
    return is_behind & (messages.c.next_at <= micros)


def _free_values(*, is_doubtful: bool) -> Mapping[str, int]:
    return leases.IN_DOUBT if is_doubtful else leases.ENDED


def _has_place() -> ColumnElement[bool]:
    """In a channel, or below a message that is posted."""
    parent = messages.alias()
    return (messages.c.parent == "") | select(parent.c.id).where(parent.c.id == messages.c.parent, parent.c.ts != "").exists()


def _one(transaction: Transaction, where: ColumnElement[bool], *, for_update: bool = False) -> Message | None:
    statement = select(messages).where(where).limit(1)
    row = transaction.connection.execute(statement.with_for_update() if for_update else statement).one_or_none()
    return None if row is None else _message(row)


def _message(row: Any) -> Message:
    return Message(
        row.id,
        row.kind,
        row.subject,
        row.channel,
        json.loads(row.content),
        parent=row.parent,
        thread_ts=row.thread_ts,
        ts=row.ts,
        mark=row.mark,
        wanted=row.wanted,
        shown=row.shown,
        tries=row.tries,
        problem=row.problem,
    )
