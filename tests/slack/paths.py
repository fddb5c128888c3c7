"""Stretches of the way that several tests go."""

import re
from typing import Any

from triagebook.bot.slack.cards import names

from .gate import Gate
from .world import SlackWorld, until

LIMIT = f"{names.PARAM}.0.limit"


def reason(text: str = "pages since 13:50") -> dict[str, Any]:
    """A filled in form that asks why."""
    return {names.REASON: {names.REASON: {"value": text}}}


def wish(limit: str = "300", why: str = "pages since 13:50") -> dict[str, Any]:
    """A filled in proposal."""
    return {
        names.OFFER: {names.OFFER: {"selected_option": {"value": "0"}}},
        LIMIT: {names.PARAM: {"value": limit}},
        **reason(why),
    }


def form(gate: Gate, callback: str) -> dict[str, Any]:
    """The newest form of that kind, once it can be submitted."""

    def found() -> dict[str, Any] | None:
        views = [view for view in gate.views() if view.get("submit") and view["callback_id"] == callback]
        return views[-1] if views else None

    return until(found, f"the form {callback}")


def proposed(world: SlackWorld, host: str = "web-01", user: str = "ann", **values: str) -> dict[str, Any]:
    """From the command to the approval card."""
    assert world.driver.command(user, host).status == 200
    card = world.card("incidents", f"CAUSE FOUND · {host}")
    seen = len(world.gate.views())
    assert world.driver.click(user, card, names.PROPOSE).status == 200
    until(lambda: len(world.gate.views()) > seen + 1, "the form")
    answer = world.driver.submit(user, form(world.gate, names.PROPOSE_VIEW), wish(**values))
    assert answer.body in {"", "null"}, answer
    return world.card("approvals", f"APPROVAL NEEDED: {host}")


def fix_of(card: dict[str, Any]) -> str:
    """The fix a card is about."""
    found = re.search(r"F-[0-9a-z]{8}", card["text"])
    assert found, card["text"]
    return found[0]
