"""The TCP stream: what a connection that was reset early looks like, and deadlines."""

import select
import socket
import struct
import time

import pytest
from triagebook.tools.ssh.failures import Cut, TimedOut, Unresolved
from triagebook.tools.ssh.stream import Dialing, SocketStream

from tests.hang import GUARD_S, no_hang


def soon(seconds: float = GUARD_S) -> float:
    return time.monotonic() + seconds


def test_a_connection_that_was_reset_before_it_was_looked_at_is_cut_not_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialing = Dialing("127.0.0.1", listener.getsockname()[1], soon())
        connection, _address = listener.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        assert select.select([dialing._attempt], [], [], GUARD_S)[0]  # the reset has come
        stream = dialing.finish(soon())
        with pytest.raises(Cut):
            stream.receive(soon())
        with pytest.raises(Cut):
            stream.send(b"x", soon())
        stream.close()


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        Dialing("127.0.0.1", port, soon()).finish(soon())


def test_a_name_that_does_not_exist_is_unresolved() -> None:
    with pytest.raises((Unresolved, TimedOut)):
        Dialing("nowhere.invalid", 22, soon(20))


def test_sending_and_receiving_end_at_their_deadline() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = SocketStream(ours, is_tcp=False)
        with no_hang(0.4), pytest.raises(TimedOut):
            stream.receive(soon(0.2))
        with no_hang(0.4), pytest.raises(TimedOut):
            stream.send(b"x" * 10_000_000, soon(0.2))
        theirs.send(b"hello")
        assert stream.receive(soon()) == b"hello"
        stream.close()
        with pytest.raises(Cut):
            stream.receive(soon())


def test_a_network_that_went_silent_is_noticed_in_half_a_minute_not_in_a_quarter_of_an_hour() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as connection:
        SocketStream(connection)
        names = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        timeout_ms, idle_s, between_s, count = (connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert (timeout_ms, idle_s + count * between_s) == (30_000, 30)
