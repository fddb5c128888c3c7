"""Words what several cards say: a status, a gauge, a fact in one line, who asked, with which runbook."""

from collections.abc import Iterator, Mapping, Sequence

from triagebook.bot.render import chart
from triagebook.bot.render.text import STATUS_WORDS, check_titles
from triagebook.bot.render.verdict_words import ACTIVE_WORDS
from triagebook.bot.slack.cards import mrkdwn
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, FactEntry, OfferedRemediation, Unknown, Verdict
from triagebook.runbooks.engine.quantities import quantity

MARKS: Mapping[str, str] = {
    "healthy": "🟢",
    "warning": "🟡",
    "cause_found": "🔴",
    "inconclusive": "🟣",
    "unreachable": "⚫",
}
GAUGE = 10  # characters
OUTCOMES: Mapping[str, str] = {
    "matched": "FOUND",
    "cleared": "ruled out",
    "unknown": "NOT JUDGED",
    "skipped": "not looked at",
}


@dataclass(frozen=True)
class Origin:
    """Who requested a diagnosis (a Slack user id, or a name) and when (RFC 3339)."""

    by: str
    at: str


def title(diagnosis: Diagnosis) -> str:
    """Return `🔴 CAUSE FOUND · host01`. The word says it all; the mark only helps."""
    return f"{MARKS[diagnosis.status]} {STATUS_WORDS[diagnosis.status]} · {diagnosis.host.name}"


def urgency(verdict: Verdict, *, has_error: bool = True) -> str:
    """Return how sure and how urgent a verdict is: `certain · being refused now`. `has_error`: an error text was given.

    Of a limit that is merely close only that: "likely" beside it would read as "the likely cause".
    """
    parts = [*([] if verdict.is_only_close else [verdict.strength]), ACTIVE_WORDS[verdict.active]]
    if verdict.belongs_to:
        parts.append(f"another matter: runbook {verdict.belongs_to}")
    elif verdict.explains_symptom != "yes":
        parts.append(
            "whether it explains the error is not known"
            if verdict.explains_symptom != "no"
            else "does NOT explain the error given"
            if has_error
            else "does NOT concern what was named"
        )
    return " · ".join(parts)


def urgency_in(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """Return `urgency` of a verdict of that diagnosis."""
    return urgency(verdict, has_error=diagnosis.symptom is not None)


def gauge(used: float | None, limit: float) -> str:
    """Return a gauge such as `▰▰▰▰▰▰▰▰▰▱`, full only if the limit is reached; empty if the use is unknown."""
    return "".join(chart.gauge(used, limit, GAUGE, "▰▱"))


def use(verdict: Verdict) -> str:
    """Return `392 of 400 tasks (98 %)`; an unknown use is said to be unknown."""
    limit, used = verdict.limit, verdict.usage.value if verdict.usage else None
    if limit is None:
        return ""
    if used is None:
        return f"use not known, limit {quantity(limit.value, limit.unit)}"
    share = f" ({int(100 * used / limit.value)} %)" if limit.value > 0 else ""
    return f"{quantity(used, 'bytes' if limit.unit == 'bytes' else '')} of {quantity(limit.value, limit.unit)}{share}"


def value_of(entry: FactEntry) -> str:
    """Return the readings of a fact, first to last (`47 -> 50 refusals`), or why there are none."""
    values = list(dict.fromkeys(reading.value for reading in entry.readings))
    if not values:
        return f"not readable: {entry.unreadable}"
    plain = "bytes" if entry.unit == "bytes" else ""
    return " -> ".join([*(quantity(value, plain) for value in values[:-1]), quantity(values[-1], entry.unit)])


def fact_title(name: str) -> str:
    """Return a fact's name for people: `pids[/x.service].refused_delta` -> `refused meanwhile`; the verdict names the rest."""
    last = name.rpartition("].")[2] if "]." in name else name
    if last.endswith("_delta"):
        last = f"{last.removesuffix('_delta')} meanwhile"
    return last.removesuffix("_bytes").replace("_", " ").replace(".", " ")


def columns(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """Return rows of two columns, the first as wide as its widest cell but at most `width`."""
    first = min(width, max((len(row[0]) for row in rows), default=0))
    return [f"{mrkdwn.exact(row[0], first):<{first}}  {mrkdwn.exact('  '.join(row[1:]), 200)}" for row in rows]


def unknown_text(item: Unknown, most: int = 3) -> str:
    """Return an unknown in one line: `max_map_count: permission denied (java (810) and 4 more)`."""
    more = f" and {len(item.which) - most} more" if len(item.which) > most else ""
    which = f" ({', '.join(mrkdwn.plain(name, mrkdwn.NAME) for name in item.which[:most])}{more})" if item.which else ""
    return mrkdwn.plain(f"{item.check}: {item.because}{which}")


def checks_of(diagnosis: Diagnosis, outcome: str) -> list[str]:
    """Return what people call the checks with that outcome."""
    return check_titles(diagnosis.checks, outcome)


def digest(text: str) -> str:
    """Return the first twelve hexadecimal digits of a digest."""
    return text.removeprefix("sha256:")[:12]


def duration(milliseconds: float) -> str:
    """Return a duration as `310 ms` or `4.2 s`."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def bounds(offer: OfferedRemediation) -> Iterator[str]:
    """Return `limit 64 (25 to 1841)` for each parameter that a person may choose."""
    for name, bound in offer.params.items():
        if bound.min is not None and bound.max is not None and bound.min != bound.max:
            yield f"{name} {bound.default} ({bound.min} to {bound.max})"


def undo_text(undo: str) -> str:
    """Return whether a change can be undone, in words."""
    return "CANNOT be undone" if undo == "none" else "can be undone"
