"""Renders the history of a host, and alerts with what came of them. The input is the server's JSON, and none of it is trusted."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from triagebook.bot.render.text import local_time
from triagebook.runbooks.engine.text import safe_text

LONGEST = 400
WORDS = {
    "cause_found": "CAUSE FOUND",
    "healthy": "healthy",
    "warning": "WARNING",
    "inconclusive": "INCONCLUSIVE",
    "unreachable": "UNREACHABLE",
    "failed": "NOT ASKED",
    "": "no answer",
}


def render_history(host: str, entries: Sequence[Mapping[str, Any]], width: int = 100) -> str:
    """Return what happened to a host, newest first: a line, and the sentence below it."""
    if not entries:
        return f"{safe_text(host)}: nothing is kept of it.\n"
    return "\n".join(line for entry in entries for line in _entry(entry, width)) + "\n"


def render_alerts(alerts: Sequence[Mapping[str, Any]], width: int = 100) -> str:
    """Return alerts, newest first: when, in which state, which host, and what it was found to have."""
    if not alerts:
        return "No alerts.\n"
    return "\n".join(line for alert in alerts for line in _alert(alert, width)) + "\n"


def _entry(entry: Mapping[str, Any], width: int) -> Iterator[str]:
    kind, state = str(entry["kind"]), str(entry["status"])
    word = WORDS.get(state, state) if kind == "answer" else state
    parts = [local_time(str(entry["at"])), kind, word, *filter(None, (str(entry["cause"]), str(entry["id"])))]
    by = f"  by {safe_text(str(entry['by']), 100)}" if entry["by"] else ""
    yield from _head(safe_text("  ".join(filter(None, parts)), LONGEST) + by, width)
    yield from _sentence(str(entry["says"]), width)


def _alert(alert: Mapping[str, Any], width: int) -> Iterator[str]:
    host = safe_text(str(alert["host"]) or "no host of the inventory", 100)
    more = f"  and {alert['repeats']} more notifications" if alert["repeats"] else ""
    when, state = local_time(str(alert["first_at"])), str(alert["state"]).upper()
    yield from _head(
        f"{when}  {state}  {host}  {safe_text(str(alert['name']), 100)}{more}  {safe_text(str(alert['id'])[:12])}", width
    )
    yield from _sentence(f"{WORDS.get(str(alert['status']), str(alert['status']))}: {alert['says']}", width)


def _head(text: str, width: int) -> list[str]:
    return wrap(text, max(20, width), subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _sentence(text: str, width: int) -> Iterator[str]:
    return iter(wrap(safe_text(text, LONGEST), max(20, width), initial_indent="  ", subsequent_indent="  "))
