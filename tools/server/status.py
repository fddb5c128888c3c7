"""Serves `/healthz`, `/readyz` and `/metrics` over plain HTTP (`triagebook serve --status`), for probes and Prometheus.

The standard library's server, since uvicorn comes with the extras for assistants and Slack only, and a probe must answer
whatever is installed: GET only, few connections at once, a short patience with each.
"""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.log import DETAIL, log_event
from triagebook.tools.log_output import add_handler, remove_handler
from triagebook.tools.server.metrics import CONTENT_TYPE, Metrics
from triagebook.tools.server.options import KEYS, ServeOptions
from triagebook.tools.server.readiness import OK, Readiness
from triagebook.tools.server.run import RunningServer

MOST_AT_ONCE = 16
PATIENCE_S = 5.0
TEXT, JSON = "text/plain; charset=utf-8", "application/json"


@dataclass(frozen=True)
class StatusFace:
    """Serves the three pages at `HOST:PORT` for as long as its block lasts."""

    address: str
    options: ServeOptions

    @contextmanager
    def __call__(self, place: RunningServer) -> Iterator[int]:
        """Listen beside a server and yield the port. Raises UsageError: it cannot listen there."""
        readiness = Readiness(place.approval_server, place.keys, self.options.data / KEYS, self.options.policy is not None)
        metrics = Metrics(place.approval_server, readiness.states)
        server = _Server(self.address, Pages(metrics, readiness))
        add_handler(metrics, DETAIL)
        thread = threading.Thread(target=server.serve_forever, name="status", daemon=True)
        thread.start()
        try:
            log_event("server.listening", face="status", address=f"{server.server_address[0]!s}:{server.server_port}")
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join(PATIENCE_S)
            readiness.close()
            remove_handler(metrics)


@dataclass(frozen=True)
class Pages:
    """Returns the answer of each path: status, content type, body."""

    metrics: Metrics
    readiness: Readiness

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return the page at a path."""
        if path == "/healthz":
            return 200, TEXT, b"ok\n"
        if path == "/readyz":
            return _ready(self.readiness.states())
        if path == "/metrics":
            return 200, CONTENT_TYPE, self.metrics.render()
        return 404, TEXT, b"there are /healthz, /readyz and /metrics\n"


def _ready(states: Mapping[str, str]) -> tuple[int, str, bytes]:
    is_ready = all(state == OK for state in states.values())
    body = json.dumps({"ready": is_ready, "checks": dict(states)}) + "\n"
    return 200 if is_ready else 503, JSON, body.encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MOST_AT_ONCE

    def __init__(self, address: str, pages: Pages) -> None:
        host, _, port = address.rpartition(":")
        if not host or not is_whole_number(port) or int(port) > 65535:
            raise UsageError(f"--status {address[:60]!r}: expected HOST:PORT", reason="status")
        host = host.strip("[]")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages = pages
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        try:
            super().__init__((host, int(port)), _StatusHandler)
        except OSError as error:
            raise UsageError(
                f"--status {address}: cannot listen on this address: {error.strerror or error}", reason="status"
            ) from None

    def server_bind(self) -> None:
        """Bind as the base class does, without a lookup of our own name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or hang up if too many are being answered."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer as the base class does, then free the slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that hung up."""


class _StatusHandler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        """Answer without naming the software we run on."""
        status, kind, body = self.server.pages.answer(self.path.partition("?")[0])
        self.send_response_only(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Return the name shown in error pages of the base class."""
        return "triagebook"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing: probes come every few seconds."""
