"""Holds what alerts.yaml says: who may send alerts, and what is asked about each. The first rule that fits decides."""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta

from triagebook.runbooks.engine import expressions
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.alerts.alert import Alert
from triagebook.tools.alerts.credentials import Credential
from triagebook.tools.alerts.sender import AlertSender
from triagebook.tools.sinks.alertmanager import Alertmanager
from triagebook.tools.sinks.outbox import Sink

ROOTS = ("labels", "annotations", "status", "source")  # what a condition may name


@dataclass(frozen=True)
class AlertSource:
    """One sender: its name in the address it posts to, its kind, how it proves itself, and options of its kind."""

    name: str
    sender: AlertSender
    credential: Credential
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class AlertRule:
    """What is asked about the alerts that it fits. `where` is `file:line`."""

    name: str
    when: str  # CEL over ROOTS; empty: every alert
    where: str
    is_ignored: bool = False
    runbooks: tuple[str, ...] = ()  # empty: all
    host: str = "instance"  # the label or annotation that names the host
    host_in: str = ""  # instead: the one in whose text exactly one inventory name stands
    hosts: Mapping[str, str] = field(default_factory=dict)  # what that label says -> a name of the inventory
    symptom: str = "symptom"  # the label or annotation with the error text
    hold: timedelta = timedelta()  # wait so long whether it resolves by itself; never for a critical one
    quiet: timedelta = timedelta()  # after an answer, the same alert of the host asks nothing so long; never a critical one
    again_every: int = 0  # ask again at each so many repetitions; 0: at none
    again_most: int = 3  # and at most so often
    sinks: tuple[str, ...] = ()  # who else is told of the answer
    silence: str = ""  # the Alertmanager whose alert is silent while a fix is carried out on its host; empty: none
    channel: str = ""  # where the answer is shown; empty: where alerts are shown by default

    def fits(self, alert: Alert) -> bool:
        """Tell whether the rule is about this alert. A label that it has not fits nothing."""
        if not self.when:
            return True
        context = {
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "status": "resolved" if alert.is_resolved else "firing",
            "source": alert.source,
        }
        try:
            return expressions.run(self.when, context) is True
        except (ValueError, RuntimeError, TypeError, LookupError):
            return False


@dataclass(frozen=True)
class AlertRules:
    """Everything alerts.yaml says."""

    sources: Mapping[str, AlertSource]
    rules: tuple[AlertRule, ...]
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    alertmanagers: Mapping[str, Alertmanager] = field(default_factory=dict)  # that silences may be made at

    def first(self, alert: Alert) -> AlertRule | None:
        """Return the rule that decides about an alert; None where no rule is about it."""
        return next((rule for rule in self.rules if rule.fits(alert)), None)
