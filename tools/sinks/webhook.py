"""Posts events to an address, signed as Standard Webhooks has it (github.com/standard-webhooks/standard-webhooks).

The receiver checks `webhook-signature` over `ID.TIMESTAMP.BODY` by HMAC-SHA256 with the secret, and drops what it has by its id.
"""

import base64
import hashlib
import hmac
import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.inventory.target import LOCAL

TIMEOUT_S = 10.0
ANSWER_S = 30.0  # for the whole answer: TIMEOUT_S begins anew with each byte of it
NEVER = frozenset({http.client.GONE, http.client.BAD_REQUEST})  # by these a receiver says that it wants this one never


@dataclass(frozen=True)
class WebhookSink:
    """A receiver of events: its name, where it is, and the secret that both have."""

    name: str
    url: str
    secret: bytes

    def send(self, event_id: str, body: str, now: datetime) -> None:
        """Post one event. Raises TrustError: try again later. UsageError: the receiver will never take it."""
        stamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "triagebook",
            "webhook-id": event_id,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self.secret, event_id, stamp, body),
        }
        post(self.name, self.url, headers, body, NEVER)


def post(name: str, url: str, headers: Mapping[str, str], body: str, never: Collection[int]) -> None:
    """Post to an address that `check_url` has seen. Raises TrustError: try again later. UsageError: answered by one of `never`."""
    send(name, urllib.request.Request(url, body.encode(), dict(headers), method="POST"), never)  # noqa: S310


def send(name: str, request: urllib.request.Request, never: Collection[int], most: int = 0) -> bytes:
    """Send a request to an address that `check_url` has seen; the first `most` bytes of its answer. Raises as `post` does."""
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read(most))
    except urllib.error.HTTPError as error:
        error.close()
        kind = UsageError if error.code in never else TrustError
        raise kind(f"{name}: answered {error.code}", reason="sink") from None
    except (OSError, http.client.HTTPException) as error:
        raise TrustError(f"{name}: {getattr(error, 'reason', None) or error}", reason="sink") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the answer of a receiver does not choose where events go."""

    def redirect_request(self, *_arguments: object, **_named: object) -> None:
        return None


class _HttpConnection(http.client.HTTPConnection):
    """Hangs up on a receiver that has not answered in time, however slowly it goes on: its thread is wanted for others."""

    def getresponse(self) -> http.client.HTTPResponse:
        """Return the answer. Raises OSError or HTTPException: it did not come in time."""
        timer = threading.Timer(ANSWER_S, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class _HttpsConnection(_HttpConnection, http.client.HTTPSConnection):
    """The same over TLS."""


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HttpConnection, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HttpsConnection, request)


_OPENER = urllib.request.build_opener(_HttpHandler, _HttpsHandler, _NoRedirects, urllib.request.ProxyHandler())


def sign(secret: bytes, event_id: str, stamp: str, body: str) -> str:
    """Return the header `webhook-signature`."""
    digest = hmac.new(secret, f"{event_id}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def check_url(url: str) -> str:
    """Return an address that events may go to: https, or http on this machine. Raises UsageError.

    It says nothing of the address but scheme and host: many receivers have their secret in the path.
    """
    try:
        parts = urlsplit(url)
        is_whole = parts.port != 0 and url.isascii() and "@" not in parts.netloc
    except ValueError:
        raise UsageError("expected an https address such as https://ops.example.com/hook", reason="sink") from None
    shown = f"{parts.scheme}://{parts.hostname or ''}"[:100]
    if not (parts.scheme == "https" and parts.hostname) and not (parts.scheme == "http" and parts.hostname in LOCAL):
        raise UsageError(f"{shown!r}: expected an https address; http only to this machine", reason="sink")
    if not is_whole:
        raise UsageError(f"{shown!r}: expected an address in ASCII without a user, and a port above 0", reason="sink")
    return url
