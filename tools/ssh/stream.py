"""A byte stream to a host with deadlines that hold: a TCP connection."""

import contextlib
import errno
import os
import socket
import threading
import time
from typing import Any, Protocol

from triagebook.tools.ssh.failures import Cut, TimedOut, Unresolved
from triagebook.tools.transport import waiting

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_KEEPALIVE_OPTIONS = tuple(
    (option, value)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 30_000))
    if (option := getattr(socket, name, None))  # Linux has all of them
)


class ByteStream(Protocol):
    """Bytes both ways. `until` is a time of the monotonic clock, in seconds."""

    def send(self, data: bytes, until: float) -> None:
        """Send all of it. Raises TimedOut, Cut."""
        ...

    def receive(self, until: float) -> bytes:
        """At least one byte, as many as are there. Raises TimedOut, Cut (at end of file too)."""
        ...

    def close(self) -> None:
        """Give it back; never blocks for long, never raises."""
        ...


class SocketStream:
    """A connected socket."""

    def __init__(self, connected: socket.socket, *, is_tcp: bool = True) -> None:
        connected.setblocking(False)  # and one poll: half the system calls of socket.settimeout
        self._socket = connected
        self._is_tcp = is_tcp
        self._readable = {connected.fileno(): waiting.READABLE}
        if is_tcp:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _detect_dead_network(connected)

    def send(self, data: bytes, until: float) -> None:
        left = memoryview(data)
        try:
            while True:
                with contextlib.suppress(BlockingIOError):
                    left = left[self._socket.send(left) :]
                if not left:
                    return
                if not _is_writable(self._socket, until):
                    raise TimedOut("the host takes no more bytes")
        except OSError as error:
            raise Cut(_why(error)) from error

    def receive(self, until: float) -> bytes:
        try:
            if self._is_tcp and _QUICKACK is not None:
                # sshd leaves Nagle's algorithm on: its next small packet waits for our ACK, which the kernel
                # would delay by 40 ms. The option does not stay set (tcp(7)).
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            if not waiting.ready(self._readable, until - time.monotonic()):
                raise TimedOut("the host is silent")
            data = self._socket.recv(65536)
        except BlockingIOError:  # poll(2), BUGS: readable and yet nothing there
            return self.receive(until)
        except OSError as error:
            raise Cut(_why(error)) from error
        if not data:
            raise Cut("connection closed by the host")
        return data

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Dialing:
    """A TCP connection in the making: the handshake runs while the caller does something else, until `finish`."""

    def __init__(self, host: str, port: int, until: float) -> None:
        """Resolve and send the first SYN. Raises Unresolved, TimedOut."""
        self._addresses = resolve(host, port, until)
        self._attempt: socket.socket | None = None
        self._refusal: OSError | None = None
        self._next()

    def _next(self) -> None:
        while self._addresses and self._attempt is None:
            family, kind, protocol, _name, address = self._addresses.pop(0)
            attempt = socket.socket(family, kind, protocol)
            attempt.setblocking(False)
            try:
                attempt.connect(address)
            except BlockingIOError:
                pass
            except OSError as error:
                self._refusal = error
                attempt.close()
                continue
            self._attempt = attempt

    def finish(self, until: float) -> SocketStream:
        """The connected stream, of the first address that answers. Raises TimedOut, OSError."""
        while self._attempt is not None:
            attempt = self._attempt
            if not _is_writable(attempt, until):
                raise TimedOut("no answer to the TCP connection")
            number = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._attempt = None
            if number in (0, errno.ECONNRESET):  # reset after it was established: what follows says so
                return SocketStream(attempt)
            attempt.close()
            self._refusal = OSError(number, os.strerror(number))  # becomes ConnectionRefusedError and the like
            self._next()
        raise self._refusal or Unresolved("no address")

    def close(self) -> None:
        """Give up."""
        if self._attempt is not None:
            self._attempt.close()
            self._attempt = None


def _detect_dead_network(connected: socket.socket) -> None:
    """End a connection whose other end has acknowledged nothing for half a minute; the kernel's default is about 15 minutes.

    The person who ordered a change would wait that long. A host that is only slow still acknowledges.
    """
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE_OPTIONS:
        connected.setsockopt(socket.IPPROTO_TCP, option, value)


def _is_writable(attempt: socket.socket, until: float) -> bool:
    return bool(waiting.ready({attempt.fileno(): waiting.WRITABLE}, until - time.monotonic()))


def resolve(host: str, port: int, until: float) -> list[Any]:
    """Look a name up by getaddrinfo(3), with a deadline: a thread does it, and is left behind if it takes too long.

    Raises:
        Unresolved: there is no such name.
        TimedOut: the resolver does not answer.
    """
    with contextlib.suppress(socket.gaierror, UnicodeError):
        return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)  # text: by IDNA
    found: list[Any] = []
    ours, theirs = socket.socketpair()

    def ask() -> None:
        with theirs:  # its end says that the answer is there
            try:
                found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found.append(error)

    with ours:
        threading.Thread(target=ask, daemon=True, name=f"resolve {host}").start()
        waiting.ready({ours.fileno(): waiting.READABLE}, until - time.monotonic())
    if not found:
        raise TimedOut(f"the resolver does not answer for {host}")
    if isinstance(found[0], Exception):
        raise Unresolved(getattr(found[0], "strerror", None) or str(found[0]))
    addresses: list[Any] = found[0]
    return addresses


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
