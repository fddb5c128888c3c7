"""Listens on the Unix socket by which `diagnose` of the same user asks a running watch: 0600, in a folder of 0700."""

import contextlib
import errno
import os
import queue
import socket
import stat
import threading
import time
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools import unix_socket
from triagebook.tools.log import log_event
from triagebook.tools.transport.watch_session import message_reader, read_message, write_message
from triagebook.tools.watch.host_watch import HostWatch, WatchRequest

REQUEST_S = 60.0
REPLY_S = 40.0
AT_ONCE = 4


class WatchListener:
    """Serves the requests to one HostWatch. `open` may raise UsageError; `close` removes the socket."""

    def __init__(self, path: Path, watch: HostWatch) -> None:
        self.path, self._watch = path, watch
        self._listener: socket.socket | None = None
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def open(self) -> None:
        """Start to listen. Raises UsageError: another watch of this host runs, or the folder is not ours alone."""
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            state = folder.lstat()
            if state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077 or not stat.S_ISDIR(state.st_mode):
                raise UsageError(f"{folder} must be a folder that only you can access (mode 0700)")
            listener = unix_socket.bind(self.path, backlog=AT_ONCE)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UsageError("a watch of this host is already running; `diagnose` uses that one") from None
            raise UsageError(f"{self.path}: {error.strerror or error}") from None
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True, name=f"requests to the watch of {self._watch.host}").start()

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept(2)
            listener.close()
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and self._listener is listener:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            if self._free.acquire(blocking=False):
                threading.Thread(target=self._serve_client, args=(connection,), daemon=True).start()
            else:
                connection.close()

    def _serve_client(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, ValueError):
                if unix_socket.peer_uid(connection) != os.getuid():
                    return
                reader = message_reader(connection)
                while True:
                    request = read_message(reader, time.monotonic() + REQUEST_S)
                    write_message(connection, self._ask(WatchRequest(request)))
        finally:
            self._free.release()

    def _ask(self, request: WatchRequest) -> dict[str, object]:
        if self._watch.collection is None:
            return {"error": "it has no session at this time"}
        try:
            self._watch.requests.put_nowait(request)
            log_event("watch.session_used", host=self._watch.host, asked=request.request.get("ask"))
            return dict(request.reply.get(timeout=REPLY_S))
        except queue.Full:
            return {"error": "too many ask it at once"}
        except queue.Empty:
            return {"error": "it is waiting for the host itself"}
