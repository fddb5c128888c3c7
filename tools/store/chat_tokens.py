"""What buttons mean, by the random token that each carries. One token a message and meaning: an edited card keeps it."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.store.chat_schema import tokens
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import from_micros, to_micros


@dataclass(frozen=True)
class Meaning:
    """What pressing a button asks for, and the plan digest that stood on the card."""

    does: str
    team: str
    expires_at: datetime
    message: str = ""
    fix: str = ""
    plan_digest: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def mint(transaction: Transaction, meaning: Meaning, now: datetime) -> str:
    """The token of that meaning on that message: the one there is, or a new one."""
    values = {
        "token": secrets.token_urlsafe(24),
        "message": meaning.message,
        "does": meaning.does,
        "fix": meaning.fix,
        "plan_digest": meaning.plan_digest,
        "team": meaning.team,
        "data": json.dumps(meaning.data),
        "created_at": to_micros(now),
        "expires_at": to_micros(meaning.expires_at),
    }
    if not meaning.message:  # belongs to no message: each is its own
        values["message"] = f"-{secrets.token_hex(12)}"
    transaction.connection.execute(transaction.insert(tokens).values(values).on_conflict_do_nothing())
    where = (tokens.c.message == values["message"]) & (tokens.c.does == meaning.does)
    return str(transaction.connection.execute(select(tokens.c.token).where(where)).scalar_one())


def read(transaction: Transaction, token: str) -> Meaning | None:
    """What a token stands for, also when it has expired: then one can say so."""
    row = transaction.connection.execute(select(tokens).where(tokens.c.token == token)).one_or_none()
    if row is None:
        return None
    message = "" if row.message.startswith("-") else row.message
    return Meaning(row.does, row.team, from_micros(row.expires_at), message, row.fix, row.plan_digest, json.loads(row.data))


def forget(transaction: Transaction, before: datetime) -> None:
    """Drop tokens that expired before then."""
    transaction.connection.execute(delete(tokens).where(tokens.c.expires_at < to_micros(before)))
