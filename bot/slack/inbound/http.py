"""Receives Slack's deliveries over HTTP: one ASGI endpoint, mounted beside MCP if both share an address.

A request is only read here; its signature, age and content are judged by Bolt, on a thread, since the app is synchronous.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from slack_bolt import App, BoltRequest
from slack_sdk.signature import SignatureVerifier
from triagebook.bot.slack.inbound.signature import is_signed
from triagebook.tools.log import log_event
from triagebook.tools.server.asgi import Receive, Scope, Send, answer, answer_lifespan, read_body

PATH = "/slack/events"
MAX_BODY = 256 * 1024
WORKERS = 64


class Refused:
    """Counts requests that were not signed by Slack, or too long ago, since the last reading."""

    def __init__(self) -> None:
        self._count, self._guard = 0, threading.Lock()

    def add(self) -> None:
        """Count one more request."""
        with self._guard:
            self._count += 1

    def take(self) -> int:
        """Return the count and reset it."""
        with self._guard:
            count, self._count = self._count, 0
        return count


class Endpoint:
    """The ASGI application for Slack's path."""

    def __init__(self) -> None:
        self.app: App | None = None
        self.verifier: SignatureVerifier | None = None
        self.refused = Refused()
        self._pool = ThreadPoolExecutor(WORKERS, "slack-http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer lifespan events and POSTs to the path; refuse everything else."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        if scope["type"] != "http" or scope["path"] != PATH:
            await answer(send, 404)
        elif scope["method"] != "POST":
            await answer(send, 405)
        elif self.app is None or self.verifier is None:
            await answer(send, 503)
        else:
            await self._dispatch(self.app, self.verifier, scope, receive, send)

    async def _dispatch(self, app: App, verifier: SignatureVerifier, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive, MAX_BODY)
        if body is None:
            await answer(send, 413)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            await answer(send, 400)
            return
        if not is_signed(verifier, text, headers):  # before anything in it is read
            log_event("slack.signature_refused")
            self.refused.add()
            await answer(send, 401)
            return
        request = BoltRequest(body=text, query=scope.get("query_string", b"").decode("latin-1"), headers=headers)
        found = await asyncio.get_running_loop().run_in_executor(self._pool, app.dispatch, request)
        if found.status == 401:
            log_event("slack.signature_refused")
            self.refused.add()
        kind = found.first_headers().get("content-type", "text/plain;charset=utf-8")
        await answer(send, found.status, found.body.encode(), kind)
