"""Where a session waits: for descriptors, or for time to pass. What waits elsewhere holds up a whole fleet.

A session with a thread of its own blocks it. In a fleet many sessions share one thread (`transport/scheduler.py`), and the one
that waits gives way to the others; the code of a session is the same in both.
"""

import select
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

READABLE, WRITABLE = select.POLLIN, select.POLLOUT  # of poll(2) and epoll(7) alike
LOOK_S = 0.01
_LONGEST_S = 1e6


class CooperativeScheduler(Protocol):
    """Who is given way to."""

    def wait(self, events: Mapping[int, int], timeout_s: float) -> list[tuple[int, int]]:
        """As `ready`."""
        ...


class _Here(threading.local):
    turns: CooperativeScheduler | None = None  # while a session that shares this thread runs


_here = _Here()


def share(turns: CooperativeScheduler | None) -> None:
    """From here on waiting gives way to `turns`, on this thread; None: it blocks the thread, as it does from the start."""
    _here.turns = turns


def ready(events: Mapping[int, int], timeout_s: float) -> list[tuple[int, int]]:
    """(descriptor, what happened) of those that are ready, as poll(2) has it; none at the timeout."""
    left_s = max(0.0, min(timeout_s, _LONGEST_S))
    if _here.turns is not None:
        return _here.turns.wait(events, left_s)
    poll = select.poll()  # select(2) ends at descriptor 1023, which many sessions pass
    for descriptor, wanted in events.items():
        poll.register(descriptor, wanted)
    return poll.poll(left_s * 1000)


def pause(seconds: float) -> None:
    """Let the time pass."""
    if _here.turns is None:
        time.sleep(seconds)
    else:
        _here.turns.wait({}, seconds)


def line_up() -> None:
    """Before a long piece of work that other sessions will do as well: give way until all that can go on have come as far.

    Then they do it one after the other, and the CPU's caches keep what it takes. On a thread of one's own it is nothing.
    """
    if _here.turns is not None:
        _here.turns.wait({}, 0.0)  # whose time is up is woken after those who were answered


def until(is_reached: Callable[[], bool], seconds: float) -> bool:
    """Look again and again; whether it was reached in time."""
    end = time.monotonic() + seconds
    while not is_reached():
        if time.monotonic() >= end:
            return False
        pause(LOOK_S)
    return True
