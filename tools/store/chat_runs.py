"""Diagnoses that were asked for in a chat: whose, where, what came of them. By these, repeats find the card there is."""

import json
from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, insert, literal, select, update
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store.chat_schema import runs
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import from_micros, to_micros


@dataclass(frozen=True)
class ChatRun:
    """One diagnosis asked for. `message` is its card; `ended_at` None while it is under way."""

    id: str
    person: str
    account: str
    channel: str
    host: str
    runbook: str
    message: str
    started_at: datetime
    cause: str = ""
    status: str = ""
    headline: str = ""
    repeats: int = 0
    ended_at: datetime | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    diagnosis: str = ""  # as JSON, once it ended well


def add(transaction: Transaction, run: ChatRun) -> None:
    """Keep a run that begins."""
    names = (
        "id",
        "person",
        "account",
        "channel",
        "host",
        "runbook",
        "message",
        "cause",
        "status",
        "headline",
        "repeats",
        "diagnosis",
    )
    values: Mapping[str, Any] = {name: getattr(run, name) for name in names} | {"inputs": json.dumps(dict(run.inputs))}
    transaction.connection.execute(insert(runs).values(**values, started_at=to_micros(run.started_at), ended_at=0))


def end(transaction: Transaction, run_id: str, now: datetime, **values: str) -> None:
    """It ended: `cause`, `status`, `headline`, `diagnosis`, `message`."""
    transaction.connection.execute(update(runs).where(runs.c.id == run_id).values(ended_at=to_micros(now), **values))


def count_repeat(transaction: Transaction, run_id: str) -> int:
    """It was found once more; how often by now."""
    statement = update(runs).where(runs.c.id == run_id).values(repeats=runs.c.repeats + 1).returning(runs.c.repeats)
    return int(transaction.connection.execute(statement).scalar_one())


def read(transaction: Transaction, run_id: str) -> ChatRun | None:
    """A run by its id."""
    row = transaction.connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    return None if row is None else _run(row)


def hold(transaction: Transaction, channel: str) -> None:
    """Lock the runs of a channel until the transaction ends, so that two requests at once find the same card."""
    transaction.alone(f"chat_runs/{channel}")


def newest(transaction: Transaction, channel: str, host: str, runbook: str, since: datetime, cause: str = "") -> ChatRun | None:
    """The newest run with a card of its own on that host in that channel; with a cause, the newest that found it."""
    where = (runs.c.channel == channel) & (runs.c.host == host) & (runs.c.runbook == runbook) & (runs.c.message != "")
    where = where & (runs.c.cause == cause) & (runs.c.ended_at > 0) if cause else where
    statement = select(runs).where(where, runs.c.started_at > to_micros(since)).order_by(runs.c.started_at.desc()).limit(1)
    row = transaction.connection.execute(statement).one_or_none()
    return None if row is None else _run(row)


def hosts_since(transaction: Transaction, channel: str, since: datetime) -> frozenset[str]:
    """Hosts that were asked about in a channel since then."""
    where = (runs.c.channel == channel) & (runs.c.started_at > to_micros(since))
    return frozenset(transaction.connection.execute(select(runs.c.host).where(where).distinct()).scalars())


def of_message(transaction: Transaction, message: str) -> list[ChatRun]:
    """The runs that a message shows, oldest first, without their diagnoses: `diagnoses` has those."""
    columns: list[ColumnElement[Any]] = [column for column in runs.c if column is not runs.c.diagnosis]
    whole: Select[Any] = select(*columns, literal("").label("diagnosis"))
    statement = whole.where(runs.c.message == message).order_by(runs.c.started_at)
    return [_run(row) for row in transaction.connection.execute(statement)]


def diagnoses(transaction: Transaction, run_ids: Collection[str]) -> dict[str, str]:
    """The diagnoses of these runs, as JSON, by run; of those that ended well."""
    where = runs.c.id.in_(run_ids) & (runs.c.diagnosis != "")
    return {row.id: row.diagnosis for row in transaction.connection.execute(select(runs.c.id, runs.c.diagnosis).where(where))}


def is_under_way(transaction: Transaction, message: str) -> bool:
    """Whether a run that the message shows has not ended."""
    where = (runs.c.message == message) & (runs.c.ended_at == 0)
    return transaction.connection.execute(select(runs.c.id).where(where).limit(1)).first() is not None


def of_account(transaction: Transaction, account: str, limit: int) -> list[ChatRun]:
    """The newest runs of an account first."""
    statement = select(runs).where(runs.c.account == account).order_by(runs.c.started_at.desc()).limit(limit)
    return [_run(row) for row in transaction.connection.execute(statement)]


def forget(transaction: Transaction, before: datetime) -> None:
    """Drop runs that began before then."""
    transaction.connection.execute(delete(runs).where(runs.c.started_at < to_micros(before)))


def _run(row: Row[Any]) -> ChatRun:
    return ChatRun(
        row.id,
        row.person,
        row.account,
        row.channel,
        row.host,
        row.runbook,
        row.message,
        from_micros(row.started_at),
        cause=row.cause,
        status=row.status,
        headline=row.headline,
        repeats=row.repeats,
        ended_at=from_micros(row.ended_at) if row.ended_at else None,
        inputs=json.loads(row.inputs),
        diagnosis=row.diagnosis,
    )
