"""How often one account may ask: a bucket of calls that fills up again. Counted in memory, by what the transport proved."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError

BURST = 120.0
A_SECOND = 2.0
MOST_ACCOUNTS = 4096


@dataclass
class RateLimits:
    """One bucket an account. Not shared between processes: each replica allows as much."""

    burst: float = BURST
    a_second: float = A_SECOND
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _refused: set[str] = field(default_factory=set)

    def is_news(self, key: str) -> bool:
        """Was this account's last call the first that was refused in a row? Only that one is worth a row in the log."""
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
