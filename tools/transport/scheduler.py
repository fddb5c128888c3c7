"""Sessions that take turns on one thread: each runs until it has to wait, then the next one that can go on does.

A thread for each host costs more than its work: at two hundred of them the interpreter's lock is handed over fifty
times a host, each time with cold caches. The code of a session knows nothing of it: `transport/waiting.py` is where it
gives way, and a greenlet is what can be left in the middle of a call.
"""

import heapq
import select
import time
from collections.abc import Callable, Mapping
from itertools import count

from greenlet import GreenletExit, getcurrent, greenlet
from triagebook.tools.transport import waiting

# Before the answers are looked at, for each session that waits. Who is woken for several answers at once has a tenth less
# to do than who is woken for each: what the interpreter needs comes back into the CPU's caches once.
GATHER_S = 0.0003
MOST_GATHER_S = 0.06


class _Wait:
    """One session that waits: for which descriptors, and whether it still does."""

    __slots__ = ("descriptors", "is_over", "session")

    def __init__(self, session: greenlet, descriptors: tuple[int, ...]) -> None:
        self.session, self.descriptors, self.is_over = session, descriptors, False


class Scheduler:
    """The sessions of one thread. Only that thread may touch it."""

    def __init__(self) -> None:
        self._main = getcurrent()
        self._poll = select.epoll()
        self._waits: dict[int, _Wait] = {}  # by descriptor
        self._timed: list[tuple[float, int, _Wait]] = []  # a heap; of waits that are over, too
        self._numbers = count()
        self._sessions: set[greenlet] = set()
        self._is_closed = False

    def begin(self, work: Callable[[], None]) -> greenlet:
        """Start a session; it has its first turn now."""
        session = greenlet(work, self._main)
        self._sessions.add(session)
        self._give(session, session.switch)
        return session

    def _give(self, session: greenlet, turn: Callable[..., object], *arguments: object) -> None:
        """One turn: until the session waits or ends."""
        waiting.share(self)
        try:
            turn(*arguments)
        finally:
            waiting.share(None)
            if session.dead:
                self._sessions.discard(session)

    def wait(self, events: Mapping[int, int], timeout_s: float) -> list[tuple[int, int]]:
        """Called by a session: give way until a descriptor is ready or the time is up (`waiting.ready`)."""
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
        """Once: what is ready while nobody waits for it must not wake us. A closed descriptor leaves the set by itself."""
        try:
            self._poll.modify(descriptor, wanted | select.EPOLLONESHOT)
        except FileNotFoundError:
            self._poll.register(descriptor, wanted | select.EPOLLONESHOT)

    def go_on(self, timeout_s: float) -> None:
        """Wait for what the sessions wait for, and give each that can go on its turn."""
        while self._timed and self._timed[0][2].is_over:
            heapq.heappop(self._timed)
        if self._timed:
            timeout_s = min(timeout_s, max(0.0, self._timed[0][0] - time.monotonic()))
        gathering_s = min(len(self._waits) * GATHER_S, MOST_GATHER_S, timeout_s)
        time.sleep(gathering_s)
        timeout_s -= gathering_s
        for descriptor, happened in self._poll.poll(timeout_s):
            wait = self._waits.get(descriptor)
            if wait is not None:
                self._give(wait.session, wait.session.switch, [(descriptor, happened)])
        now = time.monotonic()
        while self._timed and self._timed[0][0] <= now:
            _until, _number, wait = heapq.heappop(self._timed)
            if not wait.is_over:
                self._give(wait.session, wait.session.switch, [])

    def end(self, session: greenlet) -> None:
        """Give a session up where it waits. It may still say goodbye to its host."""
        if session in self._sessions:
            self._give(session, session.throw, GreenletExit)

    def close(self) -> None:
        """Give up all of them; nobody waits any more."""
        self._is_closed = True
        for session in list(self._sessions):
            self.end(session)
        self._poll.close()
