"""Defines an event: what other systems are told. JSON: `triagebook/event/v1`; members are added, never renamed or removed."""

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.times import rfc3339

SCHEMA: Literal["triagebook/event/v1"] = "triagebook/event/v1"
EventType = Literal["alert.answered", "alert.not_asked", "alert.resolved"]


@dataclass(frozen=True)
class OutgoingEvent:
    """Something that happened. `id` is the same each time it is sent; `subject` is the id of what it is about."""

    id: str
    type: EventType
    at: str
    subject: str
    host: str
    status: str
    cause: str
    headline: str
    source: str = ""  # who sent the alert
    reference: str = ""  # what the source calls it: an incident's id, a fingerprint
    content: Mapping[str, Any] = field(default_factory=dict)  # the alert, and the answer as it is published
    schema: Literal["triagebook/event/v1"] = SCHEMA

    def dump(self) -> str:
        """Return the JSON that is sent."""
        return json.dumps(to_plain(self), ensure_ascii=False)


def make_event(kind: EventType, number: int, subject: str, now: datetime, **values: Any) -> OutgoingEvent:
    """Return the event of that number about a subject: made again after a crash it has the same id."""
    return OutgoingEvent(f"{subject}-{number}", kind, rfc3339(now), subject, **values)
