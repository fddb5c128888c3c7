"""Collects many hosts diagnosed at once in one channel in one table instead of a card each."""

import threading
import time
from dataclasses import field
from datetime import datetime, timedelta

from triagebook.bot.render.fleet import HostRow, row_of
from triagebook.bot.slack.cards.fleet import fleet
from triagebook.bot.slack.cards.limits import Card
from triagebook.bot.slack.cards.wording import Origin
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.diagnosis import stored_diagnosis
from triagebook.tools.store import chat_messages, chat_runs
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.chat_runs import ChatRun
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import rfc3339

CARD = "storm"
WINDOW = timedelta(minutes=1)
GOES_ON = timedelta(minutes=10)  # within it more hosts join the same table: others within WINDOW, or while some have not answered
GATHER_S = 0.3  # what ends within it is shown at once: Slack takes about one change a second anyway
Version = tuple[str, datetime | None, str, str]


@dataclass
class Storm:
    """Creates and updates the tables of channels."""

    context: SlackContext
    _wanted: set[str] = field(default_factory=set)  # tables that somebody waits to make anew
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _rows: dict[Version, HostRow] = field(default_factory=dict)  # of the table that was made last: to read an answer takes 10 ms

    def is_one(self, transaction: Transaction, message_id: str) -> bool:
        """Tell whether this message is a table."""
        message = chat_messages.read(transaction, message_id) if message_id else None
        return message is not None and message.kind == CARD

    def table_for(self, transaction: Transaction, run: ChatRun) -> str:
        """Return the table that this run belongs to, created if there are now too many cards; empty: it gets its own card."""
        now = self.context.now()
        recent = chat_runs.hosts_since(transaction, run.channel, now - WINDOW) - {run.host}
        is_storm = len(recent) >= self.context.settings.storm
        present = chat_messages.newest_of(transaction, run.channel, CARD, now - GOES_ON)
        if present is not None and (is_storm or chat_runs.is_under_way(transaction, present.id)):
            return present.id
        if not is_storm:
            return ""
        made = Message(run.id, CARD, run.id, run.channel, {"text": "Many hosts"}, thread_ts="", wanted=0)
        chat_messages.add(transaction, made, now)
        return run.id

    def refresh(self, message_id: str) -> None:
        """Update the table from its runs. If another thread is about to do so, leave it to that thread.

        It is made outside of any write transaction: a large table would delay the storing of deliveries.
        """
        with self._guard:
            if message_id in self._wanted:
                return
            self._wanted.add(message_id)
        with self._turn:
            time.sleep(GATHER_S)
            with self._guard:
                self._wanted.discard(message_id)
            while not self._try_refresh(message_id):
                pass
        self.context.sender.wake()

    def _try_refresh(self, message_id: str) -> bool:
        """Try to update the table. Returns False if another replica changed it meanwhile."""
        with self.context.store.read() as transaction:
            table = chat_messages.read(transaction, message_id)
            members = chat_runs.of_message(transaction, message_id)
            ended = {run.host: run for run in members if run.ended_at is not None}
            unread = [run.id for run in ended.values() if _version(run) not in self._rows]
            texts = chat_runs.diagnoses(transaction, unread)
        if table is None or not members:
            return True
        rows = {_version(run): self._rows.get(_version(run)) or _row(run, texts.get(run.id, "")) for run in ended.values()}
        self._rows = rows
        content = _table(members, list(rows.values())).payload()
        with self.context.store.write("chat.table") as transaction:
            return chat_messages.set_desired(transaction, message_id, content, mark=f"table/{table.wanted + 1}", before=table.mark)


def _version(run: ChatRun) -> Version:
    """Return what is another one when another answer is stored at a run."""
    return run.id, run.ended_at, run.status, run.headline


def _table(members: list[ChatRun], rows: list[HostRow]) -> Card:
    hosts = {run.host for run in members}
    first = members[0]
    origin = Origin(first.account.rpartition("/")[2], rfc3339(first.started_at))
    return fleet(rows, origin, running=len(hosts) - len(rows), repeats=len(members) - len(hosts))


def _row(run: ChatRun, diagnosis: str) -> HostRow:
    return row_of(stored_diagnosis.load(diagnosis)) if diagnosis else HostRow(run.host, "failed", run.cause, run.headline)
