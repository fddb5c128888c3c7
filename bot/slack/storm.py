"""Many hosts at once in one channel: from some number on, one table for all of them instead of a card each."""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from triagebook.bot.render.fleet import Row, row_of
from triagebook.bot.slack import kept
from triagebook.bot.slack.cards.fleet import fleet
from triagebook.bot.slack.cards.wording import Asked
from triagebook.bot.slack.delivery import Delivery
from triagebook.bot.slack.desk import Desk
from triagebook.tools.store import chat_messages, chat_runs
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.chat_runs import Run
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import rfc3339

CARD = "storm"
WINDOW = timedelta(minutes=1)
GOES_ON = timedelta(minutes=10)  # within it, more hosts join the same table


@dataclass(frozen=True)
class Storm:
    """The tables of channels."""

    desk: Desk

    def is_one(self, transaction: Transaction, message_id: str) -> bool:
        """Is this message a table?"""
        message = chat_messages.read(transaction, message_id) if message_id else None
        return message is not None and message.kind == CARD

    def joined(self, transaction: Transaction, delivery: Delivery, run: Run, asked: Asked) -> str:
        """The table that this run belongs to, made if it is the one too many; empty: it gets a card of its own."""
        now = self.desk.now()
        recent = [other for other in chat_runs.asked_since(transaction, run.channel, now - WINDOW) if other.host != run.host]
        if len({other.host for other in recent}) < self.desk.settings.storm:
            return ""
        present = chat_messages.newest_of(transaction, run.channel, CARD, now - GOES_ON)
        if present is not None:
            return present.id
        made = Message(run.id, CARD, run.id, run.channel, {"text": "Many hosts"}, thread_ts="", wanted=0)
        chat_messages.add(transaction, made, now)
        return run.id

    def refresh(self, transaction: Transaction, message_id: str) -> None:
        """Bring the table to what its runs say."""
        chat_messages.read(transaction, message_id, for_update=True)  # else two that end at once miss each other
        members = chat_runs.of_message(transaction, message_id)
        if not members:
            return
        ended = {run.host: run for run in members if run.ended_at is not None}
        hosts = {run.host for run in members}
        rows = [_row(run) for run in ended.values()]
        first = members[0]
        asked = Asked(first.account.rpartition("/")[2], rfc3339(first.started_at))
        card = fleet(rows, asked, {}, running=len(hosts) - len(ended), repeats=len(members) - len(hosts))
        chat_messages.want(transaction, message_id, card.payload())


def _row(run: Run) -> Row:
    return _found(run.diagnosis) if run.diagnosis else Row(run.host, "failed", run.cause, run.headline)


@lru_cache(maxsize=1024)  # a table is made anew for each host that answers
def _found(diagnosis: str) -> Row:
    return row_of(kept.load(diagnosis))
