"""Alerts in a channel: each has one card with the verdict of its host, edited as it goes on; many at once are one table."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from triagebook.bot.slack.cards import names
from triagebook.tools.alerts.alert import Alert
from triagebook.tools.alerts.answer import KIND, AlertAnswerer
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.store import alert_rows, chat_runs, jobs
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.jobs import NewJob

from tests.hang import GUARD_S
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

    def episode(self) -> AlertEpisode:
        with self.slacked.trust.store.read() as transaction:
            (newest,) = alert_rows.newest(transaction, 1)
        return newest

    def idle(self) -> None:
        """Until all that was sent is noted and answered, and Slack shows it."""
        until(lambda: not self._open(), "the alerts")
        self.slacked.idle()

    def _open(self) -> bool:
        with self.worker.store.read() as transaction:
            return bool(transaction.connection.exec_driver_sql("SELECT count(*) FROM jobs WHERE done_at = 0").scalar_one())

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
    answerer = AlertAnswerer(slacked.trust.trust, rules, asker, arrivals, lambda: ("enomem@1.2.0",), [show])
    worker = JobWorker(arrivals, slacked.trust.clock, "alerts", {KIND: answerer.handle}, claim_s=0.2)
    worker.start()
    try:
        yield Alerts(slacked, worker)
    finally:
        worker.stop()


def said(card: dict[str, Any]) -> str:
    """The line about the alert; nothing while its host is being asked."""
    return str(card["blocks"][1]["elements"][0].get("text", ""))


def test_an_alert_has_one_card_with_the_verdict_of_its_host(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    card = slacked.card("alerts", "CAUSE FOUND · web-01")
    alerts.idle()
    assert said(card) == "🔔 Tasks is firing"
    assert names.PROPOSE in buttons(card)
    assert len(alerts.root()) == 1
    assert any(item["text"].startswith("Checks") for item in slacked.thread(card))


def test_the_card_counts_repetitions_and_says_that_the_cause_outlived_the_alert(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    alerts.send()
    alerts.idle()
    slacked.trust.clock.pass_(seconds=1)
    alerts.send(is_resolved=True)
    _until_said(slacked, "🔔 Tasks resolved, but the cause is still there, sent again 1 time")
    alerts.idle()
    (card,) = alerts.root()
    below = [item["text"] for item in slacked.thread(card) if "Tasks" in item["text"]]
    assert len(below) == 1  # a person who follows the thread is told: an edit of a card tells nobody
    assert "The alert resolved, but the cause is still there: " in below[0]


def test_another_verdict_than_before_is_said_in_the_thread(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    sound = replace(samples.diagnosis("web-01"), id="D-9", status="healthy", verdict=None, headline="No limit is reached.")
    slacked.hosts.answers["web-01"] = sound
    for asks in (2, 3):
        slacked.trust.clock.pass_(seconds=2)  # the rule asks again after a second
        alerts.send()
        until(lambda asks=asks: alerts.episode().asks == asks, f"{asks} answers")
        slacked.idle()
    card = slacked.card("alerts", "HEALTHY · web-01")
    _until_said(slacked, "🔔 Tasks is firing, sent again 2 times")
    slacked.idle()
    assert len([item for item in slacked.thread(card) if "Tasks is firing" in item["text"]]) == 1  # the second time it is the same


def test_a_card_that_waited_for_its_turn_shows_what_is_true_by_then(
    slacked: SlackWorld, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    alerts.idle()
    alerts.worker.stop()
    store, write = slacked.trust.store, slacked.trust.store.write
    episode = alerts.episode()

    def answered_before(name: str, **how: Any) -> AbstractContextManager[Transaction]:
        if name == "chat.alert":
            with write("alert.answer") as transaction:
                alert_rows.change(transaction, episode.id, asks=2, status="healthy", cause="", headline="No limit is reached.")
        return write(name, **how)

    monkeypatch.setattr(store, "write", answered_before)
    slacked.face.alerts.show(episode.id)
    with store.read() as transaction:
        run = chat_runs.read(transaction, episode.id[:24])
    assert run is not None
    assert run.status == "healthy"


def test_the_card_says_that_what_was_found_is_gone(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    sound = replace(samples.diagnosis("web-01"), status="healthy", verdict=None, headline="No limit is reached.", remediations=())
    slacked.hosts.answers["web-01"] = sound
    alerts.send(is_resolved=True)
    card = slacked.card("alerts", "HEALTHY · web-01")
    assert said(card) == "🔔 Tasks resolved"
    assert len(alerts.root()) == 1


def test_the_card_says_how_often_the_cause_was_found_before(slacked: SlackWorld, alerts: Alerts) -> None:
    first = samples.diagnosis("web-01")
    for name, found in {
        "Sick": first,
        "Sound": replace(first, id="D-2", status="healthy", verdict=None),
        "Again": replace(first, id="D-3"),
    }.items():
        slacked.hosts.answers["web-01"] = found
        alerts.send(name=name)
        until(lambda name=name: any(said(card) == f"🔔 {name} is firing" for card in alerts.root()), name)
        alerts.idle()
    (card,) = [card for card in alerts.root() if said(card) == "🔔 Again is firing"]
    assert "🔁 Second time in a day, first on" in str(card["blocks"])
    assert "Second time in a day" in card["text"]
    assert str(alerts.root()).count("🔁") == 1


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
    alerts.idle()
    assert len(alerts.root()) <= 11
    assert table["ts"] in {item["ts"] for item in alerts.root()}


def test_an_alert_joins_the_table_for_as_long_as_one_of_its_hosts_has_not_answered(slacked: SlackWorld, alerts: Alerts) -> None:
    """However slowly they are worked off: the others in the table may have come minutes ago."""
    release = threading.Event()
    slacked.hosts.before = lambda question: release.wait(GUARD_S) and None if question.target.text == "web-30" else None
    for number in range(1, 31):
        alerts.send(f"web-{number:02}")
    slacked.card("alerts", "1 not answered yet")
    slacked.trust.clock.pass_(minutes=3)
    alerts.send("web-31")
    slacked.card("alerts", "21 hosts")
    release.set()
    until(lambda: "not answered yet" not in slacked.card("alerts", "21 hosts")["text"], "the last host")
    alerts.idle()
    assert len(alerts.root()) == 11
    slacked.trust.clock.pass_(minutes=3)
    alerts.send("web-32")
    slacked.card("alerts", "CAUSE FOUND · web-32")


def test_a_card_that_is_shown_again_stays_as_it_is(slacked: SlackWorld, alerts: Alerts) -> None:
    alerts.send()
    slacked.card("alerts", "CAUSE FOUND · web-01")
    alerts.idle()
    before = alerts.root()
    with slacked.trust.store.read() as transaction:
        (episode,) = transaction.connection.exec_driver_sql("SELECT id FROM alert_episodes").scalars()
    for _ in range(3):
        slacked.face.alerts.show(str(episode))
    alerts.idle()
    assert alerts.root() == before


def _until_said(slacked: SlackWorld, notice: str) -> None:

    until(lambda: any(notice == said(card) for card in slacked.messages("alerts")), notice)
