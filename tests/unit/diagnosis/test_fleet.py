"""A fleet: every host exactly once, a ramp, an error budget, deadlines that hold, and one silent host that costs nothing."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.collector.collect import HostReader
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.fleet import Fleet, FleetBounds, Outcome
from triagebook.tools.diagnosis.lanes import Lanes
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.transport import waiting
from triagebook.tools.transport.scheduler import Scheduler

from tests.hang import no_hang


def questions(count: int) -> list[Question]:
    return [Question(parse_target(f"h{number:04}"), "book") for number in range(count)]


def answer(question: Question, status: str = "healthy") -> Any:
    return SimpleNamespace(diagnosis=SimpleNamespace(status=status, host=SimpleNamespace(name=question.target.text)), history=())


def names(outcomes: list[Outcome]) -> list[str]:
    return sorted(outcome.question.target.text for outcome in outcomes)


def test_no_host_is_lost_doubled_or_mixed_up() -> None:
    def ask(question: Question) -> Answer:
        waiting.pause(0.001)
        return answer(question)  # type: ignore[no-any-return]

    outcomes = list(Fleet(ask, FleetBounds(at_once=50)).ask(questions(600)))
    assert names(outcomes) == [f"h{number:04}" for number in range(600)]
    assert all(outcome.answer and outcome.answer.diagnosis.host.name == outcome.question.target.text for outcome in outcomes)


def test_it_begins_with_one_host_and_never_exceeds_what_is_allowed() -> None:
    running, most = [0], [0]
    early: list[int] = []

    def ask(question: Question) -> Answer:
        running[0] += 1
        most[0] = max(most[0], running[0])
        if not early:
            waiting.pause(0.15)  # the ramp has not doubled for the first time
            early.append(running[0])
        waiting.pause(0.005)
        running[0] -= 1
        return answer(question)  # type: ignore[no-any-return]

    list(Fleet(ask, FleetBounds(at_once=12)).ask(questions(200)))
    assert early == [1]
    assert 6 < most[0] <= 12


def test_silent_hosts_cost_the_others_nothing() -> None:
    release: list[bool] = []
    in_vain: list[str] = []

    def ask(question: Question) -> Answer:
        if int(question.target.text[1:]) % 10 == 0 and not waiting.until(lambda: bool(release), 60):
            in_vain.append(question.target.text)
        return answer(question)  # type: ignore[no-any-return]

    others = 0
    for outcome in Fleet(ask, FleetBounds(at_once=100)).ask(questions(300)):
        others += int(outcome.question.target.text[1:]) % 10 != 0
        if others == 270:
            release.append(True)
    assert (others, in_vain) == (270, []), "the others waited until the silent ones were given up"


def of_site(site: str, count: int) -> list[Question]:
    return [Question(TargetName(f"{site}{number:03}", "remote", "h", site=site), "book") for number in range(count)]


def test_all_sites_are_asked_at_once_and_a_slow_one_holds_up_no_other() -> None:
    slow, quick, own = of_site("slow", 40), of_site("quick", 90), questions(30)
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    release: list[bool] = []

    def ask(question: Question) -> Answer:
        site = question.target.site
        running[site] += 1
        most[site] = max(most[site], running[site])
        assert site != "slow" or waiting.until(lambda: bool(release), 60), "the others waited for the slow site"
        waiting.pause(0.001)
        running[site] -= 1
        return answer(question)  # type: ignore[no-any-return]

    ended = []
    for outcome in Fleet(ask, FleetBounds(at_once=10)).ask([*slow, *quick, *own]):
        assert outcome.error is None, outcome.error
        ended.append(outcome)
        if len(ended) == 120:
            release.append(True)
    assert names(ended) == names([Outcome(question) for question in (*slow, *quick, *own)])
    assert all(outcome.question.target.site != "slow" for outcome in ended[:120])
    assert max(most.values()) <= 10


def test_what_was_not_taken_of_a_full_site_is_left() -> None:
    slow, other = of_site("a", 3), of_site("b", 1)
    lanes = Lanes(iter([*slow, *other]), 1)
    assert [lanes.take(), lanes.take(), lanes.take()] == [(0, slow[0]), (3, other[0]), None]
    assert lanes.most == 2
    assert list(lanes.rest()) == [(1, slow[1]), (2, slow[2])]


def test_a_host_beyond_its_deadline_is_given_up_and_the_rest_goes_on() -> None:
    ends = []

    def ask(question: Question) -> Answer:
        if question.target.text == "h0003":
            try:
                waiting.pause(60)
            finally:
                ends.append("its session is closed")
        return answer(question)  # type: ignore[no-any-return]

    with no_hang(1):
        outcomes = list(Fleet(ask, FleetBounds(at_once=4, host_s=0.5)).ask(questions(20)))
    assert ends == ["its session is closed"]
    (late,) = [outcome for outcome in outcomes if outcome.error]
    assert late.question.target.text == "h0003"
    assert late.error is not None
    assert late.error.reason == "deadline"
    assert names(outcomes) == [f"h{number:04}" for number in range(20)]


@pytest.mark.parametrize("kind", ["unreachable", "failed"])
def test_a_used_up_budget_starts_no_further_host_and_says_who_was_not_asked(kind: str) -> None:
    asked = []

    def ask(question: Question) -> Answer:
        asked.append(question.target.text)
        if kind == "failed":
            raise TriagebookError("no")
        return answer(question, "unreachable")  # type: ignore[no-any-return]

    outcomes = list(Fleet(ask, FleetBounds(at_once=4, max_errors=3)).ask(questions(500)))
    assert names(outcomes) == [f"h{number:04}" for number in range(500)]
    assert sum(outcome.answer is not None or outcome.error is not None for outcome in outcomes) == len(asked) <= 3 + 4
    assert (outcomes[-1].answer, outcomes[-1].error) == (None, None)


def test_a_fault_of_ours_at_one_host_does_not_lose_the_others() -> None:
    def ask(question: Question) -> Answer:
        if question.target.text == "h0001":
            raise ZeroDivisionError("oops")
        return answer(question)  # type: ignore[no-any-return]

    outcomes = list(Fleet(ask).ask(questions(5)))
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == ["h0001: ZeroDivisionError: oops"]
    assert len(outcomes) == 5


def test_questions_are_taken_one_by_one_so_that_memory_does_not_grow_with_them() -> None:
    ahead = [0, 0, 0]  # taken, ended, most ahead

    def coming() -> Any:
        for question in questions(400):
            ahead[0] += 1
            ahead[2] = max(ahead[2], ahead[0] - ahead[1])
            yield question

    for _ in Fleet(answer, FleetBounds(at_once=8)).ask(coming()):
        ahead[1] += 1
    assert ahead[2] <= 10


def test_who_stops_listening_ends_the_sessions() -> None:
    begun, ends = [], []

    def ask(question: Question) -> Answer:
        begun.append(question.target.text)
        try:
            waiting.pause(20 if question.target.text != "h0000" else 0.4)  # the ramp has begun others by then
        finally:
            ends.append(question.target.text)
        return answer(question)  # type: ignore[no-any-return]

    asking = Fleet(ask, FleetBounds(at_once=3)).ask(questions(9))
    assert next(asking).question.target.text == "h0000"
    asking.close()  # type: ignore[attr-defined] # a generator
    assert ends[0] == "h0000"
    assert len(ends) == len(begun) > 1


def test_nobody_to_ask_is_no_answer() -> None:
    assert list(Fleet(answer).ask([])) == []


def test_a_session_given_up_between_two_samples_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, pauses, closed = Scheduler(), [], []
    close = HostReader.close

    def pause(_seconds: float) -> None:
        pauses.append("between two samples")
        waiting.pause(60)

    monkeypatch.setattr(HostReader, "close", lambda self: (closed.append(self), close(self)))
    service = replace(setup.service(setup.settings()), pause=pause)
    question = Question(parse_target("localhost"), "enomem", samples=2)
    session = scheduler.start(lambda: service.diagnose(question))  # type: ignore[arg-type,return-value]
    while not pauses:
        scheduler.run_once(1)
    scheduler.cancel(session)
    scheduler.close()
    assert len(closed) == 1
