"""The one use of wall time in an assertion: something hung. How busy the machine is must not decide a test."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

GUARD_S = 300.0  # how long a test waits for what must come: many times what the busiest machine needs
SHORTEST_S = 10.0  # a process that waits for its turn on a busy machine is no hang


@contextmanager
def no_hang(expected_s: float) -> Iterator[None]:
    """Fail when the block takes more than ten times as long as it is expected to, or ten seconds where that is more."""
    began = time.monotonic()
    yield
    took_s = time.monotonic() - began
    assert took_s < max(SHORTEST_S, 10 * expected_s), f"{took_s:.1f} s where {expected_s:g} s are expected"
