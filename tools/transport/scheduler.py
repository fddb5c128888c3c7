"""Runs many sessions on one thread: each runs until it has to wait, then the next one that is ready does.

A thread for each host costs more than its work: at two hundred of them the interpreter's lock is handed over fifty
times a host, each time with cold caches. The code of a session knows nothing of it: it waits by `transport/waiting.py`,
and a greenlet is what can be left in the middle of a call (ADR 0141).
"""

import heapq
import select
import time
from collections.abc import Callable, Mapping
from itertools import count

from greenlet import GreenletExit, getcurrent, greenlet
from triagebook.tools.transport import waiting

# How long to let answers gather before a poll: so much for each waiting session, and at most. Handling several ready
# sessions per wake-up saves 5 to 10 % of the CPU of a fleet, because the CPU's caches stay warm.
BATCH_S = 0.0003
LONGEST_BATCH_S = 0.06


class _Wait:
    """What one waiting session waits for, and whether it still does."""

    __slots__ = ("descriptors", "is_over", "session")

    def __init__(self, session: greenlet, descriptors: tuple[int, ...]) -> None:
        self.session, self.descriptors, self.is_over = session, descriptors, False


class Scheduler:
    """Holds the sessions of one thread. Only that thread may call it."""

    def __init__(self) -> None:
        self._main = getcurrent()
        self._poll = select.epoll()
        self._waits: dict[int, _Wait] = {}  # by descriptor
        self._timed: list[tuple[float, int, _Wait]] = []  # a heap; of waits that are over, too
        self._numbers = count()
        self._sessions: set[greenlet] = set()
        self._is_closed = False

    def start(self, work: Callable[[], None]) -> greenlet:
        """Start a session; it runs at once, until it first waits."""
        session = greenlet(work, self._main)
        self._sessions.add(session)
        self._resume(session, session.switch)
        return session

    def _resume(self, session: greenlet, enter: Callable[..., object], *arguments: object) -> None:
        """Run a session until it waits or ends; `enter` is its `switch` or its `throw`."""
        waiting.share(self)
        try:
            enter(*arguments)
        finally:
            waiting.share(None)
            if session.dead:
                self._sessions.discard(session)

    def wait(self, events: Mapping[int, int], timeout_s: float) -> list[tuple[int, int]]:
        """Suspend the calling session until a descriptor is ready or the time is up (see `waiting.ready`)."""
        if self._is_closed:
            return []
        wait = _Wait(getcurrent(), tuple(events))
        for descriptor, wanted in events.items():
            self._watch(descriptor, wanted)
            self._waits[descriptor] = wait
        heapq.heappush(self._timed, (time.monotonic() + timeout_s, next(self._numbers), wait))
        try:
            answer: list[tuple[int, int]] = self._main.switch()
        finally:
            wait.is_over = True
            for descriptor in wait.descriptors:
                del self._waits[descriptor]
        return answer

    def _watch(self, descriptor: int, wanted: int) -> None:
        """Ask for one wake-up only: a descriptor that no session waits for must not wake us. A closed one needs no removal."""
        try:
            self._poll.modify(descriptor, wanted | select.EPOLLONESHOT)
        except FileNotFoundError:
            self._poll.register(descriptor, wanted | select.EPOLLONESHOT)

    def run_once(self, timeout_s: float) -> None:
        """Wait for the descriptors and times of all sessions, and resume each session that is ready."""
        while self._timed and self._timed[0][2].is_over:
            heapq.heappop(self._timed)
        if self._timed:
            timeout_s = min(timeout_s, max(0.0, self._timed[0][0] - time.monotonic()))
        batch_s = min(len(self._waits) * BATCH_S, LONGEST_BATCH_S, timeout_s)
        time.sleep(batch_s)
        timeout_s -= batch_s
        for descriptor, happened in self._poll.poll(timeout_s):
            wait = self._waits.get(descriptor)
            if wait is not None:
                self._resume(wait.session, wait.session.switch, [(descriptor, happened)])
        now = time.monotonic()
        while self._timed and self._timed[0][0] <= now:
            _until, _number, wait = heapq.heappop(self._timed)
            if not wait.is_over:
                self._resume(wait.session, wait.session.switch, [])

    def cancel(self, session: greenlet) -> None:
        """Give a session up where it waits. It may still disconnect from its host in good order."""
        if session in self._sessions:
            self._resume(session, session.throw, GreenletExit)

    def close(self) -> None:
        """Give up all sessions; from here on no session waits any more."""
        self._is_closed = True
        for session in list(self._sessions):
            self.cancel(session)
        self._poll.close()
