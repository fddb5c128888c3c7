"""Keeps the answers that hosts gave, whoever asked, so that one can see what was found before."""

from datetime import datetime

from sqlalchemy import Row, delete, func, select
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store.alert_schema import answer_texts, answers
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import from_micros, to_micros

LONGEST_HOST = 255


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


@dataclass(frozen=True)
class AnswerText:
    """A whole answer: its own id, that of its first diagnosis, and what was shown, as JSON without secrets."""

    id: str
    first: str
    at: datetime
    text: str


def add(transaction: Transaction, answer: AnswerRow) -> None:
    """Keep an answer; one that several people were shown is kept once."""
    names = [column.name for column in answers.columns if column.name != "at"]
    values = {name: getattr(answer, name) for name in names} | {"at": to_micros(answer.at)}
    transaction.connection.execute(transaction.insert(answers).values(**values).on_conflict_do_nothing())


def add_text(transaction: Transaction, answer: AnswerText) -> None:
    """Keep a whole answer; one that several people were shown is kept once."""
    values = {"id": answer.id, "first": answer.first, "at": to_micros(answer.at), "text": answer.text}
    transaction.connection.execute(transaction.insert(answer_texts).values(**values).on_conflict_do_nothing())


def find_text(transaction: Transaction, answer_id: str) -> str:
    """Return a whole answer by its own id or by its first diagnosis's; empty if none is kept."""
    where = (answer_texts.c.id == answer_id) | (answer_texts.c.first == answer_id)
    return str(transaction.connection.execute(select(answer_texts.c.text).where(where).limit(1)).scalar() or "")


def of_host(transaction: Transaction, host: str, since: datetime, limit: int) -> list[AnswerRow]:
    """The newest answers of a host first."""
    where = (answers.c.host == host) & (answers.c.at >= to_micros(since))
    statement = select(answers).where(where).order_by(answers.c.at.desc()).limit(limit)
    return [_answer(row) for row in transaction.connection.execute(statement)]


def count(transaction: Transaction) -> int:
    """How many are kept."""
    return int(transaction.connection.execute(select(func.count()).select_from(answers)).scalar_one())


def forget(transaction: Transaction, before: datetime) -> None:
    """Drop the answers of before then."""
    transaction.connection.execute(delete(answers).where(answers.c.at < to_micros(before)))


def forget_texts(transaction: Transaction, before: datetime) -> None:
    """Drop the whole answers of before then."""
    transaction.connection.execute(delete(answer_texts).where(answer_texts.c.at < to_micros(before)))


def _answer(row: Row[tuple[object, ...]]) -> AnswerRow:
    return AnswerRow(**{**row._asdict(), "at": from_micros(row.at)})
