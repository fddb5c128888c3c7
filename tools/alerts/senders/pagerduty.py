"""Reads what PagerDuty posts: webhooks version 3, one event each. The signature over the body proves the sender.

Source: developer.pagerduty.com/docs/webhooks-overview. An incident's title, service and urgency become labels.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from triagebook.tools.alerts.alert import Alert, AlertBatch, clean, start_time
from triagebook.tools.alerts.sender import CheckOption, SenderForm, read_form

OPTIONS: Mapping[str, CheckOption] = {}
REQUIRED: tuple[str, ...] = ()
CREDENTIALS = ("signature",)
STATES: Mapping[str, bool] = {"incident.triggered": False, "incident.reopened": False, "incident.resolved": True}
URGENT = {"high": "critical", "low": "warning"}


class NameForm(SenderForm):
    """Something that has a name."""

    summary: str = ""


class IncidentForm(SenderForm):
    """What is told of an incident."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    created_at: Annotated[str, Field(max_length=60)]
    title: str = ""
    urgency: str = ""
    number: int = 0
    service: NameForm = NameForm()
    priority: NameForm | None = None


class EventForm(SenderForm):
    """What happened, and to what."""

    event_type: Annotated[str, Field(max_length=100)]
    occurred_at: Annotated[str, Field(max_length=60)]
    data: Annotated[dict[str, Any], Field(default_factory=dict)]


class DeliveryForm(SenderForm):
    """One delivery."""

    event: EventForm


class IncidentData(SenderForm):
    """Says that an event is about an incident."""

    type: Literal["incident"]


def read(body: object, source: str, options: Mapping[str, object]) -> AlertBatch:
    """Return the incident as an alert; none for what changes nothing of it (a note, a test). Raises UsageError `alert_body`."""
    event = read_form(DeliveryForm, body).event
    sent_at = start_time(event.occurred_at)
    if event.event_type not in STATES:
        return AlertBatch(sent_at=sent_at)
    read_form(IncidentData, event.data)
    incident = read_form(IncidentForm, event.data)
    labels = {
        "alertname": incident.title,
        "severity": URGENT.get(incident.urgency, incident.urgency),
        "service": incident.service.summary,
        "priority": incident.priority.summary if incident.priority else "",
        "incident": str(incident.number or ""),
    }
    alert = Alert(source, incident.id, start_time(incident.created_at), STATES[event.event_type], labels)
    return AlertBatch((clean(alert),), sent_at=sent_at)
