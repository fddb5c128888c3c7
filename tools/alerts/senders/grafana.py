"""Reads what Grafana's alerting posts to a webhook: Alertmanager's form with a version of its own.

Source: grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from triagebook.tools.alerts.alert import AlertBatch
from triagebook.tools.alerts.sender import CheckOption, SenderForm, read_form
from triagebook.tools.alerts.senders.alertmanager import AlertForm, batch

OPTIONS: Mapping[str, CheckOption] = {}
REQUIRED: tuple[str, ...] = ()
CREDENTIALS = ("bearer", "basic", "certificate")


class GrafanaGroup(SenderForm):
    """The group that a delivery is about. Its version is a number in text that grows by itself."""

    version: Annotated[str, Field(pattern=r"^[0-9]{1,4}$")]
    alerts: list[AlertForm]
    left_out: Annotated[int, Field(alias="truncatedAlerts", ge=0)] = 0


def read(body: object, source: str, options: Mapping[str, object]) -> AlertBatch:
    """Return the alerts of a group. Raises UsageError `alert_body`."""
    group = read_form(GrafanaGroup, body)
    return batch(group.alerts, source, group.left_out, "")
