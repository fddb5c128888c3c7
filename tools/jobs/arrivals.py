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
    """Jobs of one delivery, which somebody waits for to be stored, and those of them that were new."""

    new: list[NewJob]
    is_over: bool = False
    stored: list[Job] = field(default_factory=list)
    problem: TrustError | None = None


@dataclass
class Arrivals:
    """Group commit: jobs that arrive during a commit are in the next one. `insert` commits jobs and returns the new ones."""

    insert: Insert
    _pending: list[_Arrival] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _committing: threading.Lock = field(default_factory=threading.Lock)

    def add(self, new: list[NewJob]) -> list[Job]:
        """Store jobs, all or none; those that were not stored before. TrustError: they are not, and must not be acknowledged."""
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
        first: dict[tuple[str, str], tuple[NewJob, _Arrival]] = {}
        for arrival in arrivals:
            for new in arrival.new:
                first.setdefault((new.kind, new.key), (new, arrival))
        problem: TrustError | None = TrustError("a job could not be stored", reason="database")
        try:
            for job in self.insert([new for new, _arrival in first.values()]):
                first[job.kind, job.key][1].stored.append(job)
            problem = None
        except TrustError as error:
            problem = error
        finally:
            for arrival in arrivals:
                arrival.problem, arrival.is_over = problem, True
