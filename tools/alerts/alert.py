"""Holds an alert as its sender told it: a stranger's words. It names a host and a symptom; nothing else of it is obeyed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import from_plain, to_plain
from triagebook.tools.redact import clean_text
from triagebook.tools.times import rfc3339

MOST_WORDS = 64  # labels, and annotations, of one alert
LONGEST_NAME, LONGEST_VALUE = 100, 1000  # characters; what is longer is cut
NAME, SEVERITY, CRITICAL = "alertname", "severity", "critical"


@dataclass(frozen=True)
class Alert:
    """One alert in one state. What is true of it is only that `source`, whose secret the delivery proved, said so."""

    source: str
    fingerprint: str  # the sender's own name of what is wrong; the same for each notification of it
    starts_at: str  # RFC 3339, UTC
    is_resolved: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""  # why the sender sent it, where it says so: `repeat interval elapsed`

    @property
    def episode(self) -> str:
        """The id of this alert from its start to its resolution, whatever state it is in."""
        parts = (self.source, self.fingerprint, self.starts_at)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    @property
    def key(self) -> str:
        """What is the same for a delivery that is sent twice: the episode and its state."""
        return f"{self.episode}/{'resolved' if self.is_resolved else 'firing'}"

    @property
    def name(self) -> str:
        """What the sender calls this kind of alert; empty where it says nothing."""
        return self.labels.get(NAME, "")

    @property
    def is_critical(self) -> bool:
        """Tell whether the sender calls it critical."""
        return self.labels.get(SEVERITY, "").lower() == CRITICAL

    def word(self, name: str) -> str:
        """Return a label or an annotation by its bare name, a label first; empty where there is none."""
        return self.labels.get(name) or self.annotations.get(name, "")

    def dump(self) -> str:
        """Return it as JSON for the database."""
        return json.dumps(to_plain(self), ensure_ascii=False)


@dataclass(frozen=True)
class AlertBatch:
    """What one delivery told: its alerts, how many the sender left out because they were too many, and when it was sent."""

    alerts: tuple[Alert, ...] = ()
    left_out: int = 0
    sent_at: str = ""  # where the signature covers it: then a late delivery is refused


def load(text: str) -> Alert:
    """Read what `Alert.dump` wrote. Raises ValueError."""
    return from_plain(Alert, json.loads(text), "alert")


def clean(alert: Alert) -> Alert:
    """Return the alert with bounded words without secrets and without characters that act on a screen."""
    return replace(
        alert,
        fingerprint=clean_text(alert.fingerprint, LONGEST_VALUE),
        labels=_clean_words(alert.labels),
        annotations=_clean_words(alert.annotations),
        reason=clean_text(alert.reason, LONGEST_NAME),
    )


def start_time(text: str) -> str:
    """Return a sender's time as RFC 3339 in UTC. Raises UsageError `alert_body`: it is no time with a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"{text[:60]!r} is no time with a zone, such as 2026-11-30T03:14:00Z", reason="alert_body")
    try:
        return rfc3339(moment.astimezone(UTC), "milliseconds")
    except OverflowError:
        raise UsageError(f"{text[:60]!r} is no time that a calendar has", reason="alert_body") from None


def _clean_words(words: Mapping[str, str]) -> dict[str, str]:
    return {clean_text(name, LONGEST_NAME): clean_text(value, LONGEST_VALUE) for name, value in sorted(words.items())[:MOST_WORDS]}
