"""The card of an alert: the verdict of its host, with the alert above it; or why no host was asked. All of it is literal text."""

from triagebook.bot.slack.cards import mrkdwn
from triagebook.bot.slack.cards.blocks import Tokens, context, header, prose, run
from triagebook.bot.slack.cards.diagnosis import verdict
from triagebook.bot.slack.cards.limits import Card, card
from triagebook.bot.slack.cards.wording import Origin
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.fixes.views import AlertView

NAME = 120


def alert_card(alert: AlertView, found: Found | None, tokens: Tokens) -> Card:
    """Return the card of an alert as it is now. `found` is the newest answer of its host; None: there is none."""
    origin = Origin(f"alert {alert.source}", alert.first_at)
    if found is not None:
        return verdict(found, origin, tokens, notice=notice(alert))
    who = context(f"from {mrkdwn.code(alert.source)} · {mrkdwn.date(alert.first_at)}")
    name = alert.host or alert.name[:NAME] or "an alert"
    if not alert.problem and not alert.status:
        blocks = [header(f"⏳ DIAGNOSING · {name}"), prose(run(f"🔔 {notice(alert)}")), who]
        return card(blocks, mrkdwn.fallback([f"Diagnosing {name}", notice(alert)]))
    blocks = [header(f"⚫ NO DIAGNOSIS · {name}"), prose(run(f"🔔 {notice(alert)}\n"), run(mrkdwn.plain(alert.says, 600))), who]
    return card(blocks, mrkdwn.fallback([f"No diagnosis: {alert.says}", notice(alert)]))


def news_card(alert: AlertView) -> Card:
    """Return what the thread says when the host was found to have something else, or has it still."""
    says = mrkdwn.plain(alert.says, 600)
    return card([prose(run(f"🔔 {notice(alert)}\n"), run(says))], mrkdwn.fallback([notice(alert), says]))


def notice(alert: AlertView) -> str:
    """Return one line about the alert itself: its name, what became of it, how often it was sent again."""
    name = mrkdwn.plain(alert.name or "Alert", NAME)
    if alert.is_cause_still_there:
        state = "resolved, but the cause is still there"
    else:
        state = "is firing" if alert.state == "firing" else "resolved"
    times = "" if not alert.repeats else f", sent again {alert.repeats} time{'s' if alert.repeats > 1 else ''}"
    return f"{name} {state}{times}"
