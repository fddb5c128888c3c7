"""What a store's commits tell a test, and waiting for what another thread does."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.hang import GUARD_S


@dataclass
class Steps:
    """Counts the steps of a store. A step that was put into `held` waits there until it is let go."""

    seen: Counter[str] = field(default_factory=Counter)
    held: dict[str, threading.Event] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, name: str) -> None:
        with self.guard:
            self.seen[name] += 1
        if name in self.held:
            assert self.held[name].wait(GUARD_S)


def until(is_so: Callable[[], object], what: str) -> None:
    """Give other threads the time to do something that must come."""
    deadline = time.monotonic() + GUARD_S
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)
