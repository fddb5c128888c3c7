"""Limits how often one account may ask, and how many questions may wait, by the account that the channel proved.

Limits are counted in memory and not shared between processes: each replica allows as much.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError

BURST = 120.0
A_SECOND = 2.0
MOST_ACCOUNTS = 4096
BUSY_S = 3


@dataclass
class RateLimits:
    """A token bucket for each account: `burst` calls at once, `a_second` more each second."""

    burst: float = BURST
    a_second: float = A_SECOND
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _refused: set[str] = field(default_factory=set)

    def is_news(self, key: str) -> bool:
        """Tell whether this account's last call was the first refused in a row. Only that one is worth an audit row."""
        is_first = key not in self._refused
        self._refused.add(key)
        return is_first

    def take(self, key: str) -> None:
        """Take one call. Raises UsageError `rate_limit` when there is none left."""
        now = self.clock()
        left, at = self._buckets.pop(key, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.a_second)
        is_allowed = left >= 1
        self._buckets[key] = (left - 1 if is_allowed else left, now)
        while len(self._buckets) > MOST_ACCOUNTS:
            self._refused.discard(self._buckets.popitem(last=False)[0])
        if is_allowed:
            self._refused.discard(key)
        if not is_allowed:
            wait_s = (1 - left) / self.a_second
            raise UsageError(f"too many calls: {self.a_second:g} a second; wait {max(1, round(wait_s))} s", reason="rate_limit")


@dataclass
class QueueLimits:
    """How many questions may wait or run at once: of one account, and of all."""

    most_of_one: int = 80
    most: int = 400
    _waiting: Counter[str] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Hold one place of this account for the block. Raises UsageError `busy` when there is none."""
        with self._guard:
            waiting = self._waiting.total()
            if self._waiting[key] >= self.most_of_one or waiting >= self.most:
                raise UsageError(f"busy, retry in {BUSY_S} s: {waiting} diagnoses are waiting", reason="busy")
            self._waiting[key] += 1
        try:
            yield
        finally:
            with self._guard:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key]
