"""How many questions a worker asks for, and in which order those ask that no worker took yet."""

import threading
import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.tools.sites import backlog
from triagebook.tools.sites.backlog import Backlog
from triagebook.tools.sites.capacity import Capacity

from tests.hang import GUARD_S


@given(st.integers(1, 40), st.lists(st.sampled_from(["arrive", "end", "renew"]), max_size=120))
def test_a_worker_never_asks_for_more_than_it_can_take_and_never_forgets_to_ask(at_once: int, events: list[str]) -> None:
    capacity, coming, running = Capacity(at_once), 0, 0
    for event in events:
        coming += capacity.want()
        if event == "arrive" and coming:
            assert capacity.arrive()
            coming, running = coming - 1, running + 1
        elif event == "end" and running:
            capacity.end()
            running -= 1
        elif event == "renew":
            coming = capacity.want_anew()
        assert coming + running <= at_once
    coming += capacity.want()
    assert coming + running == at_once or coming > at_once - coming - running > 0


def test_a_question_that_nobody_asked_for_finds_no_room_where_all_is_taken() -> None:
    capacity = Capacity(2)
    assert capacity.want() == 2
    assert [capacity.arrive() for _ in range(3)] == [True, True, False]
    assert capacity.want() == 0
    capacity.end()
    assert (capacity.want(), capacity.want()) == (1, 0)
    capacity.unwant(1)
    assert capacity.want() == 1
    capacity.close()
    assert capacity.want_anew() == 0


def in_line(line: Backlog, name: str, turns: "deque[tuple[str, str]]", *, is_first: bool = False) -> threading.Thread:
    """Somebody who waits in a thread, and is in line when this returns."""
    before = line.length
    thread = threading.Thread(
        target=lambda: turns.append((name, line.wait("eu1", time.monotonic(), line.calls("eu1"), is_first=is_first))), daemon=True
    )
    thread.start()
    end = time.monotonic() + GUARD_S
    while line.length == before:
        assert time.monotonic() < end
    return thread


def test_who_waited_longest_asks_first_and_what_is_urgent_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOOK_S", GUARD_S)
    monkeypatch.setattr(backlog, "BUSY_S", GUARD_S)
    line, turns = Backlog(), deque[tuple[str, str]]()
    threads = {name: in_line(line, name, turns, is_first=name == "urgent") for name in ("first", "second", "urgent")}
    line.call("us1", 9)
    assert line.length == 3
    for name in ("urgent", "first", "second"):
        line.call("eu1", 1)
        threads[name].join(GUARD_S)
    assert list(turns) == [("urgent", "called"), ("first", "called"), ("second", "called")]
    assert line.is_empty("eu1")


def test_a_worker_that_came_free_for_somebody_in_line_is_no_reason_for_others_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOOK_S", GUARD_S)
    line, turns = Backlog(), deque[tuple[str, str]]()
    before = line.calls("eu1")  # somebody asks now, and is refused after what follows
    in_line(line, "first", turns)
    line.call("eu1", 1)
    assert line.calls("eu1") == before
    line.call("eu1", 1)
    assert line.calls("eu1") == before + 1
    assert line.wait("eu1", time.monotonic(), before, is_first=True) == "called"


def test_the_first_of_a_line_looks_by_itself_and_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOOK_S", 0.01)
    line, now = Backlog(), time.monotonic()
    assert line.wait("eu1", now, 0, is_first=False) == "looks"
    assert line.wait("eu1", now - backlog.BUSY_S, 0, is_first=False) == "over"
    line._moved["eu1"] = time.monotonic()
    assert line.wait("eu1", now - backlog.BUSY_S, 0, is_first=False) == "looks"
    assert line.wait("eu1", now - backlog.LONGEST_S, 0, is_first=False) == "over"


def test_a_worker_that_came_free_while_another_was_asked_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOOK_S", 9 * GUARD_S)
    line = Backlog()
    calls = line.calls("eu1")
    line.call("us1", 1)
    line.call("eu1", 0)
    assert line.calls("eu1") == calls
    line.call("eu1", 1)
    assert line.wait("eu1", time.monotonic(), calls, is_first=True) == "called"
    assert line.is_empty("eu1")


def test_the_turn_of_a_question_that_was_given_up_is_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOOK_S", 9 * GUARD_S)
    monkeypatch.setattr(backlog, "BUSY_S", 9 * GUARD_S)
    line, turns = Backlog(), deque[tuple[str, str]]()
    with line._queue("eu1", is_first=True):
        thread = in_line(line, "second", turns)
        line.call("eu1", 1)
        assert line.length == 1
    assert line.is_empty("eu1")  # it is called by now
    thread.join(GUARD_S)
    assert list(turns) == [("second", "called")]
