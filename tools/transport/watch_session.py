"""Uses the open session of a running `triagebook watch` of the same host, over its Unix socket.

Where nothing can fork on the host no new login works; the watch's collector, started while the host was well, still
answers. Without a live socket, or when the watch has no session or reads other facts, the ordinary transport is used
and the result says why. Both ends check that the other belongs to the same user.
"""

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triagebook.tools import unix_socket
from triagebook.tools.log import log_event
from triagebook.tools.transport import waiting
from triagebook.tools.transport.base import Exit, HostProcess, Login, LoginFailed, Route, Transport
from triagebook.tools.unix_socket import LineReader, decode_message, encode_message

MOST_BYTES = 1 << 21
CONNECT_S = 1.0
ANSWER_S = 45.0


def program_digest(argv: Sequence[str]) -> str:
    """What the collector reads: the last operand is its program."""
    return hashlib.sha256(argv[-1].encode()).hexdigest()


def message_reader(connection: socket.socket) -> LineReader:
    """Reads the other end's messages; other sessions of the thread go on meanwhile."""
    return LineReader(connection, MOST_BYTES, _wait_readable)


def _wait_readable(connection: socket.socket, seconds: float) -> bool:
    return bool(waiting.ready({connection.fileno(): waiting.READABLE}, seconds))


def read_message(reader: LineReader, until: float) -> dict[str, Any]:
    """The next message. Raises OSError, TimeoutError, ValueError."""
    line = reader.read(until)
    if line is None:
        raise ConnectionResetError("the watch hung up")
    return decode_message(line)


def write_message(connection: socket.socket, message: Mapping[str, object]) -> None:
    """Send one message. Raises OSError."""
    connection.settimeout(CONNECT_S)
    connection.sendall(encode_message(message))


class WatchTransport:
    """Asks the watch that listens at `path`; `otherwise` is the ordinary transport."""

    def __init__(self, path: Path, otherwise: Transport) -> None:
        self._path, self._otherwise = path, otherwise

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> HostProcess:
        """Ask the watch for its first sample, else use the ordinary transport. Raises LoginFailed, UsageError."""
        try:
            connection = self._connect()
        except OSError:
            return self._otherwise.launch(host, argv, cap_bytes=cap_bytes)
        session = WatchSession(connection)
        log_event("transport.watch", host=host)
        try:
            return WatchProcess(session, session.ask({"ask": "sample", "n": 1, "program": program_digest(argv)}), cap_bytes)
        except (OSError, ValueError) as error:
            session.close()
            return self._otherwise_launch(host, argv, cap_bytes, f"the running watch could not be asked: {error}")

    def _otherwise_launch(self, host: str, argv: Sequence[str], cap_bytes: int, why: str) -> HostProcess:
        try:
            process = self._otherwise.launch(host, argv, cap_bytes=cap_bytes)
        except LoginFailed as failed:
            login = failed.login
            raise LoginFailed(Login(login.phase, login.outcome, f"{failed} ({why})")) from failed
        process.session.route.notes.append(why)
        log_event("transport.no_watch", host=host, says=why)
        return process

    def _connect(self) -> socket.socket:
        if self._path.lstat().st_uid != os.getuid():
            raise PermissionError(f"{self._path} is another user's")
        connection = unix_socket.connect(self._path, CONNECT_S)
        if unix_socket.peer_uid(connection) != os.getuid():
            connection.close()
            raise PermissionError(f"{self._path} is served by another user")
        return connection


class WatchSession:
    """The part of the watch's session that others may use: samples, and the fixed commands of the last round."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._reader = connection, message_reader(connection)
        self._tag = secrets.token_hex(6)  # of the records, as the collector's own would be
        self.login = Login("exec", "ok")
        self.route = Route("watch")

    def ask(self, request: Mapping[str, object]) -> str:
        """The text the watch answers with. Raises OSError, ValueError: it could not, and why."""
        started = time.monotonic()
        write_message(self._connection, {**request, "tag": self._tag})
        answer = read_message(self._reader, time.monotonic() + ANSWER_S)
        if not isinstance(answer.get("text"), str):
            raise ValueError(str(answer.get("error", "no answer"))[:200])
        self.route.host_key = str(answer.get("host_key", self.route.host_key))[:100]
        self.route.timings_ms["watch"] = round((time.monotonic() - started) * 1000, 1)
        return str(answer["text"])

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "WatchProcess":
        """Run one of the fixed commands on the watch's session. Raises LoginFailed: it could not be started."""
        try:
            text = self.ask({"ask": "run", "argv": list(argv)})
        except (OSError, ValueError) as error:
            raise LoginFailed(Login("exec", "no_session", str(error))) from None
        return WatchProcess(self, text, cap_bytes, goes_on=False)

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """No file can be read through a watch."""
        return dict.fromkeys(paths, "the session of a watch reads no files")

    def close(self) -> None:
        """Hang up; the watch's session stays open."""
        self._connection.close()


class WatchProcess:
    """The watch's collector as if it were ours alone, or the finished output of a command."""

    def __init__(self, session: WatchSession, text: str, cap_bytes: int, *, goes_on: bool = True) -> None:
        self.session = session
        self._pending, self._room, self._goes_on = text.encode(), cap_bytes, goes_on
        self._n = 1

    def read(self, timeout_s: float) -> bytes:
        """What was answered; then the end of file: nothing more comes unless it is asked for."""
        data, self._pending = self._pending[: self._room], b""
        self._room -= len(data)
        return data

    def write(self, data: bytes) -> None:
        """A pace line: one more sample, with its suspects and the kinds that are asked. Raises OSError."""
        if not self._goes_on:
            raise BrokenPipeError(32, "it has ended")
        words = data.decode("ascii").split()[1:]
        suspects = [int(word) for word in words if word.isdecimal()]
        asked = [word[1:] for word in words if word.startswith("+")]
        self._n += 1
        try:
            self._pending += self.session.ask({"ask": "sample", "n": self._n, "suspects": suspects, "asked": asked}).encode()
        except ValueError as error:
            raise BrokenPipeError(32, f"the watch: {error}") from None

    def finish(self, timeout_s: float) -> Exit:
        """Nothing runs here that could be waited for."""
        return Exit(0, b"")


def sample_text(n: int, tag: str, records: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return one sample as the collector prints it, with the number and tag of the request."""
    return f"triagebook/1 {tag}\n" + "".join("\t".join((tag, str(n), kind, *fields)) + "\n" for kind, fields in records)
