"""One suite for every way to a host: what a HostProcess and a Session promise holds for each."""

import contextlib
import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from triagebook.tools.ssh.openssh import OpensshTransport
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import HostProcess, LoginFailed, Timeouts, Transport
from triagebook.tools.transport.local import LocalTransport
from triagebook.tools.transport.replay import Recording, ReplayTransport

from tests.hang import GUARD_S, no_hang
from tests.sshd import Server

KINDS = ("ssh:stock", "ssh:one-flight", "openssh", "local", "replay")
REAL = KINDS[:-1]
ECHO = ("sh", "-c", 'echo ready; while read -r line; do echo "got $line"; done; echo over >&2; exit 3')
FLOOD = ("sh", "-c", "head -c 10000000 /dev/zero & head -c 10000000 /dev/zero >&2; wait; exit 5")


@dataclass
class Way:
    """A kind of transport and a host to reach by it."""

    kind: str
    server: Server | None

    def transport(self, recordings: Sequence[Recording] = (), **limits: float) -> Transport:
        timeouts = Timeouts(**limits)
        if self.kind == "local":
            return LocalTransport(timeouts)
        if self.kind == "replay":
            return ReplayTransport(tuple(recordings))
        assert self.server
        if self.kind == "openssh":
            return OpensshTransport(config_file=self.server.config, timeouts=timeouts)
        return SshTransport(config_file=self.server.config, timeouts=timeouts, allows_one_flight=self.kind == "ssh:one-flight")


@pytest.fixture(params=KINDS)
def way(request: pytest.FixtureRequest) -> Way:
    kind: str = request.param
    needs_server = kind.startswith(("ssh", "openssh"))
    return Way(kind, request.getfixturevalue("box") if needs_server else None)


def read_to(process: HostProcess, end: bytes) -> bytes:
    text = b""
    while not text.endswith(end):
        piece = process.read(GUARD_S)
        assert piece, f"ended after {text!r}"
        text += piece
    return text


def read_all(process: HostProcess) -> bytes:
    return b"".join(iter(lambda: process.read(GUARD_S), b""))


ECHO_RECORDING = Recording((b"ready\n", b"got one\n", b"got two\n"), stderr=b"over\n", status=3, goes_on=True)


def test_lines_are_written_and_answered_and_the_end_of_input_ends_the_process(way: Way) -> None:
    process = way.transport([ECHO_RECORDING]).launch("box", ECHO)
    assert read_to(process, b"\n") == b"ready\n"
    process.write(b"one\n")
    assert read_to(process, b"\n") == b"got one\n"
    process.write(b"two\n")
    assert read_to(process, b"\n") == b"got two\n"
    ended = process.finish(GUARD_S)
    assert (ended.status, ended.stderr, ended.is_truncated, ended.ended) == (3, b"over\n", False, "exit")
    assert process.read(1) == b""
    process.session.close()


def test_the_session_says_which_way_was_taken(way: Way) -> None:
    process = way.transport([Recording((b"x",))]).launch("box", ["true"])
    session = process.session
    assert session.route.transport == way.kind
    assert session.login.outcome == "ok"
    assert (session.route.host_key.startswith("SHA256:")) == (way.server is not None)
    if way.server:
        assert {"connect", "banner", "kex", "auth", "session"} <= set(session.route.timings_ms)
    process.finish(GUARD_S)
    session.close()


def test_output_not_read_before_the_end_stays_to_be_read(way: Way) -> None:
    process = way.transport([Recording((b"left over",))]).launch("box", ["printf", "left over"])
    assert process.finish(GUARD_S).status == 0
    assert process.read(1) == b"left over"
    assert process.read(1) == b""
    process.session.close()


def test_a_second_process_runs_on_the_same_session(way: Way) -> None:
    first = way.transport([Recording((b"1\n",), goes_on=True), Recording((b"2\n",))]).launch("box", ["sh", "-c", "echo 1; cat"])
    assert read_to(first, b"\n") == b"1\n"
    second = first.session.start(["echo", "2"])
    assert second.session is first.session
    assert read_all(second) == b"2\n"
    assert second.finish(GUARD_S).status == 0
    assert first.finish(GUARD_S).status == 0
    first.session.close()


def test_an_argument_reaches_the_process_as_it_is(way: Way) -> None:
    hostile = "a b'c\"$(id)`id`\\ *;&|<>#\tnew\nline ünïcode"
    recorded = [Recording((hostile.encode(),))]
    process = way.transport(recorded).launch("box", ["printf", "%s", hostile])
    assert read_all(process) == hostile.encode()
    process.finish(GUARD_S)
    process.session.close()


@pytest.mark.parametrize("way", REAL, indirect=True)
def test_ten_megabytes_on_both_streams_neither_hang_nor_pass_the_cap(way: Way) -> None:
    with no_hang(2):
        process = way.transport().launch("box", FLOOD, cap_bytes=100_000)
        out = read_all(process)
        ended = process.finish(GUARD_S)
    assert (len(out), len(ended.stderr)) == (100_000, 100_000)
    assert ended.is_truncated
    assert ended.status == 5
    process.session.close()


def test_a_recording_beyond_the_cap_is_cut() -> None:
    process = ReplayTransport((Recording((b"x" * 500,), stderr=b"y" * 500),)).launch("box", ["x"], cap_bytes=100)
    assert len(read_all(process)) == 100
    ended = process.finish(1)
    assert (len(ended.stderr), ended.is_truncated) == (100, True)


