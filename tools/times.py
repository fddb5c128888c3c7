"""Times as they are stored (microseconds since 1970 UTC: exact, the same in every database) and as they are written."""

from datetime import UTC, datetime, timedelta
from typing import Literal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Precision = Literal["seconds", "milliseconds", "microseconds"]


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


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
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or rfc3339(moment, precision) != text:
        raise ValueError(f"not a time as 2026-11-23T14:05:00Z: {text[:40]!r}")
    return moment.astimezone(UTC)
