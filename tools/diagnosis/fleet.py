"""Asks many hosts at once: many sessions on one thread, a ramp, an error budget, and a deadline for each host.

Answers come as they arrive and are not kept here: memory does not grow with the number of hosts. A host that goes
silent costs a descriptor until its deadline, and the others nothing.
"""

import resource
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.tools.diagnosis.lanes import Lanes
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.log import log_event
from triagebook.tools.transport.base import Timeouts, timeouts_for
from triagebook.tools.transport.scheduler import Scheduler

AT_ONCE = 200
RAMP_S = 0.25  # the number at once doubles this often, and grows by one with each answer
OVERDUE_S = 1.0  # how often those that overran their deadline are looked for
FILES_A_HOST = 4
SPARE_S = 5.0  # beyond the login of a host that is given up soon: time to read and judge what has come


@dataclass(frozen=True)
class FleetBounds:
    """`at_once`: of each site, and of the hosts without one.

    `max_errors`: so many hosts unreachable or failed, and no further one is asked (0: no budget).
    """

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
        self._at_once, self._most = max(1, self._bounds.at_once), _files_allow()
        self._scheduler = Scheduler()
        self._ended: deque[tuple[int, Outcome]] = deque()
        self._running: dict[int, tuple[Question, float, Any]] = {}  # until when, and the session
        self._errors = 0
        self._allowed, self._doubled, self._looked = 1.0, 0.0, 0.0
        self._is_growing = True

    def ask(self, questions: Iterable[Question]) -> Iterator[Outcome]:
        """See the class. Ends its sessions when the caller stops iterating."""
        self._doubled = time.monotonic()
        lanes = Lanes(questions, min(self._at_once, self._most))
        try:
            while True:
                self._start(lanes)
                if not self._running:
                    break
                outcome = self._next()
                if outcome is not None:
                    lanes.end(outcome.question)
                    yield outcome
            yield from (Outcome(item) for _number, item in lanes.rest())
        finally:
            self._scheduler.close()

    def _start(self, lanes: Lanes) -> None:
        """Start as many as are allowed now. Nothing more once the budget is used up."""
        self._ramp(min(lanes.most, self._most))
        while len(self._running) < int(self._allowed) and not self._is_spent:
            item = lanes.take()
            if item is None:
                break
            number, question = item
            until = time.monotonic() + self._bounds.host_s
            self._running[number] = question, until, self._scheduler.start(partial(self._work, number, question))

    def _ramp(self, most: int) -> None:
        """A slow network or one silent host must not hold the ramp: it grows with time as well as with answers."""
        now = time.monotonic()
        while self._allowed < most and now - self._doubled >= RAMP_S:
            self._allowed, self._doubled = self._allowed * 2, self._doubled + RAMP_S
        self._is_growing, self._allowed = self._allowed < most, min(self._allowed, float(most))

    @property
    def _is_spent(self) -> bool:
        return 0 < self._bounds.max_errors <= self._errors

    def _next(self) -> Outcome | None:
        """The next end, or None when nothing ended in a while."""
        if time.monotonic() - self._looked > OVERDUE_S and (late := self._overdue()) is not None:
            return late
        if not self._ended:
            self._scheduler.run_once(RAMP_S if self._is_growing else OVERDUE_S)
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
        self._allowed += 1
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
    bounds = bounds or FleetBounds()
    if service.silent_s:
        bounds = replace(bounds, host_s=_host_s(service.silent_s))
    return Fleet(service.preload_runbooks(runbook).diagnose, bounds)


def _host_s(silent_s: float) -> float:
    """How long one host may take in all where somebody said how long it may be silent."""
    login = timeouts_for(silent_s)
    return login.total_s + (SPARE_S if login.total_s < Timeouts().total_s else FleetBounds().host_s - Timeouts().total_s)


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
