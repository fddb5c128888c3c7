"""Draws the answers that Slackbot shows: our cards without their buttons, in the blocks that it takes."""

from collections.abc import Callable, Mapping
from datetime import datetime

from triagebook.bot.render.fleet import row_of, row_of_failure
from triagebook.bot.slack.cards.blocks import Block
from triagebook.bot.slack.cards.diagnosis import verdict
from triagebook.bot.slack.cards.fleet import fleet
from triagebook.bot.slack.cards.wording import Origin
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.times import rfc3339


@dataclass(frozen=True)
class SlackbotCards:
    """Draws answers of the MCP server as the cards of our own app. A button of ours would be dead in Slackbot's message."""

    clock: Callable[[], datetime]

    def of_answer(self, found: Found, user: str) -> tuple[Block, ...]:
        """Return the blocks of one host's answer."""
        return verdict(found, Origin(user, diagnoses_of(found)[0].started_at), {}).blocks

    def of_fleet(self, found: Mapping[str, Found | TriagebookError], user: str) -> tuple[Block, ...]:
        """Return the blocks of many hosts, worst first."""
        rows = [
            row_of_failure(host, item.reason, str(item)) if isinstance(item, TriagebookError) else row_of(item)
            for host, item in found.items()
        ]
        return fleet(rows, Origin(user, rfc3339(self.clock()))).blocks
