"""Keeps the readings of every limit of one host, bounded however long the watch lasts."""

from collections import deque
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.heading import Key, Use
from triagebook.runbooks.engine.trend import Point, Trend, trend_of

RECENT = 60  # ten minutes at one sample in ten seconds
LONG_EVERY = 60  # each such sample is kept for hours as well
LONG = 72  # twelve hours of them
MOST_SERIES = 400
FORGOTTEN_AFTER = 30  # samples without a reading: the thing is gone, or was judged far from its limit


@dataclass
class Series:
    """One thing's readings: the recent ones, and few of a long time."""

    recent: deque[Point] = field(default_factory=lambda: deque(maxlen=RECENT))
    long: deque[Point] = field(default_factory=lambda: deque(maxlen=LONG))
    count: int = 0
    seen_at: int = 0

    def add(self, point: Point, sample: int) -> None:
        """One more reading."""
        if self.count % LONG_EVERY == 0:
            self.long.append(point)
        self.recent.append(point)
        self.count += 1
        self.seen_at = sample

    def trend(self) -> Trend | None:
        """Of the last minutes, else of the last hours."""
        return trend_of(self.recent) or trend_of((*self.long, self.recent[-1]))


class Course:
    """All series of one host."""

    def __init__(self) -> None:
        self._series: dict[Key, Series] = {}
        self._sample = 0

    def add(self, at_s: float, uses: tuple[Use, ...]) -> None:
        """One sample's readings; what has not been seen for long is forgotten."""
        self._sample += 1
        for use in uses:
            if use.key not in self._series and len(self._series) >= MOST_SERIES:
                continue
            self._series.setdefault(use.key, Series()).add(Point(at_s, use.used, use.limit.value), self._sample)
        gone = [key for key, series in self._series.items() if self._sample - series.seen_at > FORGOTTEN_AFTER]
        for key in gone:
            del self._series[key]

    def trends(self) -> dict[Key, Trend]:
        """Where the things of the newest sample are heading."""
        current = ((key, series.trend()) for key, series in self._series.items() if series.seen_at == self._sample)
        return {key: trend for key, trend in current if trend is not None}

    def of(self, key: Key) -> tuple[tuple[float, float], ...]:
        """Return (used, limit) of the recent readings, oldest first."""
        series = self._series.get(key)
        return tuple((point.used, point.limit) for point in series.recent) if series else ()
