"""Storing jobs that arrive at once with one commit for all: an insert costs a sync of the disk, however many rows it has."""

import threading
from collections.abc import Callable
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.store.jobs import Job, NewJob

Insert = Callable[[list[NewJob]], list[Job]]


@dataclass
class _Arrival:
    """A job that somebody waits for to be stored, and what came of it."""

    new: NewJob
    is_over: bool = False
    stored: Job | None = None
    problem: TrustError | None = None


@dataclass
class Arrivals:
    """Group commit: jobs that arrive during a commit are in the next one. `insert` commits jobs and returns the new ones."""

    insert: Insert
    _pending: list[_Arrival] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _committing: threading.Lock = field(default_factory=threading.Lock)

    def add(self, new: NewJob) -> Job | None:
        """Store a job; None when it was stored before. TrustError: it is not stored, and must not be acknowledged."""
        arrival = _Arrival(new)
        with self._guard:
            self._pending.append(arrival)
        with self._committing:
            if not arrival.is_over:
                self._commit()
        if arrival.problem is not None:
            raise arrival.problem
        return arrival.stored

    def _commit(self) -> None:
        with self._guard:
            arrivals, self._pending = self._pending, []
        first = {(arrival.new.kind, arrival.new.key): arrival for arrival in reversed(arrivals)}
        problem: TrustError | None = TrustError("a job could not be stored", reason="database")
        try:
            for job in self.insert([arrival.new for arrival in first.values()][::-1]):
                first[job.kind, job.key].stored = job
            problem = None
        except TrustError as error:
            problem = error
        finally:
            for arrival in arrivals:
                arrival.problem, arrival.is_over = problem, True
