"""The Unix socket by which a `diagnose` of the same user asks a running watch. 0600, in a folder of 0700."""

import contextlib
import os
import queue
import socket
import stat
import threading
import time
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.log import log_event
from triagebook.tools.transport.watch_session import address_of, peer_uid, read_line, write_line
from triagebook.tools.watch.host_watch import Ask, HostWatch

REQUEST_S = 60.0
REPLY_S = 40.0
AT_ONCE = 4


class WatchListener:
    """Listens for one HostWatch. `open` may raise UsageError; `close` takes the socket away."""

    def __init__(self, path: Path, watch: HostWatch) -> None:
        self.path, self._watch = path, watch
        self._listener: socket.socket | None = None
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def open(self) -> None:
        """Raises UsageError: another watch of this host runs, or the place is not ours."""
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            state = folder.lstat()
            if state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077 or not stat.S_ISDIR(state.st_mode):
                raise UsageError(f"{folder} must be a folder of yours alone (mode 0700)")
            _remove_stale(self.path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            before = os.umask(0o177)
            try:
                with address_of(self.path) as address:
                    listener.bind(address)
            finally:
                os.umask(before)
            listener.listen(AT_ONCE)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror or error}") from None
        self._listener = listener
        threading.Thread(target=self._serve, daemon=True, name=f"door of {self._watch.host}").start()

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept(2)
            listener.close()
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _serve(self) -> None:
        listener = self._listener
        while listener is not None and self._listener is listener:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            if self._free.acquire(blocking=False):
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()
            else:
                connection.close()

    def _talk(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, ValueError):
                if peer_uid(connection) != os.getuid():
                    return
                while True:
                    request = read_line(connection, time.monotonic() + REQUEST_S)
                    write_line(connection, self._ask(Ask(request)))
        finally:
            self._free.release()

    def _ask(self, ask: Ask) -> dict[str, object]:
        if self._watch.collection is None:
            return {"error": "it has no session at this time"}
        try:
            self._watch.asks.put_nowait(ask)
            log_event("watch.lent", host=self._watch.host, asked=ask.request.get("ask"))
            return dict(ask.reply.get(timeout=REPLY_S))
        except queue.Full:
            return {"error": "too many ask it at once"}
        except queue.Empty:
            return {"error": "it is waiting for the host itself"}


def _remove_stale(path: Path) -> None:
    """A socket that nobody listens on any more. Raises UsageError when somebody does."""
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            with address_of(path) as address:
                probe.connect(address)
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise UsageError("a watch of this host runs already; diagnose asks that one")
