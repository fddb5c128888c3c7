"""Answers equal questions that are asked at the same time by one run (single-flight), for every face.

Each face calls the same three parts for an account it has identified: `permission` (may this account have that host
diagnosed?), `limits` (how often, how many at once), and this one, which coalesces what is equal. A run that fails fails
for everybody who waits for it; whoever gives up waiting cancels nobody else; progress goes to all, also to who joined late.
"""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.log import log_event

Answer = TypeVar("Answer")
Progress = TypeVar("Progress")


class Flight(Generic[Answer, Progress]):
    """One run under way: its answer in the future, and everybody who listens to its progress."""

    def __init__(self) -> None:
        self.future: Future[Answer] = Future()
        self.future.set_running_or_notify_cancel()  # from now on nobody can cancel it
        self._guard = threading.Lock()
        self._listeners: list[Callable[[Progress], None]] = []
        self._told: list[Progress] = []

    def listen(self, listener: Callable[[Progress], None]) -> None:
        """Tell this listener everything from now on, and first the last that was told."""
        with self._guard:
            self._listeners.append(listener)
            last = self._told[-1:]
        for progress in last:
            _tell(listener, progress)

    def leave(self, listener: Callable[[Progress], None]) -> None:
        """Tell this listener nothing more."""
        with self._guard:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def tell(self, progress: Progress) -> None:
        """Tell all listeners how far the run is."""
        with self._guard:
            self._told[:] = [progress]
            listeners = list(self._listeners)
        for listener in listeners:
            if listener in self._listeners:  # not one that gave up meanwhile
                _tell(listener, progress)

    @property
    def listener_count(self) -> int:
        """How many listen."""
        with self._guard:
            return len(self._listeners)


class SingleFlight(Generic[Answer, Progress]):
    """The runs under way, by question. Thread-safe; used as it is by threads, and by coroutines through `submit`."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._flights: dict[Hashable, Flight[Answer, Progress]] = {}

    @property
    def listener_count(self) -> int:
        """How many wait for an answer."""
        with self._guard:
            flights = list(self._flights.values())
        return sum(flight.listener_count for flight in flights)

    def ask(
        self,
        key: Hashable,
        run: Callable[[Callable[[Progress], None]], Answer],
        listener: Callable[[Progress], None],
        timeout_s: float,
    ) -> Answer:
        """Run it in this thread, or wait for the equal run under way. Raises what the run raised; TimeoutError for a waiter."""
        flight, is_new = self._join(key)
        flight.listen(listener)
        if is_new:
            self._fly(key, flight, run)
        try:
            return flight.future.result(timeout_s)
        finally:
            flight.leave(listener)

    def submit(
        self,
        pool: Executor,
        key: Hashable,
        run: Callable[[Callable[[Progress], None]], Answer],
        listener: Callable[[Progress], None],
    ) -> Flight[Answer, Progress]:
        """Have the pool run it, unless an equal run is under way. The caller awaits the flight's future and leaves it."""
        flight, is_new = self._join(key)
        flight.listen(listener)
        if is_new:
            try:
                pool.submit(self._fly, key, flight, run).add_done_callback(lambda done: self._drop(key, flight, done))
            except RuntimeError:  # the pool is shut down
                self._end(key, flight, _stop_error())
        return flight

    def _join(self, key: Hashable) -> tuple[Flight[Answer, Progress], bool]:
        with self._guard:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def _fly(self, key: Hashable, flight: Flight[Answer, Progress], run: Callable[[Callable[[Progress], None]], Answer]) -> None:
        try:
            answer = run(flight.tell)
        except BaseException as error:  # noqa: BLE001 - whatever it is, all who wait are told
            self._end(key, flight, error)
        else:
            with self._guard:
                self._flights.pop(key, None)
            flight.future.set_result(answer)

    def _end(self, key: Hashable, flight: Flight[Answer, Progress], error: BaseException) -> None:
        with self._guard:
            self._flights.pop(key, None)
        flight.future.set_exception(error)

    def _drop(self, key: Hashable, flight: Flight[Answer, Progress], done: "Future[None]") -> None:
        """Tell those who wait for a run that the pool gave up before it began."""
        if done.cancelled():
            self._end(key, flight, _stop_error())


def question_key(question: Question) -> Hashable:
    """What makes two questions equal: the host, the runbook, what is known of the incident, and how it is looked."""
    inputs = tuple(sorted(question.inputs.items()))
    return question.target.text, question.runbook, question.left_out, inputs, question.accepted, question.sample_s, question.samples


def _stop_error() -> UsageError:
    return UsageError("busy: this server is stopping, nothing was done", reason="busy")


def _tell(listener: Callable[[Progress], None], progress: Progress) -> None:
    try:
        listener(progress)
    except Exception as error:  # noqa: BLE001 - this face hears nothing of the progress; the run goes on for the others
        log_event("diagnosis.listener_failed", error=error)
