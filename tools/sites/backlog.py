"""Lines up questions whose site has no free worker: who waited longest asks first, as soon as a worker says that it is free."""

import contextlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Literal

from triagebook.tools.transport.wakeup import Wakeup

BUSY_S = 20.0  # a question waits until no worker came free for so long
LONGEST_S = 120.0  # and no longer than this, where many wait
LOOK_S = 1.0  # the first of a line asks again after that time, also if nobody said anything


Turn = Literal["called", "looks", "over"]  # a worker came free; it asks without a call, being the first; it has waited enough


class QueuedQuestion:
    """One question in the line of its site, and what tells it that it may ask."""

    def __init__(self) -> None:
        self.is_called = False
        self.wakeup = Wakeup()


class Backlog:
    """The lines of all sites. May be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._lines: defaultdict[str, deque[QueuedQuestion]] = defaultdict(deque)
        self._calls: defaultdict[str, int] = defaultdict(int)  # so often a worker came free and nobody was in line
        self._moved: dict[str, float] = {}  # when the first of each line was called

    @property
    def length(self) -> int:
        """How many wait, of all sites."""
        with self._guard:
            return sum(len(line) for line in self._lines.values())

    def is_empty(self, site: str) -> bool:
        """Whether nobody waits for that site."""
        return not self._lines.get(site)

    def calls(self, site: str) -> int:
        """Return how often so far a worker came free that nobody in line was waiting for: to be noted before one is asked."""
        return self._calls[site]

    def wait(self, site: str, began: float, calls: int, *, is_first: bool) -> Turn:
        """Wait in line until it is this question's turn, `is_first` before all others.

        `began` is when it was asked first, of the monotonic clock. If a worker came free since `calls`, it need not wait: the
        answer that none was free may be older than that.
        """
        with self._queue(site, is_first=is_first) as place:
            if self._calls[site] != calls:
                return "called"
            while (left_s := self._time_for(site, began)) > 0:
                place.wakeup.wait(min(LOOK_S, left_s))
                with self._guard:
                    if place.is_called:
                        place.is_called = False  # it is used
                        return "called"
                    if self._lines[site][0] is place:
                        return "looks"
        return "over"

    def _time_for(self, site: str, began: float) -> float:
        since_s = max(began, self._moved.get(site, 0.0))
        return min(began + LONGEST_S, since_s + BUSY_S) - time.monotonic()

    def call(self, site: str, count: int) -> None:
        """Let the first `count` of a line ask."""
        with self._guard:
            line = self._lines.get(site)
            if line and count > 0:
                self._moved[site] = time.monotonic()
            while line and count > 0:
                place = line.popleft()
                place.is_called = True
                place.wakeup.set()
                count -= 1
            self._calls[site] += count > 0

    def call_all(self) -> None:
        """Let everybody ask: there is news for all."""
        with self._guard:
            lengths = {site: len(line) for site, line in self._lines.items()}
        for site, length in lengths.items():
            self.call(site, length)

    @contextlib.contextmanager
    def _queue(self, site: str, *, is_first: bool) -> Iterator[QueuedQuestion]:
        place = QueuedQuestion()
        with self._guard:
            line = self._lines[site]
            line.insert(0 if is_first else len(line), place)
        try:
            yield place
        finally:
            with self._guard:
                with contextlib.suppress(ValueError):  # it was called
                    line.remove(place)
                is_unused, place.is_called = place.is_called, False
                place.wakeup.close()
            if is_unused:  # its question was given up at that moment
                self.call(site, 1)
