"""Stretches of the way that several tests go."""

import re
from typing import Any

from triagebook.bot.slack.cards import names

from tests.hang import GUARD_S

from .driver import buttons
from .gate import Gate
from .world import until

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


def form(gate: Gate, callback: str, timeout_s: float = GUARD_S) -> dict[str, Any]:
    """The newest form of that kind, once it can be submitted."""

    def found() -> dict[str, Any] | None:
        views = [view for view in gate.views() if view.get("submit") and view["callback_id"] == callback]
        return views[-1] if views else None

    return until(found, f"the form {callback}", timeout_s)


def proposed(world: Any, host: str = "web-01", user: str = "ann", *, timeout_s: float = GUARD_S, **values: str) -> dict[str, Any]:
    """From the command to the approval card. The world has a gate, channels and a driver."""
    assert world.driver.command(user, host).status == 200
    return proposed_from_card(world, "incidents", host, user, timeout_s=timeout_s, **values)


def proposed_from_card(
    world: Any, channel: str, host: str, user: str = "ann", *, timeout_s: float = GUARD_S, **values: str
) -> dict[str, Any]:
    """From the card with the cause, whoever asked, to the approval card."""
    world.card(channel, f"CAUSE FOUND · {host}", timeout_s)
    card = until(lambda: _final(world.card(channel, f"CAUSE FOUND · {host}")), "the card to be final", timeout_s)
    seen = len(world.gate.views())
    assert world.driver.click(user, card, names.PROPOSE).status == 200
    until(lambda: len(world.gate.views()) > seen + 1, "the form", timeout_s)
    answer = world.driver.submit(user, form(world.gate, names.PROPOSE_VIEW, timeout_s), wish(**values))
    assert answer.body in {"", "null"}, answer
    return world.card("approvals", f"APPROVAL NEEDED: {host}", timeout_s)


def _final(card: dict[str, Any]) -> dict[str, Any] | None:
    """The card once it has its buttons: after the first look it shows what was found, and goes on."""
    return card if names.PROPOSE in buttons(card) else None


def fix_of(card: dict[str, Any]) -> str:
    """The fix a card is about."""
    found = re.search(r"F-[0-9a-z]{8}", card["text"])
    assert found, card["text"]
    return found[0]
