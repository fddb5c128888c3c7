"""Asks many hosts at once: many sessions on one thread, a ramp, an error budget, and a deadline for each host.

Answers come as they arrive and are not kept here: memory does not grow with the number of hosts. A host that goes
silent costs a descriptor until its deadline, and the others nothing.
"""

import resource
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.log import log_event
from triagebook.tools.transport.scheduler import Scheduler

AT_ONCE = 200
RAMP_S = 0.25  # the number at once doubles this often, and grows by one with each answer
OVERDUE_S = 1.0  # how often those that overran their deadline are looked for
FILES_A_HOST = 4


@dataclass(frozen=True)
class FleetBounds:
    """`max_errors`: so many hosts unreachable or failed, and no further one is asked (0: no budget)."""

    at_once: int = AT_ONCE
    max_errors: int = 0
    host_s: float = 90.0


@dataclass(frozen=True)
class Outcome:
    """One host's end: an answer, a failure, or that it was not asked (the budget was used up)."""

    question: Question
    answer: Answer | None = None
    error: TriagebookError | None = None

    @property
    def is_error(self) -> bool:
        """It counts against the budget."""
        return self.error is not None or (self.answer is not None and self.answer.diagnosis.status == "unreachable")


class Fleet:
    """One run over many questions. `ask` yields an Outcome for each of them, exactly one, in the order they end."""

    def __init__(self, ask: Callable[[Question], Answer], bounds: FleetBounds | None = None) -> None:
        self._one, self._bounds = ask, bounds or FleetBounds()
        self._at_once = max(1, min(self._bounds.at_once, _files_allow()))
        self._scheduler = Scheduler()
        self._ended: deque[tuple[int, Outcome]] = deque()
        self._running: dict[int, tuple[Question, float, Any]] = {}  # until when, and the session
        self._errors = 0
        self._allowed, self._doubled, self._looked = 1.0, 0.0, 0.0

    def ask(self, questions: Iterable[Question]) -> Iterator[Outcome]:
        """See the class. Ends its sessions when the caller stops iterating."""
        self._doubled = time.monotonic()
        coming = enumerate(questions)
        try:
            while True:
                self._start(coming)
                if not self._running:
                    break
                outcome = self._next()
                if outcome is not None:
                    yield outcome
            yield from (Outcome(item) for _number, item in coming)
        finally:
            self._scheduler.close()

    def _start(self, coming: Iterator[tuple[int, Question]]) -> None:
        """Start as many as are allowed now. Nothing more once the budget is used up."""
        self._ramp()
        while len(self._running) < int(self._allowed) and not self._is_spent:
            item = next(coming, None)
            if item is None:
                break
            number, question = item
            until = time.monotonic() + self._bounds.host_s
            self._running[number] = question, until, self._scheduler.start(partial(self._work, number, question))

    def _ramp(self) -> None:
        """A slow network or one silent host must not hold the ramp: it grows with time as well as with answers."""
        now = time.monotonic()
        while self._allowed < self._at_once and now - self._doubled >= RAMP_S:
            self._allowed, self._doubled = self._allowed * 2, self._doubled + RAMP_S
        self._allowed = min(self._allowed, float(self._at_once))

    @property
    def _is_spent(self) -> bool:
        return 0 < self._bounds.max_errors <= self._errors

    def _next(self) -> Outcome | None:
        """The next end, or None when nothing ended in a while."""
        if time.monotonic() - self._looked > OVERDUE_S and (late := self._overdue()) is not None:
            return late
        if not self._ended:
            self._scheduler.run_once(RAMP_S if self._allowed < self._at_once else OVERDUE_S)
        if not self._ended:
            return None
        number, outcome = self._ended.popleft()
        if self._running.pop(number, None) is None:
            return None  # given up before
        return self._count(outcome)

    def _overdue(self) -> Outcome | None:
        """A host whose session does not come to its end: it is given up."""
        now = time.monotonic()
        number = next((key for key, (_question, until, _session) in self._running.items() if now > until), None)
        if number is None:
            self._looked = now
            return None
        question, _until, session = self._running.pop(number)
        self._scheduler.cancel(session)
        text = f"{question.target.text}: no answer within {self._bounds.host_s:g} s; given up"
        return self._count(Outcome(question, error=TriagebookError(text, reason="deadline")))

    def _count(self, outcome: Outcome) -> Outcome:
        self._errors += outcome.is_error
        self._allowed = min(self._allowed + 1, float(self._at_once))
        return outcome

    def _work(self, number: int, question: Question) -> None:
        """One session from its beginning to its end."""
        try:
            outcome = Outcome(question, self._one(question))
        except TriagebookError as error:
            outcome = Outcome(question, error=error)
        except Exception as error:  # noqa: BLE001 - a fault of ours at one host must not lose the others
            log_event("fleet.defect", host=question.target.text, error=error)
            fault = TriagebookError(f"{question.target.text}: {type(error).__name__}: {error}", reason="fault")
            outcome = Outcome(question, error=fault)
        log_event("fleet.ended", host=question.target.text, error=outcome.error)
        self._ended.append((number, outcome))


def fleet(service: Service, runbook: str, bounds: FleetBounds | None = None) -> Fleet:
    """A fleet of that service's hosts; its runbooks are read once for all of them. Raises RunbookError."""
    return Fleet(service.preload_runbooks(runbook).diagnose, bounds)


@lru_cache(maxsize=1)
def _files_allow() -> int:
    """How many hosts the limit on open files leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        except (OSError, ValueError):
            pass
    found = (soft - 64) // FILES_A_HOST
    if found < 1:
        raise UsageError("the limit on open files leaves no room to ask a host (ulimit -n)")
    return found
