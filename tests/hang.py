"""The one use of wall time in an assertion: something hung. How busy the machine is must not decide a test."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_hang(expected_s: float) -> Iterator[None]:
    """Fail when the block takes more than ten times as long as it is expected to."""
    began = time.monotonic()
    yield
    took_s = time.monotonic() - began
    assert took_s < 10 * expected_s, f"{took_s:.1f} s where {expected_s:g} s are expected"
