"""Times as they are stored (microseconds since 1970 UTC: exact, the same in every database) and as they are written."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from triagebook.runbooks.engine.quantities import as_duration

if TYPE_CHECKING:
    from triagebook.runbooks.library.node import Node

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
DURATIONS = "90s, 15m, 12h or 7d"  # how a length of time is written
_DURATION = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
Precision = Literal["seconds", "milliseconds", "microseconds"]
_SECONDS = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_FORMS: Mapping[Precision, re.Pattern[str]] = {
    "seconds": re.compile(rf"{_SECONDS}Z"),
    "milliseconds": re.compile(rf"{_SECONDS}\.[0-9]{{3}}Z"),
    "microseconds": re.compile(rf"{_SECONDS}\.[0-9]{{6}}Z"),
}


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC time of `to_micros`."""
    return _EPOCH + timedelta(microseconds=micros)


def rfc3339(moment: datetime, precision: Precision = "seconds") -> str:
    """An aware time as `2026-11-23T14:05:00Z`, cut (never rounded) to the precision. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def parse_rfc3339(text: str, precision: Precision = "seconds") -> datetime:
    """The aware UTC time of `rfc3339` with that precision. Raises ValueError for any other form."""
    if _FORMS[precision].fullmatch(text) is None:
        raise ValueError(f"not a time as 2026-11-23T14:05:00Z: {text[:40]!r}")
    return datetime.fromisoformat(text)


def parse_duration(text: str) -> timedelta:
    """The time that `90s`, `15m`, `12h` or `7d` says. Raises ValueError for any other form, and for none at all."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a time such as {DURATIONS}, got {text[:40]!r}")
    return int(match[1]) * _UNITS[match[2]]


def duration_of(node: "Node", least: str, most: str) -> timedelta:
    """The length of time that a file says at this place. Raises RunbookError with the place: another form, or out of bounds."""
    try:
        found = parse_duration(node.value) if isinstance(node.value, str) else timedelta()
    except ValueError:
        found = timedelta()
    if not parse_duration(least) <= found <= parse_duration(most):
        raise node.error(f"expected a time such as {DURATIONS}, from {least} to {most}, got {node.value!r}")
    return found


def relative(moment: datetime, now: datetime) -> str:
    """Return how far a time is from now: `in 14 min`, `3.5 h ago`."""
    seconds = (moment - now).total_seconds()
    return f"in {as_duration(round(seconds))}" if seconds >= 0 else f"{as_duration(round(-seconds))} ago"
