"""Answers three words that a person may write to the app itself; everything else there is a host and its error text."""

from collections.abc import Mapping

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.flows.context import SlackContext
from triagebook.bot.slack.flows.home import HomeFlow
from triagebook.bot.slack.inbound.command import plain
from triagebook.bot.slack.inbound.delivery import Delivery
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.fixes import view

HOSTS, WAITING = "hosts", "waiting"
PROMPTS: Mapping[str, str] = {  # what Slack suggests -> what it writes for the person
    "What may I ask here?": "help",
    "Which hosts may I ask about?": HOSTS,
    "What waits for my decision?": WAITING,
}
MOST = 40


def word_of(text: str) -> str:
    """Return the word that a message is, or nothing."""
    word = plain(text).strip(" ?!.").lower()
    return word if word in {HOSTS, WAITING} else ""


@dataclass(frozen=True)
class DirectFlow:
    """Lists what the person who asks may see."""

    context: SlackContext
    home: HomeFlow

    def answer(self, delivery: Delivery, word: str) -> None:
        """Answer where it was asked, and bring App Home up to date where the decisions are made."""
        if word == HOSTS:
            self.context.whisper(delivery, self._hosts(delivery))
            return
        waiting = [item.fix for item in self.home.pending_fixes(delivery)]
        lines = [f"{fix.id}: {mrkdwn.plain(fix.plan.title if fix.plan else fix.state, 150)}" for fix in waiting[:MOST]]
        head = (
            f"{len(waiting)} fixes wait for you. Decide in the Home tab above." if waiting else "Nothing waits for your decision."
        )
        self.context.whisper(delivery, "\n".join([head, *lines]))
        self.home.on_open(delivery)

    def _hosts(self, delivery: Delivery) -> str:
        names = sorted(self.context.names.inventory.hosts)
        seen = [name for name in names if view.may_see(self.context.approval_server, delivery.actor, name, "")]
        if not seen:
            return "The policy lets your account ask about no host. Ask the policy owner."
        more = f" and {len(seen) - MOST} more" if len(seen) > MOST else ""
        listed = ", ".join(mrkdwn.plain(name, 100) for name in seen[:MOST])
        return f"You may ask about {len(seen)} hosts: {listed}{more}. Write one of them, and the error text behind it."
