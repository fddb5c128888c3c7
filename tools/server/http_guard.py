"""Keeps an HTTP listener free for whole requests: a deadline for each, a cap of unfinished ones, 503 for too many at once.

A connection that has sent no whole request is worth nothing yet. It may stay for a few seconds; when there are too many of them,
the oldest of the address that has most is closed for the newcomer, so that a new request is always read.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import h11
from triagebook.tools.log import log_event
from triagebook.tools.server.client_certificate import CLIENT_NAMES, client_names
from triagebook.tools.server.log_interval import LogInterval
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 5.0  # from the connection, or the first byte of a further request, to the end of its header
BODY_S = 15.0
MOST_UNFINISHED = 512
MOST_OF_ADDRESS = 64
MOST_BODY = 320 * 1024  # what a face takes is less; it refuses by itself
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Gate:
    """Holds the connections of one listener that have not sent a whole request, oldest first. Used on its event loop only."""

    def __init__(self, most: int = MOST_UNFINISHED, most_of_address: int = MOST_OF_ADDRESS) -> None:
        self._most, self._most_of_address = most, most_of_address
        self._waiting: dict[GuardedProtocol, str] = {}
        self._eviction_interval, self._slow_interval = LogInterval(), LogInterval()

    def add(self, connection: "GuardedProtocol") -> None:
        """Add a connection, and close another one where there are too many."""
        address = connection.client[0] if connection.client else ""
        self._waiting.pop(connection, None)
        self._waiting[connection] = address
        counts = Counter(self._waiting.values())
        if counts[address] > self._most_of_address:
            self._close_one(address)
        elif len(self._waiting) > self._most:
            self._close_one(counts.most_common(1)[0][0])

    def remove(self, connection: "GuardedProtocol") -> None:
        """Forget a connection: its request is whole, or it is closed."""
        self._waiting.pop(connection, None)

    def say_slow(self, connection: "GuardedProtocol", part: str) -> None:
        """Log that a request was not whole by its deadline."""
        if self._slow_interval.is_over():
            log_event("http.too_slow", address=connection.client[0] if connection.client else "", part=part)

    def _close_one(self, address: str) -> None:
        mine = [connection for connection, other in self._waiting.items() if other == address]
        first = next((connection for connection in mine if not connection.has_asked), mine[0])
        self.remove(first)
        if self._eviction_interval.is_over():
            log_event("http.evicted", address=address)
        first.transport.abort()


class GuardedProtocol(H11Protocol):
    """Gives every request of a connection its deadline. A listener has a subclass with a gate of its own."""

    gate: Gate
    has_asked = False
    _deadline: asyncio.TimerHandle | None = None
    _is_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, CLIENT_NAMES: client_names(transport)}
        self._judge()
        self.gate.add(self)

    def data_received(self, data: bytes) -> None:
        """Read, and see whether the request is whole now."""
        super().data_received(data)
        self._judge()

    def on_response_complete(self) -> None:
        """Wait for a further request, without a deadline of ours before its first byte."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.gate.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its deadline."""
        self._set_deadline(0)
        self.gate.remove(self)
        super().connection_lost(exc)

    def _judge(self) -> None:
        is_body = self.conn.their_state is h11.SEND_BODY
        if self.transport.is_closing() or not (is_body or self.conn.their_state is h11.IDLE):
            self.has_asked = True
            self._set_deadline(0)
            self.gate.remove(self)
        elif self._deadline is None or is_body != self._is_body:
            self._is_body = is_body
            self._set_deadline(BODY_S if is_body else HEADER_S)

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._expire) if seconds else None

    def _expire(self) -> None:
        """Close the connection, and say so of one that had begun a request."""
        if self._is_body or self.conn.trailing_data[0]:
            self.gate.say_slow(self, "body" if self._is_body else "header")
        self.transport.abort()


def make_protocol() -> type[GuardedProtocol]:
    """Return a protocol for one listener."""
    return type("ListenerProtocol", (GuardedProtocol,), {"gate": Gate()})


class Admission:
    """An ASGI application that answers 503 while `most` requests are under way. Only whole requests count."""

    def __init__(self, app: Any, most: int) -> None:
        self._app, self._most, self._running = app, most, 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Read the body, then hand the request on, if there is room."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages = [await receive()]
        size = len(messages[0].get("body", b""))
        while messages[-1].get("more_body") and size <= MOST_BODY:
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
        if messages[-1]["type"] == "http.disconnect":
            return
        if self._running >= self._most:
            await _answer_busy(send)
            return

        async def read() -> Message:
            return messages.pop(0) if messages else await receive()

        self._running += 1
        try:
            await self._app(scope, read, send)
        finally:
            self._running -= 1


async def _answer_busy(send: Send) -> None:
    body = b"busy, retry in 1 s\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
