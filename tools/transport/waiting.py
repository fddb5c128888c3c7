"""Every wait of a session goes through here, for descriptors or for time; a wait elsewhere holds up a whole fleet.

A session with a thread of its own blocks it. In a fleet many sessions share one thread (`transport/scheduler.py`), and while one
waits the others run; the code of a session is the same in both.
"""

import select
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

READABLE, WRITABLE = select.POLLIN, select.POLLOUT  # of poll(2) and epoll(7) alike
POLL_S = 0.01
_LONGEST_S = 1e6


class CooperativeScheduler(Protocol):
    """Runs other sessions while one waits."""

    def wait(self, events: Mapping[int, int], timeout_s: float) -> list[tuple[int, int]]:
        """Wait as `ready` does."""
        ...


class _ThreadState(threading.local):
    scheduler: CooperativeScheduler | None = None  # while one of its sessions runs


_thread = _ThreadState()


def share(scheduler: CooperativeScheduler | None) -> None:
    """Let `scheduler` run other sessions during every wait on this thread; None: a wait blocks the thread, as at first."""
    _thread.scheduler = scheduler


def ready(events: Mapping[int, int], timeout_s: float) -> list[tuple[int, int]]:
    """Wait until a descriptor is ready: (descriptor, what happened) of each, as poll(2) has it; none at the timeout."""
    left_s = max(0.0, min(timeout_s, _LONGEST_S))
    if _thread.scheduler is not None:
        return _thread.scheduler.wait(events, left_s)
    poll = select.poll()  # select(2) ends at descriptor 1023, which many sessions pass
    for descriptor, wanted in events.items():
        poll.register(descriptor, wanted)
    return poll.poll(left_s * 1000)


def pause(seconds: float) -> None:
    """Let the time pass."""
    if _thread.scheduler is None:
        time.sleep(seconds)
    else:
        _thread.scheduler.wait({}, seconds)


def until(is_reached: Callable[[], bool], seconds: float) -> bool:
    """Poll the condition until it holds; False when it did not in time."""
    end = time.monotonic() + seconds
    while not is_reached():
        if time.monotonic() >= end:
            return False
        pause(POLL_S)
    return True
