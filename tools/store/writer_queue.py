"""The line in which writers of a database wait: so many write at once, in the order they came, urgent ones first."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class WriterQueue:
    """Lets `most` writers write at once. SQLite's own way to wait is polling, and a pool of connections' too: neither is fair."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._guard, self._writing = threading.Lock(), 0
        self._urgent: deque[threading.Event] = deque()
        self._others: deque[threading.Event] = deque()

    @property
    def line_length(self) -> int:
        """How many wait."""
        return len(self._urgent) + len(self._others)

    @contextmanager
    def hold(self, *, is_urgent: bool) -> Iterator[None]:
        """Wait, hold, hand over."""
        turn = threading.Event()
        with self._guard:
            if self._writing >= self.most:
                (self._urgent if is_urgent else self._others).append(turn)
            else:
                self._writing += 1
                turn.set()
        turn.wait()
        try:
            yield
        finally:
            with self._guard:
                waiting = self._urgent or self._others
                if waiting:
                    waiting.popleft().set()
                else:
                    self._writing -= 1
