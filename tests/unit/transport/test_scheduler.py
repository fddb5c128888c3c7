"""Sessions on one thread: each waits as if it were alone, and whoever waits holds up nobody."""

import os
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
from triagebook.tools.transport.watch_session import message_reader, read_message

from tests.hang import GUARD_S, no_hang


def until_all_ended(scheduler: Scheduler, ended: list[str], count: int) -> None:
    while len(ended) < count:
        scheduler.run_once(1)


def test_sessions_take_turns_where_they_wait_and_keep_their_place() -> None:
    scheduler, told = Scheduler(), []

    def session(name: str, pause_s: float) -> None:
        told.append(f"{name} begins")
        waiting.pause(pause_s)
        told.append(f"{name} ends")

    scheduler.start(lambda: session("slow", 0.5))
    scheduler.start(lambda: session("quick", 0.01))
    while len(told) < 4:
        scheduler.run_once(1)
    assert told == ["slow begins", "quick begins", "quick ends", "slow ends"]


def test_a_session_goes_on_when_its_descriptor_is_ready_and_not_before() -> None:
    scheduler, told = Scheduler(), []
    ours, theirs = socket.socketpair()

    def session() -> None:
        assert waiting.ready({ours.fileno(): waiting.READABLE}, GUARD_S) == [(ours.fileno(), waiting.READABLE)]
        told.append(ours.recv(10))

    with ours, theirs:
        scheduler.start(session)
        scheduler.run_once(0.02)
        assert told == []
        theirs.send(b"hello")
        scheduler.run_once(1)
    assert told == [b"hello"]


def test_a_descriptor_that_was_closed_and_given_out_again_is_waited_for_anew() -> None:
    scheduler, ended = Scheduler(), []

    def session() -> None:
        for _ in range(3):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                theirs.send(b"x")
                assert waiting.ready({ours.fileno(): waiting.READABLE}, GUARD_S)
        ended.append("ended")

    scheduler.start(session)
    until_all_ended(scheduler, ended, 1)


def test_a_deadline_is_kept_while_others_are_busy() -> None:
    scheduler, ended = Scheduler(), []
    ours, theirs = socket.socketpair()

    def silent() -> None:
        started = time.monotonic()
        with pytest.raises(TimedOut):
            stream.SocketStream(ours, is_tcp=False).receive(started + 0.1)
        ended.append("silent")
        assert time.monotonic() - started >= 0.1

    def busy() -> None:
        for _ in range(500):
            waiting.pause(0.001)
        ended.append("busy")

    with ours, theirs:
        scheduler.start(silent)
        scheduler.start(busy)
        until_all_ended(scheduler, ended, 2)
    assert ended == ["silent", "busy"]


def test_a_name_that_is_slow_to_look_up_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is the system's: there is no slow one to be had here, so its call is held back."""
    real, release, ended = socket.getaddrinfo, threading.Event(), []

    def slow(host: str, *arguments: object, **options: object) -> object:
        if not options.get("flags"):
            release.wait(GUARD_S)
        return real(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    scheduler = Scheduler()
    scheduler.start(lambda: ended.append(str(len(stream.resolve("localhost", 22, time.monotonic() + GUARD_S)) > 0)))
    scheduler.start(lambda: (waiting.pause(0.01), ended.append("the other")))  # type: ignore[func-returns-value]
    until_all_ended(scheduler, ended, 1)
    assert ended == ["the other"]
    release.set()
    until_all_ended(scheduler, ended, 2)
    assert ended[1] == "True"


def test_an_agent_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    scheduler, ended = Scheduler(), []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "agent"))
        listening.listen()

        def ask() -> None:
            with pytest.raises(AgentError, match="does not answer in time"):
                Agent(tmp_path / "agent").keys(time.monotonic() + 0.3)
            ended.append("agent")

        scheduler.start(ask)
        scheduler.start(lambda: (waiting.pause(0.01), ended.append("the other")))  # type: ignore[func-returns-value]
        until_all_ended(scheduler, ended, 2)
    assert ended == ["the other", "agent"]


