"""Unix sockets: bind and connect, who is at the other end, and JSON objects one a line, bounded in length and time."""

import contextlib
import errno
import json
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

LONGEST_ADDRESS = 108  # sun_path of unix(7), with its NUL
PROBE_S = 1.0
BACKLOG_S = 10.0
_TIMEVAL = struct.Struct("ll")  # seconds, microseconds: struct timeval
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred, unix(7)
Wait = Callable[[socket.socket, float], bool]  # wait so many seconds until there is something to read; whether there is


def bind(path: Path, *, mode: int = 0o600, group: int = -1, backlog: int = 64) -> socket.socket:
    """Listen at `path`; a socket that a killed process left there is replaced.

    Raises:
        OSError: EADDRINUSE when another process answers there, EEXIST when it is no socket of this account.
    """
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)  # nobody else may connect before the mode is set
    try:
        with _address_of(path) as address:
            listening.bind(address)
        if group >= 0:
            os.chown(path, -1, group)
        os.chmod(path, mode)
        listening.listen(backlog)
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def connect(path: Path, timeout_s: float) -> socket.socket:
    """Connect to the server at `path`; the time-out stays set on the connection.

    Raises:
        OSError; BlockingIOError when its backlog stayed full for `BACKLOG_S`.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # A blocking connect waits in the kernel's queue while the backlog is full; one with a time-out of Python's fails at once.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(*_timeval(min(timeout_s, BACKLOG_S))))
        with _address_of(path) as address:
            connection.connect(address)
        connection.settimeout(timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def _timeval(seconds: float) -> tuple[int, int]:
    return int(seconds), int(seconds % 1 * 1_000_000)


def peer_uid(connection: socket.socket) -> int:
    """The effective user id of the process at the other end, as the kernel knows it (SO_PEERCRED, unix(7))."""
    _pid, uid, _gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)


def wait_readable(connection: socket.socket, seconds: float) -> bool:
    """Block until there is something to read; False at the timeout."""
    poll = select.poll()  # select(2) ends at descriptor 1023
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class LineReader:
    """Reads lines from a connection. What arrived before a timeout is kept for the next call."""

    def __init__(self, connection: socket.socket, most_bytes: int, wait: Wait = wait_readable) -> None:
        self._connection, self._most_bytes, self._wait = connection, most_bytes, wait
        self._pending = bytearray()

    def read(self, until: float) -> bytes | None:
        """The next line without its end; None when the other end hung up. `until` is of the monotonic clock.

        Raises:
            TimeoutError, OSError. ValueError: a longer line than allowed; nothing more is to be read then.
        """
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            if len(self._pending) > self._most_bytes:
                raise ValueError(f"a line takes at most {self._most_bytes} bytes")
            searched = len(self._pending)
            left_s = until - time.monotonic()
            if left_s <= 0 or not self._wait(self._connection, left_s):
                raise TimeoutError("no answer")
            received = self._connection.recv(65536)
            if not received:
                return None
            self._pending += received
        if end > self._most_bytes:
            raise ValueError(f"a line takes at most {self._most_bytes} bytes")
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return line


def encode_message(message: Mapping[str, object]) -> bytes:
    """A JSON object as one line."""
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def decode_message(line: bytes) -> dict[str, Any]:
    """The JSON object of a line, each member once. Raises ValueError for anything else."""
    try:
        message = json.loads(line, object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    return message


@contextlib.contextmanager
def _address_of(path: Path) -> Iterator[str]:
    """What bind(2) and connect(2) are given: a socket's address holds 107 bytes, and home folders may be deep."""
    if len(os.fsencode(path)) < LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _remove_stale(path: Path) -> None:
    """Remove the socket that a killed process left. OSError: a process answers there, or it is no socket of ours."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise OSError(errno.EEXIST, "something else is there, or another account's")
    try:
        connect(path, PROBE_S).close()
    except (ConnectionRefusedError, TimeoutError):
        os.unlink(path)
        return
    raise OSError(errno.EADDRINUSE, "another server answers there")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _refuse_constant(constant: str) -> None:
    raise ValueError(constant)
