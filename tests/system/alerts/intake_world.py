"""A server's database with the intake of alerts on it: real rules, jobs and rows; a host that answers by a recorded diagnosis."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triagebook.tools.alerts.answer import KIND, AlertAnswerer
from triagebook.tools.alerts.intake import Intake
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.stored_diagnosis import OnFirstVerdict, StoredDiagnosis, redact_diagnosis
from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.sinks import outbox
from triagebook.tools.sinks.outbox import EventSender
from triagebook.tools.store import alert_rows, jobs
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.jobs import NewJob

from tests.system.fixes import policies
from tests.system.fixes.samples import NAMES
from tests.system.fixes.world import World, build
from tests.system.jobs.steps import until

SECRET = "0123456789abcdef"
RULES = """\
apiVersion: triagebook/alerts/v1
sources:
  prometheus: {type: alertmanager, bearer_files: [token]}
rules:
  - {name: held, when: "labels.alertname == 'Held'", hold: 10m}
  - {name: quietly, when: "labels.alertname == 'Flapping'", quiet: 30m}
  - {name: again, when: "labels.alertname == 'Again'", again_every: 2, again_most: 1}
  - {name: all}
"""
POLICY = policies.TEXT.replace("rules:\n", "rules:\n  - {name: alerts look, allow: [diagnose], who: [alerts], hosts: [web-*]}\n", 1)


@dataclass
class RecordedAsker:
    """Answers with what the world's host shows now, and counts the questions."""

    world: World
    asked: list[Question] = field(default_factory=list)
    fails: Exception | None = None

    def ask(self, question: Question, first: OnFirstVerdict) -> StoredDiagnosis:
        self.asked.append(question)
        if self.fails:
            raise self.fails
        return redact_diagnosis(self.world.diagnoser.diagnose(question.target.text, question.runbook, {}))


@dataclass
class IntakeWorld:
    """Everything between a delivery and its answer."""

    world: World
    asker: RecordedAsker
    answerer: AlertAnswerer
    worker: JobWorker
    events: JobWorker
    intake: Intake
    shown: list[str]

    def deliver(self, *alerts: dict[str, Any], body: bytes = b"") -> int:
        """Post a delivery of the one source; its status."""
        content = body or json.dumps({"version": "4", "alerts": list(alerts)}).encode()
        return self.intake.store(self.answerer.rules.sources["prometheus"], content)[0]

    def episodes(self) -> list[AlertEpisode]:
        with self.world.store.read() as transaction:
            return sorted(alert_rows.newest(transaction, 1000, has_answers=True), key=lambda episode: (episode.host, episode.id))

    def new_jobs(self, *alerts: dict[str, Any]) -> list[NewJob]:
        """The jobs that a delivery of these alerts becomes."""
        source = self.answerer.rules.sources["prometheus"]
        batch = source.sender.read({"version": "4", "alerts": list(alerts)}, source.name, {})
        return [self.intake.job_of(alert) for alert in batch.alerts]

    def settle(self) -> None:
        """Wait until no job is open that could be begun now."""
        until(lambda: not self._open(), "the jobs of alerts")

    def _open(self) -> int:
        with self.answerer.arrivals.read() as transaction:
            now = self.world.clock()
            query = "SELECT count(*) FROM jobs WHERE kind = 'alert' AND done_at = 0 AND not_before <= " + str(
                int(now.timestamp() * 1_000_000)
            )
            return int(transaction.connection.exec_driver_sql(query).scalar_one())


@contextmanager
def intake_world(url: str, folder: Path, rules: str = RULES, policy: str = POLICY) -> Iterator[IntakeWorld]:
    """A world whose worker runs."""
    world = build(url, folder, policy=policy)
    (folder / "token").write_text(SECRET)
    (folder / "token").chmod(0o600)
    (folder / "alerts.yaml").write_text(rules)
    shown: list[str] = []
    asker = RecordedAsker(world)
    loaded = load_rules(folder / "alerts.yaml", ["forks"], NAMES.inventory.hosts)
    arrivals = jobs.store_of_arrivals(world.store)
    answerer = AlertAnswerer(world.trust, loaded, asker, arrivals, lambda: ("forks@1.0.0",), [shown.append])
    worker = JobWorker(arrivals, world.clock, "one", {KIND: answerer.handle})
    events = JobWorker(world.store, world.clock, "events", {outbox.KIND: EventSender(loaded.sinks, world.clock).handle})
    worker.start()
    events.start()
    try:
        yield IntakeWorld(world, asker, answerer, worker, events, Intake(loaded, worker, world.clock), shown)
    finally:
        worker.stop()
        events.stop()
        world.store.close()


def alert(
    fingerprint: str = "f1", name: str = "Tasks", host: str = "web-01", *, state: str = "firing", **labels: str
) -> dict[str, Any]:
    """One alert as Alertmanager posts it."""
    return {
        "status": state,
        "labels": {"alertname": name, "instance": f"{host}:9100", **labels},
        "annotations": {"symptom": "fork: retry: Resource temporarily unavailable"},
        "startsAt": "2026-11-30T03:10:05Z",
        "fingerprint": fingerprint,
    }
