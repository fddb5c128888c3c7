"""Adds the verdict as a note to the PagerDuty incident that the alert is about, where the people of the incident look.

Source: developer.pagerduty.com/api-reference, "Create a note on an incident". It has no key against doubles: a server that was
killed just after a note may write it once more.
"""

import http.client
import json
from datetime import datetime
from urllib.parse import quote

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.sinks.webhook import NEVER, post

URL = "https://api.pagerduty.com"
LONGEST_NOTE = 2000  # characters


@dataclass(frozen=True)
class PagerDutyNotes:
    """Writes notes about the alerts of one source. `author` is the e-mail address of a user of PagerDuty."""

    name: str
    source: str
    author: str
    token: bytes
    url: str = URL

    def send(self, event_id: str, body: str, now: datetime) -> None:
        """Write one event as a note; nothing where it is about an alert of another source. Raises TrustError and UsageError."""
        event = json.loads(body)
        if event.get("source") != self.source or not event.get("reference"):
            return
        headers = {
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Authorization": f"Token token={self.token.decode()}",
            "Content-Type": "application/json",
            "From": self.author,
            "User-Agent": "triagebook",
        }
        text = f"triagebook on {event['host'] or 'no host'}: {event['headline']}"[:LONGEST_NOTE]
        address = f"{self.url}/incidents/{quote(event['reference'], safe='')}/notes"
        post(self.name, address, headers, json.dumps({"note": {"content": text}}), NEVER | {http.client.NOT_FOUND})
