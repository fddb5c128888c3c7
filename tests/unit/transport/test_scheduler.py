"""Sessions on one thread: each waits as if it were alone, and whoever waits holds up nobody."""

import socket
import threading
import time
from pathlib import Path

import pytest
from triagebook.tools.ssh import stream
from triagebook.tools.ssh.agent import Agent, AgentError
from triagebook.tools.ssh.failures import TimedOut
from triagebook.tools.ssh.proxy_command import ProxyCommandStream
from triagebook.tools.transport import waiting
from triagebook.tools.transport.local import LocalTransport
from triagebook.tools.transport.scheduler import Scheduler
from triagebook.tools.transport.watch_session import read_line


def until_all_ended(turns: Scheduler, ended: list[str], count: int) -> None:
    while len(ended) < count:
        turns.go_on(1)


def test_sessions_take_turns_where_they_wait_and_keep_their_place() -> None:
    turns, told = Scheduler(), []

    def session(name: str, pause_s: float) -> None:
        told.append(f"{name} begins")
        waiting.pause(pause_s)
        told.append(f"{name} ends")

    turns.begin(lambda: session("slow", 0.06))
    turns.begin(lambda: session("quick", 0.01))
    while len(told) < 4:
        turns.go_on(1)
    assert told == ["slow begins", "quick begins", "quick ends", "slow ends"]


def test_a_session_goes_on_when_its_descriptor_is_ready_and_not_before() -> None:
    turns, told = Scheduler(), []
    ours, theirs = socket.socketpair()

    def session() -> None:
        assert waiting.ready({ours.fileno(): waiting.READABLE}, 5) == [(ours.fileno(), waiting.READABLE)]
        told.append(ours.recv(10))

    with ours, theirs:
        turns.begin(session)
        turns.go_on(0.02)
        assert told == []
        theirs.send(b"hello")
        turns.go_on(1)
    assert told == [b"hello"]


def test_a_descriptor_that_was_closed_and_given_out_again_is_waited_for_anew() -> None:
    turns, ended = Scheduler(), []

    def session() -> None:
        for _ in range(3):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                theirs.send(b"x")
                assert waiting.ready({ours.fileno(): waiting.READABLE}, 5)
        ended.append("ended")

    turns.begin(session)
    until_all_ended(turns, ended, 1)


def test_a_deadline_is_kept_while_others_are_busy() -> None:
    turns, ended = Scheduler(), []
    ours, theirs = socket.socketpair()

    def silent() -> None:
        started = time.monotonic()
        with pytest.raises(TimedOut):
            stream.SocketStream(ours, is_tcp=False).receive(started + 0.1)
        ended.append("silent")
        assert 0.1 <= time.monotonic() - started < 1

    def busy() -> None:
        for _ in range(200):
            waiting.pause(0.001)
        ended.append("busy")

    with ours, theirs:
        turns.begin(silent)
        turns.begin(busy)
        until_all_ended(turns, ended, 2)


def test_a_name_that_is_slow_to_look_up_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is the system's: there is no slow one to be had here, so its call is held back."""
    real, release, ended = socket.getaddrinfo, threading.Event(), []

    def slow(host: str, *arguments: object, **options: object) -> object:
        if not options.get("flags"):
            release.wait(10)
        return real(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    turns = Scheduler()
    turns.begin(lambda: ended.append(str(len(stream.resolve("localhost", 22, time.monotonic() + 20)) > 0)))
    turns.begin(lambda: (waiting.pause(0.01), ended.append("the other")))  # type: ignore[func-returns-value]
    until_all_ended(turns, ended, 1)
    assert ended == ["the other"]
    release.set()
    until_all_ended(turns, ended, 2)
    assert ended[1] == "True"


def test_an_agent_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    turns, ended = Scheduler(), []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "agent"))
        listening.listen()

        def ask() -> None:
            with pytest.raises(AgentError, match="does not answer in time"):
                Agent(tmp_path / "agent").keys(time.monotonic() + 0.3)
            ended.append("agent")

        turns.begin(ask)
        turns.begin(lambda: (waiting.pause(0.01), ended.append("the other")))  # type: ignore[func-returns-value]
        until_all_ended(turns, ended, 2)
    assert ended == ["the other", "agent"]


def test_processes_of_this_machine_and_of_the_ssh_program_are_waited_for_side_by_side() -> None:
    turns, ended = Scheduler(), []

    def session(name: str, sleep_s: str) -> None:
        process = LocalTransport().launch("localhost", ["sh", "-c", f"sleep {sleep_s}; echo {name}"])
        assert process.read(10) == f"{name}\n".encode()
        ended.append(name)
        assert process.finish(5).status == 0

    turns.begin(lambda: session("slow", "0.5"))
    turns.begin(lambda: session("quick", "0.1"))
    until_all_ended(turns, ended, 2)
    assert ended == ["quick", "slow"]


def test_a_proxy_command_that_does_not_end_holds_up_nobody() -> None:
    turns, ended = Scheduler(), []

    def stubborn() -> None:
        proxy = ProxyCommandStream("sh -c 'trap \"\" TERM; echo up; while :; do sleep 1; done'")
        assert proxy.receive(time.monotonic() + 5) == b"up\n"
        proxy.close()
        ended.append("proxy")

    turns.begin(stubborn)
    turns.begin(lambda: (waiting.pause(0.1), ended.append("the other")))  # type: ignore[func-returns-value]
    until_all_ended(turns, ended, 2)
    assert ended == ["the other", "proxy"]


