"""Holds a log event back that was logged a moment ago: who floods a listener shall not flood the log."""

import time
from collections.abc import Callable

INTERVAL_S = 1.0


class LogInterval:
    """Tells whether an event may be logged now, which is at most once a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._next_s = clock, float("-inf")

    def is_over(self) -> bool:
        """Tell whether the event may be logged; if it may, the next second begins now."""
        now = self._clock()
        if now < self._next_s:
            return False
        self._next_s = now + INTERVAL_S
        return True
