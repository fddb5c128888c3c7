"""Keeps one connection to a NATS server, in a thread of its own: the rest of the product is synchronous.

A connection that broke is made anew, and nothing is sent twice: what had not left is lost, and whoever waits for an answer is
told so at once.
"""

import asyncio
import contextlib
import logging
import re
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.log import log_event
from triagebook.tools.sites.nats_server import NatsServer

CONNECT_S = 5.0
LOOK_S = 1.0  # so often it is looked at whether the connection was closed without a word
RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # between attempts to connect; the last one again and again
PING_S, MOST_PINGS = 10.0, 2  # a connection that says nothing so often is broken
MOST_WAITING = 64 << 20  # bytes that were received and not yet looked at
_DENIED = re.compile(r'Permissions Violation for (Publish|Subscription) to "([^"\s]+)', re.IGNORECASE)

OnMessage = Callable[[str, bytes, Mapping[str, str], str], None]  # subject, payload, headers, where to answer
Sending = Callable[[Client], Awaitable[None]]


@dataclass(frozen=True)
class Subscription:
    """What is listened to; of the members of a queue one gets each message.

    `most` says for how many messages the NATS server is asked at first; for further ones `NatsConnection.want` asks.
    """

    subject: str
    receive: OnMessage
    queue: str = ""
    most: Callable[[], int] | None = None


