"""Accepts requests on the Unix socket with bounds on connections, lines and time, so that one user cannot stop the others."""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.tools import unix_socket
from triagebook.tools.log import log_event
from triagebook.tools.server.log_interval import LogInterval
from triagebook.tools.server.protocol import MAX_REQUEST, Members, answer_line, parse_request
from triagebook.tools.unix_socket import LineReader

MODES = (0o600, 0o660, 0o666)  # whom the file system lets in; who may do what is the policy's
MOST_CONNECTIONS = 64
MOST_OF_ONE_USER = 8
MOST_OF_STRANGERS = 8  # all users together that the policy knows no person of; so the rest is kept for persons
STRANGERS = -1
BACKLOG = 1024
IDLE_S = 10.0
STOP_CHECK_S = 0.5
SEND_S = 30.0
BUSY = {"ok": False, "error": {"reason": "busy", "message": "busy, retry in 1 s", "kind": "UsageError"}}
Answer = Callable[[int, Members], Iterator[Mapping[str, object]]]


class Listener:
    """Answers requests on a socket until it is stopped."""

    def __init__(
        self, path: Path, mode: int, answer: Answer, group: int = -1, *, is_person: Callable[[int], bool] = lambda _uid: False
    ) -> None:
        self._path, self._answer, self._is_person = path, answer, is_person
        self._busy_interval = LogInterval()
        self._socket = _bind(path, mode, group)
        self._inode = os.lstat(path).st_ino
        self._lock, self._users = threading.Lock(), Counter[int]()
        self._idle = threading.Condition(self._lock)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Accept connections until `stop` is called."""
        while not self._stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                if self._stopping.is_set():
                    return
                time.sleep(0.1)  # out of descriptors: the rest will end
                continue
            self._admit(connection)

    def stop(self) -> None:
        """Take no more connections. A signal handler may call this."""
        self._stopping.set()

    def close(self, patience_s: float) -> None:
        """Remove the socket and wait, at most so long, for running requests."""
        self._socket.close()
        with suppress(FileNotFoundError):
            if os.lstat(self._path).st_ino == self._inode:  # another server's by now: leave it
                os.unlink(self._path)
        with self._idle:
            self._idle.wait_for(lambda: not self._users.total(), timeout=patience_s)

    def _admit(self, connection: socket.socket) -> None:
        uid = unix_socket.peer_uid(connection)
        budget, most = (uid, MOST_OF_ONE_USER) if self._is_person(uid) else (STRANGERS, MOST_OF_STRANGERS)
        with self._lock:
            is_full = self._users.total() >= MOST_CONNECTIONS or self._users[budget] >= most
            if not is_full:
                self._users[budget] += 1
        if is_full:
            if self._busy_interval.is_over():
                log_event("server.busy", uid=uid)
            connection.settimeout(0.1)
            with connection, suppress(OSError):
                connection.sendall(answer_line(BUSY))
            return
        threading.Thread(target=self._serve, args=(connection, uid, budget), daemon=True).start()

    def _serve(self, connection: socket.socket, uid: int, budget: int) -> None:
        try:
            with connection, suppress(OSError):
                for line in _lines(connection, self._stopping):
                    self._respond(connection, uid, line)
        except Exception as error:  # noqa: BLE001 - a defect ends one connection, not the server
            log_event("server.defect", uid=uid, error=error)
        finally:
            with self._idle:
                self._users[budget] -= 1
                self._idle.notify_all()

    def _respond(self, connection: socket.socket, uid: int, line: bytes) -> None:
        connection.settimeout(SEND_S)
        try:
            for answer in self._answer(uid, parse_request(line)):
                connection.sendall(answer_line(answer))
        except TriagebookError as error:
            log_event("server.malformed", uid=uid, reason=error.reason, says=error)
            refusal = {"reason": error.reason, "message": str(error), "kind": type(error).__name__}
            connection.sendall(answer_line({"ok": False, "error": refusal}))


def _lines(connection: socket.socket, stopping: threading.Event) -> Iterator[bytes]:
    """Yield whole lines until the end of file, `IDLE_S` without a whole line, or the stop of the server."""
    reader, deadline = LineReader(connection, MAX_REQUEST), time.monotonic() + IDLE_S
    while not stopping.is_set() and time.monotonic() < deadline:
        try:
            line = reader.read(time.monotonic() + STOP_CHECK_S)
        except TimeoutError:
            continue
        except ValueError:
            error = UsageError(f"a request takes at most {MAX_REQUEST} bytes", reason="request")
            refusal = {"reason": error.reason, "message": str(error), "kind": "UsageError"}
            connection.sendall(answer_line({"ok": False, "error": refusal}))
            return
        if line is None:
            return
        yield line
        deadline = time.monotonic() + IDLE_S


def _bind(path: Path, mode: int, group: int) -> socket.socket:
    if mode not in MODES:
        raise TrustError(f"socket mode {mode:04o}: expected one of 0600, 0660, 0666", reason="socket")
    try:
        listening = unix_socket.bind(path, mode=mode, group=group, backlog=BACKLOG)
    except FileNotFoundError:
        cure = "make it for the account of the server, as its unit does, or name another path with --socket"
        raise TrustError(f"socket {path}: there is no folder {path.parent}; {cure}", reason="socket") from None
    except OSError as error:
        raise TrustError(f"socket {path}: {error.strerror or error}", reason="socket") from error
    listening.settimeout(0.2)
    return listening
