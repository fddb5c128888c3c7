"""Keeps events in the database, in the same transaction as the row they tell of, and sends them from there."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.jobs.worker import Continue
from triagebook.tools.log import log_event
from triagebook.tools.sinks.event import OutgoingEvent
from triagebook.tools.store import jobs
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.jobs import Job, NewJob

KIND = "event"
KEEP = timedelta(days=1)  # a receiver that is away for longer misses what came before


class Sink(Protocol):
    """A receiver of events."""

    @property
    def name(self) -> str:
        """What alerts.yaml calls it."""
        ...

    def send(self, event_id: str, body: str, now: datetime) -> None:
        """Send one event. Raises TrustError: try again later. UsageError: it will never be taken."""
        ...


def add(transaction: Transaction, event: OutgoingEvent, sinks: Iterable[str], now: datetime) -> None:
    """Store an event for each of these sinks. Events of one subject reach a sink in the order they were stored."""
    body = event.dump()
    new = [NewJob(KIND, f"{sink}/{event.id}", _wrap(sink, event.id, body), f"{sink}/{event.subject}", KEEP, KEEP) for sink in sinks]
    jobs.add(transaction, new, now)


@dataclass(frozen=True)
class EventSender:
    """Does the jobs of events. One that cannot be sent now is put off, and holds up no other subject."""

    sinks: Mapping[str, Sink]
    clock: Callable[[], datetime]

    def handle(self, job: Job) -> Continue | None:
        """Leave the sending to a slow thread: a receiver may take its time."""
        return lambda: self._send(job)

    def _send(self, job: Job) -> None:
        stored = json.loads(job.body)
        sink = self.sinks.get(stored["sink"])
        if sink is None:
            raise UsageError(f"no sink {stored['sink']!r} any more: its events are dropped", reason="sink")
        sink.send(stored["id"], stored["body"], self.clock())
        log_event("event.sent", sink=sink.name, id=stored["id"])


def _wrap(sink: str, event_id: str, body: str) -> str:
    return json.dumps({"sink": sink, "id": event_id, "body": body}, ensure_ascii=False)
