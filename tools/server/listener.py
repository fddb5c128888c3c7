"""The Unix socket: bounded connections, bounded lines, bounded patience. One slow or greedy user does not stop others."""

import os
import socket
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from triagebook.runbooks.engine.errors import TriagebookError, TrustError, UsageError
from triagebook.tools.log import log_event
from triagebook.tools.server.peer import peer_uid
from triagebook.tools.server.protocol import MAX_REQUEST, Members, answer_line, parse_request

MODES = (0o600, 0o660, 0o666)  # whom the file system lets in; who may do what is the policy's
MOST_CONNECTIONS = 64
MOST_OF_ONE_USER = 8
IDLE_S = 10.0
SEND_S = 30.0
BUSY = {"ok": False, "error": {"reason": "busy", "message": "busy, retry in 1 s", "kind": "UsageError"}}
Answer = Callable[[int, Members], Iterator[Mapping[str, object]]]


class Listener:
    """Answers requests of a socket until told to stop."""

    def __init__(self, path: Path, mode: int, answer: Answer, group: int = -1) -> None:
        self._path, self._answer = path, answer
        self._socket = _bind(path, mode, group)
        self._inode = os.lstat(path).st_ino
        self._lock, self._users = threading.Lock(), Counter[int]()
        self._idle = threading.Condition(self._lock)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Accept until `stop`."""
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
        """Take no more connections. May be called from a signal handler."""
        self._stopping.set()

    def close(self, patience_s: float) -> None:
        """Remove the socket and wait for the requests under way, at most so long."""
        self._socket.close()
        with suppress(FileNotFoundError):
            if os.lstat(self._path).st_ino == self._inode:  # another server's by now: leave it
                os.unlink(self._path)
        with self._idle:
            self._idle.wait_for(lambda: not self._users.total(), timeout=patience_s)

    def _admit(self, connection: socket.socket) -> None:
        uid = peer_uid(connection)
        with self._lock:
            is_full = self._users.total() >= MOST_CONNECTIONS or self._users[uid] >= MOST_OF_ONE_USER
            if not is_full:
                self._users[uid] += 1
        if is_full:
            log_event("server.busy", uid=uid)
            connection.settimeout(0.1)
            with connection, suppress(OSError):
                connection.sendall(answer_line(BUSY))
            return
        threading.Thread(target=self._serve, args=(connection, uid), daemon=True).start()

    def _serve(self, connection: socket.socket, uid: int) -> None:
        try:
            with connection, suppress(OSError):
                for line in _lines(connection, self._stopping):
                    self._respond(connection, uid, line)
        except Exception as error:  # noqa: BLE001 - a defect ends one connection, not the server
            log_event("server.defect", uid=uid, error=error)
        finally:
            with self._idle:
                self._users[uid] -= 1
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
    """Whole lines. Ends at end of file, after `IDLE_S` without a whole one, or when the server stops."""
    pending, deadline = b"", time.monotonic() + IDLE_S
    connection.settimeout(0.5)
    while not stopping.is_set() and time.monotonic() < deadline:
        try:
            received = connection.recv(65536)
        except TimeoutError:
            continue
        if not received:
            return
        pending += received
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            if len(line) > MAX_REQUEST:
                pending = line  # refused below
                break
            yield line
            connection.settimeout(0.5)
            deadline = time.monotonic() + IDLE_S
        if len(pending) > MAX_REQUEST:
            error = UsageError(f"a request takes at most {MAX_REQUEST} bytes", reason="request")
            refusal = {"reason": error.reason, "message": str(error), "kind": "UsageError"}
            connection.sendall(answer_line({"ok": False, "error": refusal}))
            return


def _bind(path: Path, mode: int, group: int) -> socket.socket:
    if mode not in MODES:
        raise TrustError(f"socket mode {mode:04o}: expected one of 0600, 0660, 0666", reason="socket")
    _remove_dead(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
        if group >= 0:
            os.chown(path, -1, group)
        os.chmod(path, mode)
    except OSError as error:
        listening.close()
        raise TrustError(f"socket {path}: {error.strerror or error}", reason="socket") from error
    finally:
        os.umask(before)
    listening.listen(MOST_CONNECTIONS)
    listening.settimeout(0.2)
    return listening


def _remove_dead(path: Path) -> None:
    """Remove the socket that a killed server left. TrustError: a server answers there, or it is no socket."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TrustError(f"socket {path}: {error.strerror}", reason="socket") from error
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise TrustError(f"socket {path}: something else is there, or another account's", reason="socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, TimeoutError):
            os.unlink(path)
            return
    raise TrustError(f"socket {path}: another server answers there", reason="socket")
