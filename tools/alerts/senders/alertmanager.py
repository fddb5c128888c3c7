"""Reads what Prometheus' Alertmanager posts: webhook version 4.

Source: prometheus.io/docs/alerting/latest/configuration/#webhook_config. `notification_reason` is sent since 0.34.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from triagebook.tools.alerts.alert import Alert, AlertBatch, clean, start_time
from triagebook.tools.alerts.sender import CheckOption, SenderForm, read_form, require_few

OPTIONS: Mapping[str, CheckOption] = {}
REQUIRED: tuple[str, ...] = ()
CREDENTIALS = ("bearer", "basic", "certificate")


class AlertForm(SenderForm):
    """One alert of the group."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: Annotated[dict[str, str], Field(default_factory=dict)]
    starts_at: Annotated[str, Field(alias="startsAt", max_length=60)]
    fingerprint: Annotated[str, Field(min_length=1, max_length=200)]


class AlertmanagerGroup(SenderForm):
    """The group that a delivery is about."""

    version: Literal["4"]
    alerts: list[AlertForm]
    left_out: Annotated[int, Field(alias="truncatedAlerts", ge=0)] = 0
    reason: Annotated[str, Field(alias="notification_reason")] = ""


def read(body: object, source: str, options: Mapping[str, object]) -> AlertBatch:
    """Return the alerts of a group. Raises UsageError `alert_body`."""
    group = read_form(AlertmanagerGroup, body)
    return batch(group.alerts, source, group.left_out, group.reason)


def batch(forms: list[AlertForm], source: str, left_out: int, reason: str) -> AlertBatch:
    """Return the alerts of these forms, each cleaned. Raises UsageError `alert_body`: too many, or a time that is none."""
    require_few(len(forms))
    alerts = tuple(
        clean(
            Alert(
                source,
                form.fingerprint,
                start_time(form.starts_at),
                form.status == "resolved",
                form.labels,
                form.annotations,
                reason,
            )
        )
        for form in forms
    )
    return AlertBatch(alerts, left_out)
