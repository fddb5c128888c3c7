"""Finds where the use of a limited thing is heading: least squares over its readings, said only where it means something. Pure.

Guards: at least six readings, r2 above 0.8, a rise of more than 5 % of what was in use at the first of them. A step, a
sawtooth and a steady hum give no trend; a leak does.
"""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass

LEAST_READINGS = 6
LEAST_R2 = 0.8
LEAST_RISE = 0.05


@dataclass(frozen=True)
class Point:
    """Describes one reading: when (seconds of any steady clock), what was in use, and of how much."""

    at_s: float
    used: float
    limit: float


@dataclass(frozen=True)
class Trend:
    """Describes a rise that passed the guards. `seconds_to_limit` counts from the last reading; 0 at the limit.

    `was_raised`: the limit grew while it was watched, and the use goes on growing: postponed, not cured.
    """

    slope_per_s: float
    r2: float
    readings: int
    span_s: float
    used: float
    limit: float
    seconds_to_limit: float
    was_raised: bool = False


def trend_of(points: Sequence[Point]) -> Trend | None:
    """Return the trend of readings in the order of time, or None where no guard-proof one is there."""
    count = len(points)
    if count < LEAST_READINGS:
        return None
    mean_at = sum(point.at_s for point in points) / count
    mean_used = sum(point.used for point in points) / count
    spread_at = sum((point.at_s - mean_at) ** 2 for point in points)
    spread_used = sum((point.used - mean_used) ** 2 for point in points)
    together = sum((point.at_s - mean_at) * (point.used - mean_used) for point in points)
    if together <= 0:  # no change, a fall, or a clock that stands still
        return None
    slope, r2 = together / spread_at, together**2 / (spread_at * spread_used)
    first, last = points[0], points[-1]
    span_s = last.at_s - first.at_s
    at_first = max(0.0, mean_used + slope * (first.at_s - mean_at))
    if r2 <= LEAST_R2 or slope * span_s <= LEAST_RISE * at_first:
        return None
    return Trend(
        slope_per_s=slope,
        r2=min(r2, 1.0),
        readings=count,
        span_s=span_s,
        used=last.used,
        limit=last.limit,
        seconds_to_limit=max(0.0, last.limit - last.used) / slope,
        was_raised=last.limit > first.limit,
    )