def test_a_watch_that_is_slow_to_answer_holds_up_nobody() -> None:
    turns, ended = Scheduler(), []
    ours, theirs = socket.socketpair()

    def ask() -> None:
        assert read_line(ours, time.monotonic() + 5) == {"text": "late"}
        ended.append("watch")

    with ours, theirs:
        turns.begin(ask)
        turns.begin(lambda: (waiting.pause(0.02), theirs.send(b'{"text": "late"}\n'), ended.append("the other")))  # type: ignore[func-returns-value]
        until_all_ended(turns, ended, 2)
    assert ended == ["the other", "watch"]


def test_a_session_that_is_given_up_closes_what_it_holds_and_may_still_say_goodbye() -> None:
    turns, told = Scheduler(), []

    def session() -> None:
        try:
            waiting.pause(60)
        finally:
            waiting.pause(0.01)
            told.append("goodbye")

    given_up = turns.begin(session)
    turns.end(given_up)
    while not told:
        turns.go_on(1)
    assert given_up.dead


def test_at_the_end_nobody_waits_any_more() -> None:
    turns, told = Scheduler(), []

    def session() -> None:
        try:
            waiting.pause(60)
        finally:
            waiting.pause(60)
            told.append("closed")

    started = time.monotonic()
    turns.begin(session)
    turns.close()
    assert told == ["closed"]
    assert time.monotonic() - started < 5


def test_outside_of_a_session_waiting_blocks_as_ever() -> None:
    turns, told = Scheduler(), []
    turns.begin(lambda: (waiting.pause(0.01), told.append("session")))  # type: ignore[func-returns-value]
    waiting.pause(0.05)
    assert told == []
    turns.go_on(1)
    assert told == ["session"]


def test_many_that_wait_are_woken_together() -> None:
    turns, told, pairs = Scheduler(), [], [socket.socketpair() for _ in range(200)]

    def session(number: int) -> None:
        waiting.ready({pairs[number][0].fileno(): waiting.READABLE}, 5)
        told.append(number)

    for number in range(200):
        turns.begin(lambda number=number: session(number))
    pairs[7][1].send(b"first")
    later = threading.Timer(0.005, lambda: pairs[8][1].send(b"second"))
    later.start()
    turns.go_on(1)
    later.join()
    turns.close()
    for pair in pairs:
        for end in pair:
            end.close()
    assert told == [7, 8]


def test_a_deadline_is_not_gathered_over() -> None:
    turns, ended = Scheduler(), []
    pairs = [socket.socketpair() for _ in range(200)]
    for pair in pairs:
        turns.begin(lambda pair=pair: waiting.ready({pair[0].fileno(): waiting.READABLE}, 5))

    def session() -> None:
        started = time.monotonic()
        waiting.pause(0.005)
        ended.append(time.monotonic() - started)

    turns.begin(session)
    turns.go_on(1)
    turns.close()
    for pair in pairs:
        for end in pair:
            end.close()
    assert ended[0] < 0.045


def test_sessions_that_line_up_do_each_piece_of_work_one_after_the_other() -> None:
    turns, told, pairs = Scheduler(), [], [socket.socketpair() for _ in range(3)]

    def session(number: int) -> None:
        waiting.ready({pairs[number][0].fileno(): waiting.READABLE}, 5)
        for work in ("read", "judge"):
            waiting.line_up()
            told.append(f"{work} {number}")

    for number, pair in enumerate(pairs):
        turns.begin(lambda number=number: session(number))
        pair[1].send(b"answer")
    until_all_ended(turns, told, 6)
    for pair in pairs:
        for end in pair:
            end.close()
    assert [piece.split()[0] for piece in told] == ["read"] * 3 + ["judge"] * 3
    assert len(set(told)) == 6


def test_who_lines_up_does_not_wait_for_those_that_have_to_wait() -> None:
    turns, told = Scheduler(), []

    def quick() -> None:
        waiting.line_up()
        waiting.line_up()
        told.append("quick")

    silent = turns.begin(lambda: waiting.pause(60))
    turns.begin(quick)
    started = time.monotonic()
    while not told:
        turns.go_on(30)
    assert told == ["quick"]
    assert time.monotonic() - started < 5
    turns.end(silent)


def test_a_session_that_is_given_up_where_it_lined_up_does_not_go_on() -> None:
    turns, told = Scheduler(), []

    def session() -> None:
        try:
            waiting.line_up()
            told.append("went on")
        finally:
            told.append(str(waiting.ready({}, 0.02)))

    given_up = turns.begin(session)
    turns.end(given_up)
    while not given_up.dead:
        turns.go_on(1)
    assert told == ["[]"]


def test_at_the_end_nobody_lines_up_any_more() -> None:
    turns, told = Scheduler(), []

    def session() -> None:
        try:
            waiting.pause(60)
        finally:
            waiting.line_up()
            told.append("closed")

    turns.begin(session)
    turns.close()
    assert told == ["closed"]


def test_outside_of_a_session_nobody_lines_up() -> None:
    turns, told = Scheduler(), []
    turns.begin(lambda: (waiting.line_up(), told.append("session")))  # type: ignore[func-returns-value]
    waiting.line_up()
    assert told == []
    turns.go_on(1)
    assert told == ["session"]
