"""What every listener's work shares: the services, the store, Slack's API, and the ways to answer."""

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
from triagebook.tools.diagnosis.stored import Asker
from triagebook.tools.fixes.attempt import ApprovalServer
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
    """What `auth.test` says we are; empty until Slack was reached."""

    team: str = ""
    user: str = ""


@dataclass
class SlackContext:
    """The parts."""

    fixes: FixService
    trust: ApprovalServer
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
        """The database."""
        return self.trust.store

    def now(self) -> datetime:
        """The server's clock."""
        return self.trust.clock()

    def add(self, message: Message) -> None:
        """Have a message sent."""
        with self.store.write("chat.message") as transaction:
            chat_messages.add(transaction, message, self.now())
        self.sender.wake()

    def want(self, message_id: str, content: Mapping[str, Any]) -> None:
        """Have a message changed."""
        with self.store.write("chat.message") as transaction:
            chat_messages.set_desired(transaction, message_id, content)
        self.sender.wake()

    def whisper(self, delivery: Delivery, text: str, blocks: list[dict[str, Any]] | None = None, channel: str = "") -> None:
        """Answer one person, where they asked; as a direct message where there is no place."""
        content = {"user": delivery.user, "text": text, **({"blocks": blocks} if blocks else {})}
        place = channel or delivery.channel or delivery.user
        kind = EPHEMERAL if place != delivery.user else "notice"
        if kind == "notice":
            content.pop("user")
        thread = delivery.thread_ts if place == delivery.channel else ""
        self.add(Message(chat_messages.new_id(), kind, "", place, content, thread_ts=thread))

    def refuse(self, delivery: Delivery, error: TriagebookError, asked: str = "", channel: str = "") -> None:
        """Say no, and why, to who asked alone."""
        if isinstance(error, TrustError):
            raise error
        card = refusal(error, asked).payload()
        self.whisper(delivery, card["text"], card["blocks"], channel)

    def note(self, delivery: Delivery, action: str, error: TriagebookError, fix: str = "") -> None:
        """Into the audit log: this face said no before it asked the service."""
        self.fixes.note_refusal(delivery.actor, action, error.reason, str(error), fix)

    def mint(self, transaction: Transaction, does: str, message: str, **values: Any) -> str:
        """The token of a button."""
        now = self.now()
        return chat_tokens.mint(transaction, Meaning(does, self.ourselves.team, now + TOKEN_LIFE, message, **values), now)

    def button_meaning(self, token: str) -> Meaning | None:
        """What a button stands for."""
        with self.store.read() as transaction:
            return chat_tokens.read(transaction, token)

    def mentions(self) -> dict[str, str]:
        """Person -> Slack user id, for those whose account the policy knows."""
        return {
            owner.person: account.subject
            for account, owner in self.trust.policy.directory.owners.items()
            if account.kind == "slack" and account.issuer == self.ourselves.team and not owner.service
        }

    def person_of(self, account: Account) -> str:
        """Whose account it is; the account where nobody is known."""
        return self.trust.policy.directory.identify(account).person or str(account)