def test_processes_of_this_machine_and_of_the_ssh_program_are_waited_for_side_by_side(tmp_path: Path) -> None:
    """The first goes on when the second has ended, and not before: it waits for a line of a pipe."""
    scheduler, ended, pipe = Scheduler(), [], tmp_path / "pipe"
    os.mkfifo(pipe)

    def session(name: str, script: str) -> None:
        process = LocalTransport().launch("localhost", ["sh", "-c", f"{script}; echo {name}"])
        assert process.read(GUARD_S) == f"{name}\n".encode()
        ended.append(name)
        assert process.finish(GUARD_S).status == 0

    scheduler.start(lambda: session("slow", f"read line <{pipe}"))
    scheduler.start(lambda: session("quick", "sleep 0.1"))
    until_all_ended(scheduler, ended, 1)
    assert ended == ["quick"]
    pipe.write_text("go on\n")
    until_all_ended(scheduler, ended, 2)
    assert ended == ["quick", "slow"]


def test_a_proxy_command_that_does_not_end_holds_up_nobody() -> None:
    scheduler, ended = Scheduler(), []

    def stubborn() -> None:
        proxy = ProxyCommandStream("sh -c 'trap \"\" TERM; echo up; while :; do sleep 1; done'")
        assert proxy.receive(time.monotonic() + GUARD_S) == b"up\n"
        proxy.close()
        ended.append("proxy")

    scheduler.start(stubborn)
    scheduler.start(lambda: (waiting.pause(0.1), ended.append("the other")))  # type: ignore[func-returns-value]
    until_all_ended(scheduler, ended, 2)
    assert ended == ["the other", "proxy"]


def test_a_watch_that_is_slow_to_answer_holds_up_nobody() -> None:
    scheduler, ended = Scheduler(), []
    ours, theirs = socket.socketpair()

    def ask() -> None:
        assert read_message(message_reader(ours), time.monotonic() + GUARD_S) == {"text": "late"}
        ended.append("watch")

    with ours, theirs:
        scheduler.start(ask)
        scheduler.start(lambda: (waiting.pause(0.02), theirs.send(b'{"text": "late"}\n'), ended.append("the other")))  # type: ignore[func-returns-value]
        until_all_ended(scheduler, ended, 2)
    assert ended == ["the other", "watch"]


def test_a_session_that_is_given_up_closes_what_it_holds_and_may_still_say_goodbye() -> None:
    scheduler, told = Scheduler(), []

    def session() -> None:
        try:
            waiting.pause(60)
        finally:
            waiting.pause(0.01)
            told.append("goodbye")

    given_up = scheduler.start(session)
    scheduler.cancel(given_up)
    while not told:
        scheduler.run_once(1)
    assert given_up.dead


def test_at_the_end_nobody_waits_any_more() -> None:
    scheduler, told = Scheduler(), []

    def session() -> None:
        try:
            waiting.pause(60)
        finally:
            waiting.pause(60)
            told.append("closed")

    scheduler.start(session)
    with no_hang(1):
        scheduler.close()
    assert told == ["closed"]


def test_outside_of_a_session_waiting_blocks_as_ever() -> None:
    scheduler, told = Scheduler(), []
    scheduler.start(lambda: (waiting.pause(0.01), told.append("session")))  # type: ignore[func-returns-value]
    waiting.pause(0.05)
    assert told == []
    scheduler.run_once(1)
    assert told == ["session"]


def test_many_that_wait_are_woken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, told, pairs = Scheduler(), [], [socket.socketpair() for _ in range(200)]

    def session(number: int) -> None:
        waiting.ready({pairs[number][0].fileno(): waiting.READABLE}, GUARD_S)
        told.append(number)

    for number in range(200):
        scheduler.start(lambda number=number: session(number))
    pairs[7][1].send(b"first")
    monkeypatch.setattr(time, "sleep", lambda _seconds: pairs[8][1].send(b"second"))  # while it lets answers gather
    scheduler.run_once(1)
    scheduler.close()
    for pair in pairs:
        for end in pair:
            end.close()
    assert told == [7, 8]


def test_a_deadline_is_not_gathered_over(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, gathered = Scheduler(), list[float]()
    pairs = [socket.socketpair() for _ in range(200)]
    for pair in pairs:
        scheduler.start(lambda pair=pair: waiting.ready({pair[0].fileno(): waiting.READABLE}, GUARD_S))

    scheduler.start(lambda: waiting.pause(0.005))
    monkeypatch.setattr(time, "sleep", gathered.append)
    scheduler.run_once(1)
    scheduler.close()
    for pair in pairs:
        for end in pair:
            end.close()
    (seconds,) = gathered
    assert seconds <= 0.005
