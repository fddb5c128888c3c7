"""Silences the alerts about a host for as long as a fix is being carried out there, where a rule of alerts.yaml says so.

A fix may restart what it mends: nobody is to be called for that. Only the very alert is silenced, by all its labels, and only while
the fix runs; when it has ended, however it ended, the silence ends too, and whoever is to be called is called.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.alerts.alert import load
from triagebook.tools.alerts.rules import AlertRules
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.log import log_event
from triagebook.tools.sinks.alertmanager import LENGTH, Alertmanager, Silence
from triagebook.tools.store import alert_rows, fix_rows
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import LEASED, Fix

EVERY_S = 1.0
MOST_FIXES, MOST_ALERTS = 200, 200
NAME = "alertname"  # the label that every alert of Prometheus has


@dataclass(frozen=True)
class WantedSilence:
    """An alert that is to be silent for the sake of a fix. `purpose` names both."""

    purpose: str
    labels: Mapping[str, str]
    says: str


@dataclass
class Silencer:
    """Brings the silences of each Alertmanager to what the fixes that run now want. Nothing is kept: a restart changes nothing.

    Each server makes the silences of its own fixes, and ends any whose fix runs nowhere any more. A silence for a fix that this
    database does not have is of another installation, which asks the same Alertmanager: it is left alone, and ends by itself.
    """

    server: ApprovalServer
    rules: AlertRules
    _watched: set[str] = field(default_factory=set)  # Alertmanagers that may have silences of ours

    def __post_init__(self) -> None:
        self._watched = set(self.rules.alertmanagers)  # those of a server that died

    def step(self) -> None:
        """Look at the fixes once. An Alertmanager that does not answer is asked again at the next step."""
        with self.server.store.read() as transaction:
            fixes = fix_rows.list_fixes(transaction, MOST_FIXES, states=sorted(LEASED))
            wanted = self._find_wanted(transaction, [fix for fix in fixes if self._is_ours(fix)])
        running = frozenset(fix.id for fix in fixes)
        for name in sorted(self._watched | set(wanted)):
            try:
                self._update(self.rules.alertmanagers[name], wanted.get(name, []), running)
            except TriagebookError as error:
                self._watched.add(name)
                log_event("silence.failed", alertmanager=name, reason=error.reason, error=error)

    def _update(self, alertmanager: Alertmanager, wanted: list[WantedSilence], running: frozenset[str]) -> None:
        now = self.server.clock()
        present = {silence.purpose: silence for silence in alertmanager.silences()}
        for silence in present.values():
            if _fix_of(silence) not in running and self._has(_fix_of(silence)):
                alertmanager.end(silence)
                log_event("silence.ended", alertmanager=alertmanager.name, fix=_fix_of(silence))
        for item in wanted:
            before = present.get(item.purpose)
            if before is None or before.ends_at - now < LENGTH / 2:
                alertmanager.silence(item.purpose, item.says, item.labels, now, before)
                log_event("silence.made", alertmanager=alertmanager.name, fix=item.purpose.partition("/")[0])
        if wanted:
            self._watched.add(alertmanager.name)
        elif all(_fix_of(silence) not in running for silence in present.values()):
            self._watched.discard(alertmanager.name)

    def _has(self, fix_id: str) -> bool:
        with self.server.store.read() as transaction:
            return fix_rows.read(transaction, fix_id) is not None

    def _is_ours(self, fix: Fix) -> bool:
        """Tell whether this server carries it out now. An undo is carried out as a fix of its own."""
        return fix.state == "running" and fix.owner.rpartition(".")[0] == self.server.instance

    def _find_wanted(self, transaction: Transaction, fixes: list[Fix]) -> dict[str, list[WantedSilence]]:
        found: dict[str, list[WantedSilence]] = {}
        for fix in fixes:
            for episode in alert_rows.newest(transaction, MOST_ALERTS, host=fix.host):
                for name, item in self._of_alert(fix, episode):
                    found.setdefault(name, []).append(item)
        return found

    def _of_alert(self, fix: Fix, episode: AlertEpisode) -> Iterator[tuple[str, WantedSilence]]:
        rule = next((rule for rule in self.rules.rules if rule.name == episode.rule), None)
        if rule is None or not rule.silence or episode.resolved_at is not None:
            return
        labels = load(episode.alert).labels
        # without its host it would silence the alert of every other host as well, without its name every alert of the host
        if (rule.host_in or rule.host) not in labels or not labels.get(NAME):
            return
        yield rule.silence, WantedSilence(f"{fix.id}/{episode.id}", labels, f"is being carried out on {fix.host}")


def _fix_of(silence: Silence) -> str:
    return silence.purpose.partition("/")[0]
