"""Counts how many more sessions a worker can take, and how many of them the NATS server may still send it.

The NATS server hands a question to a worker only while that worker has asked for more: a full one gets none, so a free one gets
them all, and where all are full it says at once that nobody takes it.
"""

import threading


class Capacity:
    """The sessions of one worker. Called by the thread of the connection and by the one that runs the sessions."""

    def __init__(self, at_once: int) -> None:
        self._at_once, self._guard = at_once, threading.Lock()
        self._taken = 0
        self._wanted = 0  # asked for, and not come yet

    @property
    def sessions(self) -> int:
        """How many sessions there are, with those that have arrived and not begun."""
        return self._taken

    def want(self) -> int:
        """Return how many more questions to ask for now. A few large requests: as many as are on their way already, or more."""
        with self._guard:
            more = self._at_once - self._taken - self._wanted
            if more <= 0 or more < self._wanted:
                return 0
            self._wanted += more
            return more

    def want_anew(self) -> int:
        """Return how many to ask for over a new connection: what was asked for over the old one is forgotten."""
        with self._guard:
            self._wanted = max(0, self._at_once - self._taken)
            return self._wanted

    def unwant(self, count: int) -> None:
        """Note that so many were not asked for after all: there is no connection."""
        with self._guard:
            self._wanted = max(0, self._wanted - count)

    def arrive(self) -> bool:
        """Note that a question arrived. False: there is no room for it."""
        with self._guard:
            self._wanted = max(0, self._wanted - 1)
            if self._taken >= self._at_once:
                return False
            self._taken += 1
            return True

    def end(self) -> None:
        """Note that a session ended."""
        with self._guard:
            self._taken -= 1

    def close(self) -> None:
        """Ask for nothing more."""
        with self._guard:
            self._at_once = 0
