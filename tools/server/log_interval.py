"""Holds a log event back that was logged a moment ago: who floods a listener shall not flood the log."""

import time
from collections.abc import Callable

INTERVAL_S = 1.0


class LogInterval:
    """Tells whether an event may be logged now: at most once a second, after the first `at_once` of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, at_once: int = 1) -> None:
        self._clock, self._at_once, self._next_s = clock, at_once, float("-inf")

    def is_over(self) -> bool:
        """Tell whether the event may be logged; if it may, the next second begins."""
        now = self._clock()
        if now < self._next_s:
            return False
        self._next_s = max(self._next_s, now - (self._at_once - 1) * INTERVAL_S) + INTERVAL_S
        return True
