"""Keeps alerts: one row from an alert's start to its resolution, with the newest answer of the host that it names."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, literal, select, update
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store.alert_schema import episodes
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import from_micros, to_micros

TIMES = ("first_at", "last_at", "resolved_at", "answered_at")


@dataclass(frozen=True)
class AlertEpisode:
    """An alert as it is kept. `resolved_at` and `answered_at` are None as long as that has not happened."""

    id: str
    source: str
    name: str
    alert: str
    rule: str
    host: str
    runbooks: str
    problem: str
    says: str
    channel: str
    first_at: datetime
    last_at: datetime
    repeats: int = 0
    asks: int = 0
    resolved_at: datetime | None = None
    answered_at: datetime | None = None
    status: str = ""
    cause: str = ""
    headline: str = ""
    diagnosis: str = ""
    cause_at_alert: str = ""


def hold(transaction: Transaction, episode_id: str) -> None:
    """Lock an episode until the transaction ends, before its first row is there too."""
    transaction.alone(f"alert_episodes/{episode_id}")


def add(transaction: Transaction, episode: AlertEpisode) -> None:
    """Keep an alert that begins."""
    values = {column.name: getattr(episode, column.name) for column in episodes.columns}
    transaction.connection.execute(transaction.insert(episodes).values(_columns_of(values)))


def change(transaction: Transaction, episode_id: str, **values: Any) -> None:
    """Write what is new of an alert."""
    transaction.connection.execute(update(episodes).where(episodes.c.id == episode_id).values(_columns_of(values)))


def read(transaction: Transaction, episode_id: str) -> AlertEpisode | None:
    """The alert of that id."""
    row = transaction.connection.execute(select(episodes).where(episodes.c.id == episode_id)).one_or_none()
    return None if row is None else _episode(row)


def begin_with(transaction: Transaction, start: str) -> list[AlertEpisode]:
    """Alerts whose id begins with these characters; two at most, since one has to be meant."""
    statement = select(episodes).where(episodes.c.id >= start, episodes.c.id < start + "g").limit(2)  # ids are hexadecimal
    return [_episode(row) for row in transaction.connection.execute(statement)]


def newest(
    transaction: Transaction, limit: int, host: str = "", since: datetime | None = None, *, has_answers: bool = False
) -> list[AlertEpisode]:
    """The newest alerts first, of one host or of all; with the whole answer of each (`diagnosis`, some 50 KB) where wanted."""
    columns: list[ColumnElement[Any]] = [column for column in episodes.c if has_answers or column is not episodes.c.diagnosis]
    columns += [] if has_answers else [literal("").label("diagnosis")]
    statement = select(*columns).order_by(episodes.c.first_at.desc(), episodes.c.id).limit(limit)
    if host:
        statement = statement.where(episodes.c.host == host)
    if since is not None:
        statement = statement.where(episodes.c.last_at >= to_micros(since))
    return [_episode(row) for row in transaction.connection.execute(statement)]


def newest_answer_since(transaction: Transaction, like: AlertEpisode, since: datetime) -> AlertEpisode | None:
    """The newest other alert of the same name, rule and host that was answered since then."""
    where = [episodes.c[name] == getattr(like, name) for name in ("rule", "name", "host")]
    where += [episodes.c.id != like.id, episodes.c.answered_at > to_micros(since), episodes.c.diagnosis != ""]
    newest = select(episodes).where(*where).order_by(episodes.c.answered_at.desc()).limit(1)
    row = transaction.connection.execute(newest).first()
    return None if row is None else _episode(row)


def forget(transaction: Transaction, before: datetime) -> None:
    """Drop alerts whose last notification was before then."""
    transaction.connection.execute(delete(episodes).where(episodes.c.last_at < to_micros(before)))


def _columns_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _micros(value) if name in TIMES else value for name, value in values.items()}


def _micros(moment: datetime | None) -> int:
    return 0 if moment is None else to_micros(moment)


def _episode(row: Row[Any]) -> AlertEpisode:
    values: dict[str, Any] = row._asdict()
    values |= {name: _moment(values[name]) for name in TIMES}
    return AlertEpisode(**values)


def _moment(micros: int) -> datetime | None:
    return from_micros(micros) if micros else None
