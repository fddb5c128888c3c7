"""Unix sockets: one process listens at a path, lines are bounded, and a message is one JSON object."""

import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.unix_socket import LineReader, bind, connect, decode_message, encode_message, peer_uid

from tests.hang import GUARD_S

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def soon() -> float:
    return time.monotonic() + GUARD_S


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_a_socket_has_the_mode_asked_for_and_says_who_connects(tmp_path: Path, mode: int) -> None:
    with bind(tmp_path / "s", mode=mode) as listening, connect(tmp_path / "s", 5), listening.accept()[0] as accepted:
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode
        assert peer_uid(accepted) == os.getuid()


def test_a_path_too_long_for_an_address_is_no_hindrance(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    with bind(deep / "s"), connect(deep / "s", 5):
        pass


def test_the_socket_of_a_killed_process_is_replaced_and_that_of_a_live_one_is_not(tmp_path: Path) -> None:
    bind(tmp_path / "s").close()  # the file stays
    with bind(tmp_path / "s"), pytest.raises(OSError, match="another server answers there") as refused:
        bind(tmp_path / "s")
    assert refused.value.errno == errno.EADDRINUSE


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(OSError, match="something else is there"):
        bind(tmp_path / "s")
    assert (tmp_path / "s").read_text() == "precious"


def test_lines_come_whole_however_they_were_sent(pair: Pair) -> None:
    reader = LineReader(pair[0], 100)
    pair[1].sendall(b"one\ntwo\n\nthr")
    assert [reader.read(soon()) for _ in range(3)] == [b"one", b"two", b""]
    with pytest.raises(TimeoutError):
        reader.read(time.monotonic() + 0.01)
    pair[1].sendall(b"ee\nfo")
    assert reader.read(soon()) == b"three"
    pair[1].close()
    assert reader.read(soon()) is None


@pytest.mark.parametrize("sent", [b"x" * 11, b"x" * 11 + b"\n", b"x" * 5000])
def test_a_line_that_is_too_long_is_refused(pair: Pair, sent: bytes) -> None:
    pair[1].sendall(b"y" * 10 + b"\n" + sent)
    reader = LineReader(pair[0], 10)
    assert reader.read(soon()) == b"y" * 10
    with pytest.raises(ValueError, match="at most 10 bytes"):
        reader.read(soon())


def test_a_line_that_trickles_in_does_not_outlast_its_deadline(pair: Pair) -> None:
    def wait(connection: socket.socket, seconds: float) -> bool:
        pair[1].sendall(b"x")
        return True

    with pytest.raises(TimeoutError):
        LineReader(pair[0], 1 << 30, wait).read(time.monotonic() + 0.05)


def test_a_message_is_read_back_as_it_was_sent() -> None:
    message = {"text": "a\nb \udc80 é", "n": [1, None, {"x": True}]}
    line = encode_message(message)
    assert line.count(b"\n") == 1
    assert decode_message(line) == message


@pytest.mark.parametrize("line", [b"", b"[]", b"1", b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a":' * 100_000, b"\xff"])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the JSON library's
        decode_message(line)
