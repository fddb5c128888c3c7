"""Alerts in a channel: each has one card with the verdict of its host, edited as it goes on; many at once are one table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from triagebook.bot.slack.cards import names
from triagebook.tools.alerts.alert import Alert
from triagebook.tools.alerts.answer import KIND, AlertAnswerer
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.store import jobs
from triagebook.tools.store.jobs import NewJob

from tests.system.fixes import samples

from .driver import buttons
from .world import HOSTS, SlackWorld, until

RULES = """\
apiVersion: triagebook/alerts/v1
sources: {{prometheus: {{type: alertmanager, bearer_files: [token]}}}}
rules:
  - {{name: all, channel: {channel}, again_every: 1}}
"""


class Alerts:
    """The worker of alerts, beside a Slack face."""

    def __init__(self, slacked: SlackWorld, worker: JobWorker) -> None:
        self.slacked, self.worker, self.count = slacked, worker, 0

    def send(self, host: str = "web-01", name: str = "Tasks", *, is_resolved: bool = False) -> None:
        """One notification. Each is a new one: none is taken for the same delivery."""
        self.count += 1
        alert = Alert(
            "prometheus", f"{name}-{host}", "2026-11-30T03:10:05.000Z", is_resolved, {"alertname": name, "instance": host}
        )
        self.worker.accept_batch([NewJob(KIND, f"{alert.key}/{self.count}", alert.dump(), alert.episode)])

    def root(self) -> list[dict[str, Any]]:
        return self.slacked.messages("alerts")


@pytest.fixture
def alerts(slacked: SlackWorld, tmp_path: Path) -> Iterator[Alerts]:
    with beside(slacked, tmp_path) as made:
        yield made


@contextmanager
def beside(slacked: SlackWorld, folder: Path) -> Iterator[Alerts]:
    (folder / "token").write_text("0123456789abcdef")
    (folder / "token").chmod(0o600)
    (folder / "alerts.yaml").write_text(RULES.format(channel=slacked.gate.workspace.channels["alerts"]))
    rules = load_rules(folder / "alerts.yaml", ["enomem"], HOSTS)
    arrivals = jobs.store_of_arrivals(slacked.trust.store)
    asker, show = slacked.face.context.asker, slacked.face.alerts.show
    answerer = AlertAnswerer(slacked.trust.trust, rules, asker, arrivals, lambda: ("enomem@1.1.0",), [show])
    worker = JobWorker(arrivals, slacked.trust.clock, "alerts", {KIND: answerer.handle}, claim_s=0.2)
    worker.start()
    try:
        yield Alerts(slacked, worker)
    finally:
        worker.stop()


def said(card: dict[str, Any]) -> str:
    return str(card["blocks"][1]["elements"][0]["text"])


def test_an_alert_has_one_card_with_the_verdict_of_its_host(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    card = slacked.card("alerts", "CAUSE FOUND · web-01")
    slacked.idle()
    assert said(card) == "🔔 Tasks is firing"
    assert names.PROPOSE in buttons(card)
    assert len(alerts.root()) == 1
    assert any(item["text"].startswith("Checks") for item in slacked.thread(card))


def test_the_card_counts_repetitions_and_says_that_the_cause_outlived_the_alert(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    alerts.send()
    slacked.idle()
    slacked.trust.clock.pass_(seconds=1)
    alerts.send(is_resolved=True)
    _until_said(slacked, "🔔 Tasks resolved, but the cause is still there, sent again 1 time")
    assert len(alerts.root()) == 1


def test_the_card_says_that_what_was_found_is_gone(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    sound = replace(samples.diagnosis("web-01"), status="healthy", verdict=None, headline="No limit is reached.", remediations=())
    slacked.hosts.answers["web-01"] = sound
    alerts.send(is_resolved=True)
    card = slacked.card("alerts", "HEALTHY · web-01")
    assert said(card) == "🔔 Tasks resolved"
    assert len(alerts.root()) == 1


def test_an_alert_that_names_no_host_is_a_visible_result_and_its_words_are_inert(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send("<!channel>", "*Down* <https://evil.example|click>")
    card = slacked.card("alerts", "No diagnosis")
    assert "names no host of the inventory" in card["text"]
    assert "<!channel>" not in card["text"]
    assert "<https" not in str(card["blocks"][2])


def test_many_alerts_at_once_are_one_table(slacked: SlackWorld, alerts: Alerts) -> None:
    for number in range(1, 31):
        alerts.send(f"web-{number:02}")
    table = slacked.card("alerts", "20 hosts")
    slacked.idle()
    assert len(alerts.root()) <= 11
    assert table["ts"] in {item["ts"] for item in alerts.root()}


def test_a_card_that_is_shown_again_stays_as_it_is(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    slacked.idle()
    before = alerts.root()
    with slacked.trust.store.read() as transaction:
        (episode,) = transaction.connection.exec_driver_sql("SELECT id FROM alert_episodes").scalars()
    for _ in range(3):
        slacked.face.alerts.show(str(episode))
    slacked.idle()
    assert alerts.root() == before


def _until_said(slacked: SlackWorld, notice: str) -> None:

    until(lambda: any(notice == said(card) for card in slacked.messages("alerts")), notice)