class NatsConnection:
    """Publishes and listens. `lost` is called when the connection broke, `denied` with a subject that the key may not use."""

    def __init__(
        self,
        server: NatsServer,
        name: str,
        subscriptions: Sequence[Subscription],
        *,
        lost: Callable[[], None] = lambda: None,
        denied: Callable[[str], None] = lambda _subject: None,
    ) -> None:
        server.check()
        logging.getLogger("asyncio").addFilter(_is_news)
        self._server, self._name, self._tls = server, name, server.tls()
        self._subscriptions = {item.subject: item for item in subscriptions}
        self._lost, self._denied = lost, denied
        self._loop = asyncio.new_event_loop()
        self._outgoing: deque[tuple[Client, Sending]] = deque()
        self._is_woken = False  # the thread of the connection will look at what is outgoing
        self._client: Client | None = None
        self._failure: Exception | None = None  # the last that nats-py told
        self._listening: defaultdict[str, list[tuple[NatsSubscription, int | None]]] = defaultdict(list)
        self._is_ending = False
        self.is_connected = False
        self.since = datetime.now(UTC)  # of the present state
        self.why = "not connected yet"
        self._thread = threading.Thread(target=self._run, name="nats", daemon=True)
        self._thread.start()

    def publish(self, subject: str, payload: bytes, reply: str = "", headers: Mapping[str, str] | None = None) -> bool:
        """Send a message once, from any thread. False: there is no connection, and it is not sent."""
        return self._enqueue(lambda client: client.publish(subject, payload, reply, dict(headers) if headers else None))

    def want(self, subject: str, count: int) -> bool:
        """Ask the NATS server for so many more messages of a subject. False: there is no connection, and it is not asked."""
        return self._enqueue(lambda client: self._listen(client, self._subscriptions[subject], count))

    def _enqueue(self, sending: Sending) -> bool:
        """Have it sent over the present connection, or never."""
        client = self._client
        if not self.is_connected or client is None:
            return False
        self._outgoing.append((client, sending))
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._start_sender)
        return True

    def unsubscribe(self, subject: str) -> None:
        """Listen no more to it."""
        self._call(lambda: self._unsubscribe(subject))

    def close(self) -> None:
        """Send what is left, and end."""
        self._is_ending = True
        self._call(self._end)
        self._thread.join(CONNECT_S)

    def _call(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if not self._loop.is_closed():
            with contextlib.suppress(Exception):  # the connection broke meanwhile
                asyncio.run_coroutine_threadsafe(work(), self._loop).result(CONNECT_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # of `_end`
                self._loop.run_until_complete(self._connect_again_and_again())
        finally:
            self._loop.close()

    async def _connect_again_and_again(self) -> None:
        failures = 0
        while not self._is_ending:
            over = asyncio.Event()
            try:
                await self._connect(over)
            except Exception as error:  # noqa: BLE001 - nats-py raises what it met: OSError, SSLError, its own
                self._tell_state(is_connected=False, why=_words(self._failure or error))
                failures += 1
            else:
                failures = 0
                await self._stay(over)
            if not self._is_ending:
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])

    async def _stay(self, over: asyncio.Event) -> None:
        """Wait until the connection has ended. nats-py says so, but not where its last write fails: then it only is closed."""
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), LOOK_S)
            if self._client is not None and self._client.is_closed and not over.is_set():
                self._tell_state(is_connected=False, why="the connection was closed")
                return

    async def _connect(self, over: asyncio.Event) -> None:
        client, self._failure = Client(), None
        client._public_nkey = self._server.credentials.key.public  # nats-py sets it by the package `nkeys` only

        async def on_close() -> None:
            self._tell_state(is_connected=False, why=_words(self._failure) if self._failure else "the connection was closed")
            over.set()

        async def on_error(error: Exception) -> None:
            self._failure = error
            if match := _DENIED.search(str(error)):
                log_event("sites.denied", subject=match[2], says=error)
                self._denied(match[2])

        await client.connect(
            self._server.url,
            name=self._name,
            signature_cb=self._server.credentials.key.sign,
            tls=self._tls,
            allow_reconnect=False,  # by nats-py: it would send later what nobody waits for any more
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=int(CONNECT_S),
            ping_interval=int(PING_S),
            max_outstanding_pings=MOST_PINGS,
            error_cb=on_error,
            closed_cb=on_close,
        )
        self._client = client
        self._listening.clear()
        for item in list(self._subscriptions.values()):
            await self._listen(client, item, item.most() if item.most else None)
        await client.flush(int(CONNECT_S))
        if client.is_connected:
            self._failure = None
            self._tell_state(is_connected=True, why="")

    def _tell_state(self, *, is_connected: bool, why: str) -> None:
        was, self.is_connected = self.is_connected, is_connected
        if (was != is_connected or why != self.why) and not self._is_ending:
            event = "sites.connected" if is_connected else "sites.not_connected"
            log_event(event, nats=self._server.url, says=why or None)
        self.why = why
        if was != is_connected:
            self.since = datetime.now(UTC)
        if was and not is_connected:
            self._outgoing.clear()
            self._lost()

    async def _listen(self, client: Client, item: Subscription, most: int | None) -> None:
        """Listen, to so many messages (None: to all); the NATS server forgets a subscription that has had them."""
        if most == 0 or item.subject not in self._subscriptions:
            return
        receive = _receiver(item.receive)
        listening = await client.subscribe(item.subject, item.queue, receive, pending_bytes_limit=MOST_WAITING)
        if most:
            await listening.unsubscribe(most)
        known = self._listening[item.subject]
        known[:] = [*(pair for pair in known if pair[1] is None or pair[0].delivered < pair[1]), (listening, most)]

    def _start_sender(self) -> None:
        self._is_woken = False
        if self._outgoing:
            self._sending = self._loop.create_task(self._send())  # a task that nobody holds may be collected

    async def _send(self) -> None:
        while self._outgoing:
            client, sending = self._outgoing.popleft()
            if client is self._client:  # else it was meant for a connection that broke: nobody waits for it any more
                with contextlib.suppress(Exception):  # the connection broke: `lost` says so
                    await sending(client)

    async def _unsubscribe(self, subject: str) -> None:
        self._subscriptions.pop(subject, None)
        if self._client is not None and (listening := self._listening.pop(subject, [])):
            await self._client.flush(int(CONNECT_S))  # what the NATS server gave us before
            for each, _most in listening:
                await each.drain()  # type: ignore[no-untyped-call]

    async def _end(self) -> None:
        await self._send()
        if self._client is not None and not self._client.is_closed:
            with contextlib.suppress(Exception):
                await self._client.flush(int(CONNECT_S))
            await self._client.close()
        else:
            for task in asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}:
                task.cancel()


def _receiver(receive: OnMessage) -> Callable[[Msg], Any]:
    async def take(message: Msg) -> None:
        try:
            receive(message.subject, message.data, message.headers or {}, message.reply)
        except Exception as error:  # noqa: BLE001 - one message must not end the listening
            log_event("sites.defect", subject=message.subject, error=error)

    return take


def _is_news(record: logging.LogRecord) -> bool:
    """Drop what asyncio says of each TLS connection that ended: nats-py answers it as it would without TLS."""
    return "eof_received" not in str(record.msg)


def _words(error: Exception) -> str:
    """Say why there is no connection, on one line."""
    text = str(error).removeprefix("nats: ").strip("'\" ")
    if isinstance(error, ssl.SSLError):
        return safe_text(f"TLS: {getattr(error, 'verify_message', '') or error.reason or text}", 200)
    if isinstance(error, asyncio.TimeoutError):
        return "no answer"
    return safe_text((error.strerror if isinstance(error, OSError) else "") or text or type(error).__name__, 200)
