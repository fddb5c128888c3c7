"""Keeps the answers that hosts gave, whoever asked, so that one can see what was found before."""

from datetime import datetime

from sqlalchemy import Row, delete, func, select
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store.alert_schema import answers
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import from_micros, to_micros


@dataclass(frozen=True)
class AnswerRow:
    """One diagnosis as history keeps it. `cause` and `culprit` are empty where no cause was found."""

    id: str
    host: str
    host_key: str
    boot_id: str
    account: str
    runbook: str
    at: datetime
    status: str
    cause: str
    culprit: str
    headline: str


def add(transaction: Transaction, answer: AnswerRow) -> None:
    """Keep an answer; one that several people were shown is kept once."""
    names = [column.name for column in answers.columns if column.name != "at"]
    values = {name: getattr(answer, name) for name in names} | {"at": to_micros(answer.at)}
    transaction.connection.execute(transaction.insert(answers).values(**values).on_conflict_do_nothing())


def of_host(transaction: Transaction, host: str, since: datetime, limit: int) -> list[AnswerRow]:
    """The newest answers of a host first."""
    where = (answers.c.host == host) & (answers.c.at >= to_micros(since))
    statement = select(answers).where(where).order_by(answers.c.at.desc()).limit(limit)
    return [_answer(row) for row in transaction.connection.execute(statement)]


def find_times(transaction: Transaction, host: str, cause: str, culprit: str, since: datetime) -> list[datetime]:
    """When this cause with this culprit was found on this host, oldest first."""
    where = (answers.c.host == host) & (answers.c.cause == cause) & (answers.c.culprit == culprit)
    statement = select(answers.c.at).where(where, answers.c.at >= to_micros(since)).order_by(answers.c.at)
    return [from_micros(at) for at in transaction.connection.execute(statement).scalars()]


def count(transaction: Transaction) -> int:
    """How many are kept."""
    return int(transaction.connection.execute(select(func.count()).select_from(answers)).scalar_one())


def forget(transaction: Transaction, before: datetime) -> None:
    """Drop the answers of before then."""
    transaction.connection.execute(delete(answers).where(answers.c.at < to_micros(before)))


def _answer(row: Row[tuple[object, ...]]) -> AnswerRow:
    return AnswerRow(**{**row._asdict(), "at": from_micros(row.at)})
