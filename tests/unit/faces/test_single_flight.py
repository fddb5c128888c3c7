"""One run for equal questions: failing for all, cancelled by nobody's giving up, heard by everybody."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.faces.limits import QueueLimits
from triagebook.tools.faces.single_flight import Flight, SingleFlight, question_key
from triagebook.tools.inventory.target import parse_target

HANG_S = 60
Run = Callable[[Callable[[str], None]], str]


class Crowd:
    """Threads that ask the same question; the run waits until the test releases it."""

    def __init__(self, size: int) -> None:
        self.flights: SingleFlight[str, str] = SingleFlight()
        self.release, self.runs = threading.Event(), 0
        self.heard: list[list[str]] = [[] for _ in range(size)]
        self._joined = threading.Semaphore(0)
        self._pool = ThreadPoolExecutor(size)

    def run(self, tell: Callable[[str], None]) -> str:
        self.runs += 1
        tell("first")
        assert self.release.wait(HANG_S)
        tell("second")
        return "answer"

    def ask(self, number: int, run: Run | None = None, timeout_s: float = HANG_S) -> "Future[str]":
        """Ask in a thread; return when it has joined: then it has heard the first progress."""

        def listen(progress: str) -> None:
            self.heard[number].append(progress)
            self._joined.release()

        future = self._pool.submit(self.flights.ask, "key", run or self.run, listen, timeout_s)
        assert self._joined.acquire(timeout=HANG_S)
        return future


def test_equal_questions_at_the_same_time_make_one_run_and_all_hear_its_progress() -> None:
    crowd = Crowd(3)
    futures = [crowd.ask(number) for number in range(3)]
    assert crowd.flights.listener_count == 3
    crowd.release.set()
    assert [future.result(HANG_S) for future in futures] == ["answer"] * 3
    assert (crowd.runs, crowd.heard) == (1, [["first", "second"]] * 3)
    assert crowd.flights.listener_count == 0


def test_the_next_equal_question_after_the_answer_is_run_anew() -> None:
    crowd = Crowd(2)
    crowd.release.set()
    assert [crowd.ask(number).result(HANG_S) for number in range(2)] == ["answer"] * 2
    assert crowd.runs == 2


def test_a_run_that_fails_fails_for_everybody_who_waits() -> None:
    crowd = Crowd(3)

    def fail(tell: Callable[[str], None]) -> str:
        tell("first")
        assert crowd.release.wait(HANG_S)
        raise RefusedError("no", reason="no_rule")

    futures = [crowd.ask(number, fail) for number in range(3)]
    crowd.release.set()
    for future in futures:
        with pytest.raises(RefusedError, match="no"):
            future.result(HANG_S)


def test_a_waiter_that_gives_up_cancels_nobody_and_hears_no_more() -> None:
    crowd = Crowd(3)
    first = crowd.ask(0)
    given_up = crowd.ask(1, timeout_s=0)
    with pytest.raises(TimeoutError):
        given_up.result(HANG_S)
    last = crowd.ask(2)
    crowd.release.set()
    assert [first.result(HANG_S), last.result(HANG_S)] == ["answer"] * 2
    assert (crowd.runs, crowd.heard) == (1, [["first", "second"], ["first"], ["first", "second"]])


def test_a_listener_that_fails_does_not_end_the_run(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_progress: str) -> None:
        raise RuntimeError("this card cannot be shown")

    crowd = Crowd(1)
    crowd.release.set()
    assert crowd.flights.ask("key", crowd.run, fail, HANG_S) == "answer"
    assert "this card cannot be shown" in caplog.text


def test_a_coroutine_that_is_cancelled_cancels_the_run_for_nobody_else() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    release = threading.Event()

    def run(_tell: Callable[[str], None]) -> str:
        assert release.wait(HANG_S)
        return "answer"

    def ignore(_progress: str) -> None: ...

    async def main(pool: ThreadPoolExecutor) -> str:
        pool.submit(release.wait, HANG_S)  # the only worker is busy: the run has not begun, and still nobody cancels it
        one, other = (flights.submit(pool, "key", run, ignore) for _ in range(2))
        waiter = asyncio.create_task(asyncio.wait_for(asyncio.wrap_future(one.future), HANG_S))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        release.set()
        return await asyncio.wait_for(asyncio.wrap_future(other.future), HANG_S)

    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(main(pool)) == "answer"


def test_who_waits_for_a_run_that_a_stopping_server_gives_up_is_told() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    release, pool = threading.Event(), ThreadPoolExecutor(1)
    pool.submit(release.wait, HANG_S)
    waiting = flights.submit(pool, "key", lambda _tell: "answer", lambda _progress: None)
    pool.shutdown(wait=False, cancel_futures=True)
    late = flights.submit(pool, "other", lambda _tell: "answer", lambda _progress: None)
    release.set()
    for flight in (waiting, late):
        with pytest.raises(UsageError, match="stopping") as refused:
            flight.future.result(HANG_S)
        assert refused.value.reason == "busy"


def test_questions_are_equal_when_host_runbook_and_inputs_are() -> None:
    def key(host: str, **inputs: object) -> object:
        return question_key(Question(parse_target(host), "forks@1.0.0", inputs))

    assert key("web-01", unit="a.service", pid=7) == key("web-01", pid=7, unit="a.service")
    assert len({key("web-01"), key("web-02"), key("web-01", pid=7), key("web-01", pid=8)}) == 4


def test_one_account_and_all_together_hold_only_so_many_places() -> None:
    limits = QueueLimits(most_of_one=1, most=2)
    with limits.hold("os:ann"):
        with pytest.raises(UsageError, match="busy, retry in 3 s: 1 diagnoses"), limits.hold("os:ann"):
            pass
        with limits.hold("os:bob"), pytest.raises(UsageError, match="2 diagnoses"), limits.hold("os:cid"):
            pass
    with limits.hold("os:ann"):
        pass


def test_who_gives_up_while_the_others_are_told_hears_no_more() -> None:
    flight: Flight[str, str] = Flight()
    heard: list[str] = []
    flight.listen(lambda _progress: flight.leave(heard.append))
    flight.listen(heard.append)
    flight.tell("first")
    assert heard == []
