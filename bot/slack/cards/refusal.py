"""Shows a refusal to the one who asked: what was said, its reason code, and what that person can do about it."""

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.blocks import context, prose, run, runs
from triagebook.bot.slack.cards.limits import Card, card
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.tools.faces.advice import advice_for


def refusal(error: TriagebookError, asked: str = "") -> Card:
    """Return an expected failure as an ephemeral message. `asked` says what was refused, such as `approve F-1`."""
    return refusal_of(str(error), error.reason, asked, is_audited=isinstance(error, RefusedError))


def refusal_of(says: str, reason: str, asked: str = "", *, is_audited: bool = True) -> Card:
    """Return the same from its parts, for a refusal that the face itself makes."""
    advice = advice_for(reason).text
    what = f"Not done: {asked}" if asked else "Not done"
    blocks = [
        prose(run(f"⛔ {mrkdwn.plain(what, 200)}\n", bold=True), run(mrkdwn.plain(says, 1200))),
        prose(run("What to do: ", bold=True), *runs(advice)),
        context(f"reason {mrkdwn.code(reason)} · only you see this{' · it is in the audit log' if is_audited else ''}"),
    ]
    return card(blocks, mrkdwn.fallback([f"{what}. {says}", f"What to do: {advice}", f"Reason: {reason}"]))
