"""Makes and ends silences of an Alertmanager (API v2). Each is of our own author and names what it is for in its comment.

Nothing is remembered here: which silences there are is asked of Alertmanager. One that nobody ends ends by itself.
Source: github.com/prometheus/alertmanager, api/v2/openapi.yaml.
"""

import http.client
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from urllib.request import Request

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.sinks.webhook import NEVER, send
from triagebook.tools.times import rfc3339

AUTHOR = "triagebook"
LENGTH = timedelta(minutes=10)  # prolonged while it is wanted: it does not outlive a server that died by more
GONE = frozenset({http.client.NOT_FOUND, http.client.INTERNAL_SERVER_ERROR})  # 0.25 answers 500 where it has ended already
MOST_ANSWER = 4 << 20  # bytes of a list of silences


@dataclass(frozen=True)
class Silence:
    """A silence of ours that holds now. `purpose` is the first word of its comment."""

    id: str
    purpose: str
    starts_at: str
    ends_at: datetime


@dataclass(frozen=True)
class Alertmanager:
    """One Alertmanager, or a cluster behind one address. `token` is sent as a bearer token where there is one."""

    name: str
    url: str
    token: bytes = b""

    def silences(self) -> list[Silence]:
        """Return our silences that hold. Raises TrustError: it does not answer, or with something else."""
        try:
            found = json.loads(send(self.name, self._request("GET", "silences"), (), MOST_ANSWER))
            return [_silence(item) for item in found if item["createdBy"] == AUTHOR and item["status"]["state"] != "expired"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TrustError(f"{self.name}: no list of silences: {type(error).__name__}", reason="sink") from None

    def silence(self, purpose: str, says: str, labels: Mapping[str, str], now: datetime, before: Silence | None = None) -> None:
        """Make a silence of the alerts that have all these labels, or prolong the one before. Raises TrustError and UsageError."""
        matchers = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in sorted(labels.items())]
        wanted = {
            **({"id": before.id} if before else {}),
            "matchers": matchers,
            "startsAt": before.starts_at if before else rfc3339(now - LENGTH),  # at once, also where our clock is ahead
            "endsAt": rfc3339(now + LENGTH),
            "createdBy": AUTHOR,
            "comment": f"{purpose} {says}",
        }
        send(self.name, self._request("POST", "silences", json.dumps(wanted)), NEVER)

    def end(self, silence: Silence) -> None:
        """End a silence now; one that is gone is no error. Raises TrustError."""
        with suppress(UsageError):
            send(self.name, self._request("DELETE", f"silence/{quote(silence.id, safe='')}"), GONE)

    def _request(self, method: str, path: str, body: str = "") -> Request:
        authorization = {"Authorization": f"Bearer {self.token.decode()}"} if self.token else {}
        headers = {"Content-Type": "application/json", "User-Agent": "triagebook", **authorization}
        return Request(f"{self.url}/api/v2/{path}", body.encode() or None, headers, method=method)  # noqa: S310 - `check_url` has seen it


def _silence(item: Mapping[str, Any]) -> Silence:
    ends_at = datetime.fromisoformat(item["endsAt"])
    if ends_at.tzinfo is None:
        raise ValueError("a time without a zone")
    return Silence(str(item["id"]), str(item["comment"]).partition(" ")[0], str(item["startsAt"]), ends_at)
