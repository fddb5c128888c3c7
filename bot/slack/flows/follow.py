"""Keeps every card of a fix current, no matter where it was decided or how long this server was down."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.approval import BUTTONS, approval, fallback
from triagebook.bot.slack.flows.approvers import call
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.fixes import view
from triagebook.tools.fixes.views import FixView
from triagebook.tools.periodic import PeriodicThread
from triagebook.tools.policy.identity import parse_account
from triagebook.tools.store import chat_messages, chat_runs, chat_tokens
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.database import Transaction

CARD = "approval"
EVERY_S = 1.0
KEPT, FORGET_EVERY = timedelta(days=30), timedelta(hours=1)
TOLD_REQUESTER = frozenset(["approved", "denied", "expired", "validated", "unresolved", "failed", "stale", "unknown"])


@dataclass
class Follower:
    """Updates cards for one replica. Several do no harm: a card changes by compare-and-set."""

    context: SlackContext
    every_s: float = EVERY_S
    strangers: Callable[[], int] = lambda: 0  # requests that proved nothing since last asked
    _forgot_at: datetime | None = None

    def __post_init__(self) -> None:
        self._thread = PeriodicThread("slack-follower", self._step)

    def start(self) -> None:
        """Start following."""
        self._thread.every_s = self.every_s
        self._thread.start()

    def wake(self) -> None:
        """Look at once, because a fix just changed."""
        self._thread.wake()

    def stop(self) -> None:
        """Stop following."""
        self._thread.stop()

    def _forget(self) -> None:
        """Delete old cards, buttons and runs from time to time."""
        now = self.context.now()
        if self._forgot_at is not None and now - self._forgot_at < FORGET_EVERY:
            return
        self._forgot_at = now
        with self.context.store.write("chat.forget") as transaction:
            for table in (chat_messages, chat_runs):
                table.forget(transaction, now - KEPT)
            chat_tokens.forget(transaction, now - KEPT)

    def round(self) -> None:
        """Post cards for fixes that have none, and update those that show an old state."""
        if not self.context.ourselves.team:
            return
        with self.context.store.read() as transaction:
            channel = self.context.settings.approvals
            new = chat_messages.without_card(transaction, CARD, channel) if channel else []
            behind = chat_messages.behind(transaction, CARD, self.context.now())
        for fix_id in new:
            self.show(fix_id, self.context.settings.approvals)
        for message, mark in behind:
            self._update(message, mark)
        if new or behind:
            self.context.sender.wake()

    def show(self, fix_id: str, channel: str, *, parent: str = "", thread_ts: str = "") -> None:
        """Show a card of a fix in a channel or thread; repeated calls still make only one."""
        with self.context.store.read() as transaction:
            mark = chat_messages.mark_for(transaction, fix_id)
        fix = self.context.fixes.view_for_channel(fix_id)
        if fix is None:
            return
        message_id = hashlib.sha256(f"{fix_id}/{channel}/{parent}/{thread_ts}".encode()).hexdigest()[:24]
        with self.context.store.write("chat.card") as transaction:
            made = Message(message_id, CARD, fix_id, channel, {}, parent=parent, thread_ts=thread_ts, wanted=0)
            if chat_messages.add(transaction, made, self.context.now()):
                chat_messages.set_desired(transaction, message_id, self._content(transaction, made, fix), mark=mark)

    def adopt(self, fix_id: str, channel: str, ts: str) -> None:
        """Follow a copy of a card that we did not know of, because the process died right after posting it."""
        with self.context.store.write("chat.card") as transaction:
            if chat_messages.at(transaction, channel, ts) is None:
                copy = Message(chat_messages.new_id(), CARD, fix_id, channel, {}, ts=ts, wanted=0, mark="unknown")
                chat_messages.add(transaction, copy, self.context.now())
        self.wake()

    def _update(self, message: Message, mark: str) -> None:
        fix = self.context.fixes.view_for_channel(message.subject)
        if fix is None:
            return
        with self.context.store.write("chat.card") as transaction:
            content = self._content(transaction, message, fix)
            is_ours = chat_messages.set_desired(transaction, message.id, content, mark=mark, before=message.mark)
            if is_ours and fix.state in TOLD_REQUESTER:
                self._tell_requester(transaction, fix)

    def _content(self, transaction: Transaction, message: Message, fix: FixView) -> Mapping[str, Any]:
        wanted = BUTTONS.get(fix.state, ())
        tokens = {name: self.context.mint(transaction, name, message.id, fix=fix.id, plan_digest=fix.digest) for name in wanted}
        is_for_approvers = message.channel == (self.context.settings.approvals or message.channel)
        called = call(self.context, fix) if is_for_approvers else None
        return approval(fix, tokens, self.context.mentions(), called).payload()

    def _tell_requester(self, transaction: Transaction, fix: FixView) -> None:
        """Send the requester one direct message per state, if they asked in Slack."""
        account = parse_account(fix.plan.requester_account) if fix.plan else None
        if account is None or account.kind != "slack":
            return
        text = fallback(fix).splitlines()[0]
        message_id = hashlib.sha256(f"{fix.id}/{fix.state}/told".encode()).hexdigest()[:24]
        told = Message(message_id, "notice", fix.id, account.subject, {"text": f"{text} ({mrkdwn.escape(fix.id)})"})
        chat_messages.add(transaction, told, self.context.now())

    def _step(self) -> None:
        self.round()
        self._forget()
        if count := self.strangers():
            view.record_strangers(self.context.approval_server, [("bad_signature", count)], "slack")
