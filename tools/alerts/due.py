"""Decides what an alert asks for: how it is noted first, whether its host has to be asked now, whether an answer is news."""

import json
from datetime import datetime
from typing import Any

from triagebook.tools.alerts.alert import Alert
from triagebook.tools.alerts.routing import AlertRoute
from triagebook.tools.store import alert_rows
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import rfc3339

QUIET = "quiet"


def begin(alert: Alert, route: AlertRoute, now: datetime) -> AlertEpisode:
    """Return an alert as it is noted first."""
    rule = route.rule
    return AlertEpisode(
        id=alert.episode,
        source=alert.source,
        name=alert.name[:255],
        alert=alert.dump(),
        rule=rule.name if rule else "",
        host=route.host,
        runbooks=json.dumps(route.runbooks) if route.runbooks else "",
        problem=route.problem,
        says=route.says,
        channel=rule.channel if rule else "",
        first_at=now,
        last_at=now,
        resolved_at=now if alert.is_resolved else None,
    )


def is_news(before: AlertEpisode, after: AlertEpisode) -> bool:
    """Tell whether an answer is worth a word: the first one, another verdict than before, and what is there at the resolution."""
    is_other = (before.status, before.cause) != (after.status, after.cause)
    is_last = after.resolved_at is not None and before.answered_at is not None and before.answered_at < after.resolved_at
    return not before.asks or is_other or is_last


def has_to_ask(episode: AlertEpisode, route: AlertRoute, alert: Alert) -> bool:
    """Tell whether the host has to be asked now: at first, at every so many repetitions, and when the alert resolved."""
    rule = route.rule
    if rule is None or route.problem or not episode.host:
        return False
    if alert.is_resolved:
        return episode.answered_at is not None and episode.resolved_at is not None and episode.answered_at < episode.resolved_at
    if episode.answered_at is None:
        return True
    is_due = rule.again_every > 0 and episode.repeats > 0 and episode.repeats % rule.again_every == 0
    return is_due and episode.asks <= rule.again_most


def quiet_problem(transaction: Transaction, alert: Alert, route: AlertRoute, noted: AlertEpisode, now: datetime) -> dict[str, Any]:
    """Return the problem to note of an alert within its rule's quiet time; of any other, what its route says."""
    rule = route.rule
    if rule is None or route.problem or not rule.quiet or alert.is_critical or alert.is_resolved:
        return {"problem": route.problem, "says": route.says}
    last = alert_rows.newest_answer_since(transaction, noted, now - rule.quiet)
    if last is None or last.answered_at is None:
        return {"problem": "", "says": ""}
    says = f"Not asked: the same alert of this host was answered at {rfc3339(last.answered_at)}"
    return {"problem": QUIET, "says": f"{says}, and rule {rule.name!r} is quiet for {rule.quiet}."}
