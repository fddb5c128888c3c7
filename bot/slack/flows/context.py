"""Holds what all flows share: the services, the store, Slack's API, and the ways to answer."""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from slack_sdk import WebClient
from triagebook.bot.slack.cards.refusal import refusal
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.bot.slack.outbound.sender import EPHEMERAL, Sender
from triagebook.bot.slack.settings import SlackSettings
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, TrustError
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.diagnosis.stored_diagnosis import Asker
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.fixes.service import FixService
from triagebook.tools.inventory.names import Names
from triagebook.tools.policy.identity import Account
from triagebook.tools.store import chat_messages, chat_tokens
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.chat_tokens import Meaning
from triagebook.tools.store.database import Store, Transaction

TOKEN_LIFE = timedelta(days=1)  # of a button; what it asks for has limits of its own


@dataclass
class Ourselves:
    """Our own ids as `auth.test` told them; empty until Slack was reached."""

    team: str = ""
    user: str = ""


@dataclass
class SlackContext:
    """The services, the store and Slack's API, with the ways to answer a person."""

    fixes: FixService
    approval_server: ApprovalServer
    hosts: Service
    names: Names
    settings: SlackSettings
    client: WebClient
    sender: Sender
    default_runbook: Callable[[], str]
    asker: Asker
    ourselves: Ourselves = field(default_factory=Ourselves)

    @property
    def store(self) -> Store:
        """Return the database."""
        return self.approval_server.store

    def now(self) -> datetime:
        """Return the time by the server's clock."""
        return self.approval_server.clock()

    def add(self, message: Message) -> None:
        """Queue a new message."""
        with self.store.write("chat.message") as transaction:
            chat_messages.add(transaction, message, self.now())
        self.sender.wake()

    def want(self, message_id: str, content: Mapping[str, Any]) -> None:
        """Queue a change of a message."""
        with self.store.write("chat.message") as transaction:
            chat_messages.set_desired(transaction, message_id, content)
        self.sender.wake()

    def whisper(self, delivery: Delivery, text: str, blocks: list[dict[str, Any]] | None = None, channel: str = "") -> None:
        """Answer only one person, where they asked; by direct message if there is no channel, or if that is where they asked."""
        content = {"user": delivery.user, "text": text, **({"blocks": blocks} if blocks else {})}
        place = channel or delivery.channel or delivery.user
        kind = EPHEMERAL if place != delivery.user and delivery.kind != "direct" else "notice"
        if kind == "notice":
            content.pop("user")
        thread = delivery.thread_ts if place == delivery.channel else ""
        self.add(Message(chat_messages.new_id(), kind, "", place, content, thread_ts=thread))

    def refuse(self, delivery: Delivery, error: TriagebookError, attempt: str = "", channel: str = "") -> None:
        """Tell only the person who asked that it was refused, and why."""
        if isinstance(error, TrustError):
            raise error
        card = refusal(error, attempt).payload()
        self.whisper(delivery, card["text"], card["blocks"], channel)

    def note(self, delivery: Delivery, action: str, error: TriagebookError, fix: str = "") -> None:
        """Record in the audit log that this face refused before it called the service."""
        self.fixes.note_refusal(delivery.actor, action, error.reason, str(error), fix)

    def mint(self, transaction: Transaction, does: str, message: str, **values: Any) -> str:
        """Create the token of a button."""
        now = self.now()
        return chat_tokens.mint(transaction, Meaning(does, self.ourselves.team, now + TOKEN_LIFE, message, **values), now)

    def button_meaning(self, token: str) -> Meaning | None:
        """Return what a button stands for."""
        with self.store.read() as transaction:
            return chat_tokens.read(transaction, token)

    def mentions(self) -> dict[str, str]:
        """Return person -> Slack user id, for persons whose Slack account the policy knows."""
        return {
            owner.person: account.subject
            for account, owner in self.approval_server.policy.directory.owners.items()
            if account.kind == "slack" and account.issuer == self.ourselves.team and not owner.service
        }

    def person_of(self, account: Account) -> str:
        """Return the person who owns an account, or the account itself if its owner is unknown."""
        return self.approval_server.policy.directory.identify(account).person or str(account)