@pytest.mark.parametrize("way", REAL, indirect=True)
def test_endless_output_is_cut_off_by_the_deadline_or_the_bound(way: Way) -> None:
    process = way.transport().launch("box", ["sh", "-c", "yes | head -c 200000000; sleep 300"], cap_bytes=1000)
    with no_hang(3):
        ended = process.finish(3)
    assert ended.is_truncated
    assert ended.status != 0
    assert len(process.read(1)) == 1000
    process.session.close()


def test_silence_is_a_timeout_and_the_process_lives_on(way: Way) -> None:
    process = way.transport([Recording((b"", b"late\n"), goes_on=True)]).launch("box", ["sh", "-c", "read x; echo late; cat"])
    with pytest.raises(TimeoutError):
        process.read(0.2)
    process.write(b"go\n")
    assert read_to(process, b"\n") == b"late\n"
    assert process.finish(GUARD_S).status == 0
    process.session.close()


@pytest.mark.parametrize("way", REAL, indirect=True)
def test_a_process_that_ignores_the_end_of_its_input_is_ended_at_the_timeout(way: Way) -> None:
    process = way.transport().launch("box", ["sleep", "200"])
    with no_hang(1):
        ended = process.finish(0.5)
    assert (ended.status, ended.ended) == (None, "timeout")
    process.session.close()


@pytest.mark.parametrize("way", REAL, indirect=True)
def test_the_first_byte_and_the_whole_have_deadlines_of_their_own(way: Way) -> None:
    process = way.transport(first_byte_s=0.3).launch("box", ["cat"])
    with no_hang(0.5), pytest.raises(TimeoutError):
        process.read(100)
    process.session.close()
    process, total_s = launch_with_a_deadline(way)
    with no_hang(total_s), pytest.raises(TimeoutError):
        process.read(100)
    process.session.close()


def launch_with_a_deadline(way: Way) -> tuple[HostProcess, float]:
    """A process that said something and is silent now, and the deadline of the whole: the first that the login did not use up."""
    for total_s in (2.0, 10.0, 60.0):
        with contextlib.suppress(LoginFailed, TimeoutError):
            process = way.transport(total_s=total_s).launch("box", ["sh", "-c", "echo x; cat"])
            if read_to(process, b"\n") == b"x\n":
                return process, total_s
            process.session.close()
    raise AssertionError("no login within a minute")


@pytest.mark.parametrize("way", REAL, indirect=True)
def test_closing_the_session_ends_a_process_that_reads_its_input(way: Way) -> None:
    process = way.transport().launch("box", ["sh", "-c", "echo $$; exec cat"])
    pid = int(read_to(process, b"\n"))
    process.session.close()
    await_gone(pid)
    with pytest.raises(OSError, match=r"closed|gone|over"):
        process.write(b"x\n")


def await_gone(pid: int) -> None:
    until = time.monotonic() + GUARD_S
    while time.monotonic() < until:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still runs")


@pytest.mark.parametrize("way", REAL, indirect=True)
def test_writing_to_a_process_that_is_gone_is_an_error_not_a_hang(way: Way) -> None:
    process = way.transport().launch("box", ["true"])
    process.finish(GUARD_S)
    with pytest.raises(OSError, match=r"closed|gone|read any more"):
        process.write(b"x" * 100)
    process.session.close()


@pytest.mark.parametrize("way", REAL, indirect=True)
def test_death_by_a_signal_has_no_status(way: Way) -> None:
    process = way.transport().launch("box", ["sh", "-c", "kill -TERM $$"])
    ended = process.finish(GUARD_S)
    if way.kind == "openssh":  # the program says 255, and nothing else
        assert ended.status in (None, 255)
    else:
        assert (ended.status, ended.ended, ended.detail) == (None, "signal", "TERM")
    process.session.close()


@pytest.mark.parametrize("way", ["ssh:stock", "ssh:one-flight", "local"], indirect=True)
def test_files_are_read_without_a_process(way: Way) -> None:
    process = way.transport().launch("box", ["cat"])
    files = process.session.read_files(["/proc/version", "/proc/self/limits", "/nonexistent"], cap_bytes=40)
    assert isinstance(files["/proc/version"], bytes)
    assert files["/proc/version"].startswith(b"Linux version")
    assert len(files["/proc/self/limits"]) == 40
    assert "No such file" in str(files["/nonexistent"])
    process.finish(GUARD_S)
    process.session.close()


def test_every_recording_is_used_once() -> None:
    process = ReplayTransport.of(b"one").launch("box", ["x"])
    with pytest.raises(LoginFailed, match=r"nothing is recorded for process 2"):
        process.session.start(["y"])


def test_the_transports_fit_the_protocol() -> None:
    """Each takes what the protocol says, by the same names and in the same way, and gives what it can be told."""
    makers: list[Callable[[], Transport]] = [SshTransport, OpensshTransport, LocalTransport, lambda: ReplayTransport(())]
    _self, *wanted = inspect.signature(Transport.launch).parameters.values()
    for maker in makers:
        taken = inspect.signature(maker().launch).parameters
        assert [(one.name.lstrip("_"), one.kind) for one in taken.values()] == [(one.name, one.kind) for one in wanted], maker
