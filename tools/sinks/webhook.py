"""Posts events to an address, signed as Standard Webhooks has it (github.com/standard-webhooks/standard-webhooks).

The receiver checks `webhook-signature` over `ID.TIMESTAMP.BODY` by HMAC-SHA256 with the secret, and drops what it has by its id.
"""

import base64
import hashlib
import hmac
import http.client
import urllib.error
import urllib.request
from datetime import datetime
from urllib.parse import urlsplit

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError, UsageError

TIMEOUT_S = 10.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")
GONE = 410  # by it a receiver says that it wants no more


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
        request = urllib.request.Request(self.url, body.encode(), headers, method="POST")  # noqa: S310 - check_url has seen it
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S):
                return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in {GONE, http.client.BAD_REQUEST}:
                raise UsageError(f"{self.name}: answered {error.code}", reason="sink") from None
            raise TrustError(f"{self.name}: answered {error.code}", reason="sink") from None
        except (OSError, http.client.HTTPException) as error:
            raise TrustError(f"{self.name}: {getattr(error, 'reason', None) or error}", reason="sink") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the answer of a receiver does not choose where events go."""

    def redirect_request(self, *_arguments: object, **_named: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler())


def sign(secret: bytes, event_id: str, stamp: str, body: str) -> str:
    """Return the header `webhook-signature`."""
    digest = hmac.new(secret, f"{event_id}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def check_url(url: str) -> str:
    """Return an address that events may go to: https, or http on this machine. Raises UsageError."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return url
    raise UsageError(f"{url[:100]!r}: expected an https address; http only to this machine", reason="sink")
