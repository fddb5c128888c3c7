"""kill -9 of the server at each step between the receipt of an alert and its posted card: one card and one run for each alert."""

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from triagebook.tools.alerts.answer import KIND
from triagebook.tools.store import alert_rows, chat_messages
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.store.jobs import store_of_arrivals

from tests import postgres
from tests.hang import GUARD_S
from tests.system.alerts.intake_world import SECRET, alert

from .gate import Gate
from .replicas import replica, two
from .workspace import WITH_HISTORY
from .world import Channels, until

ALERTS, HOSTS = 20, 5  # fewer hosts than become a table
RULES = """\
apiVersion: triagebook/alerts/v1
sources: {{prometheus: {{type: alertmanager, bearer_files: [token]}}}}
rules: [{{name: all, channel: {channel}}}]
"""
# Each step, and how often the server comes there before it is killed: with others of the twenty before it and behind it.
POINTS = (
    "jobs.add.before_commit 4",  # a delivery was read
    "jobs.add.after_commit 4",  # it is stored, and not acknowledged
    "jobs.claim.after_commit",
    "alert.note.before_commit 6",
    "alert.note.after_commit 6",
    "chat.alert.after_commit 9",  # the card is to be posted
    "host.answered 3",
    "alert.answer.before_commit 5",
    "alert.answer.after_commit 5",
    "chat.claim.after_commit 2",
    "chat.sent.before_commit 4",  # the card is posted, and nobody knows
    "chat.sent.after_commit 9",
    "jobs.finish.before_commit 5",
)
SHARED = ("", "jobs.add.after_commit", "jobs.claim.after_commit", "alert.note.before_commit", "host.answered")  # of two replicas
QUICK = "chat.sent.before_commit 4"  # each costs the start of two servers and a hundred calls of Slack
DELIVERIES = [
    json.dumps({"version": "4", "alerts": [alert(f"f{number}", f"A{number:02}", f"web-{number % HOSTS + 1:02}")]}).encode()
    for number in range(ALERTS)
]


@pytest.fixture
def rules(tmp_path: Path, through: Gate) -> str:
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "alerts.yaml").write_text(RULES.format(channel=through.workspace.channels["alerts"]))
    return str(tmp_path / "alerts.yaml")


def post(folder: Path) -> None:
    """Send each delivery to the server of this folder; one that does not answer gets no more of them."""
    port = (folder / "alerts_port").read_text()
    for body in DELIVERIES:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/alerts/prometheus", body, {"Authorization": f"Bearer {SECRET}"})
        try:
            with urllib.request.urlopen(request, timeout=GUARD_S) as answer:  # noqa: S310 - loopback
                assert answer.status == 202
        except (urllib.error.URLError, ConnectionError):
            return


@contextmanager
def reading(url: str) -> Iterator[tuple[Store, Store]]:
    """The database, and that of the jobs."""
    store = open_store(url)
    arrivals = store_of_arrivals(store)
    try:
        yield store, arrivals
    finally:
        for opened in {store, arrivals}:
            opened.close()


def is_settled(store: Store, arrivals: Store) -> bool:
    """Whether every alert is answered, every job is done, and Slack shows all that it should."""
    with arrivals.read() as transaction:
        query = f"SELECT count(*) FROM jobs WHERE kind = '{KIND}' AND done_at = 0"
        if transaction.connection.exec_driver_sql(query).scalar_one():
            return False
    with store.read() as transaction:
        answered = [episode for episode in alert_rows.newest(transaction, 100) if episode.answered_at]
        return len(answered) == ALERTS and not chat_messages.is_due(transaction, datetime.now(UTC) + timedelta(days=1))


def assert_one_of_each(channels: Channels, url: str) -> None:
    """Wait until nothing is left to do; each alert then has one card, one run, and one answer."""
    wanted = Counter({f"A{number:02}": 1 for number in range(ALERTS)})
    with reading(url) as (store, arrivals):
        until(lambda: is_settled(store, arrivals), "the last card")
        with store.read() as transaction:
            episodes = alert_rows.newest(transaction, 100)
            runs = transaction.connection.exec_driver_sql("SELECT host, status FROM chat_runs").all()
    assert Counter(episode.name for episode in episodes) == wanted
    assert {(episode.asks, episode.repeats, episode.cause) for episode in episodes} == {(1, 0, "pids_cgroup")}
    assert len(runs) == ALERTS
    cards = channels.messages("alerts")
    assert Counter(named(card) for card in cards) == wanted
    assert [card["text"] for card in cards if "CAUSE FOUND" not in card["text"]] == []
    below = [item["text"] for item in channels.thread(cards[0])]
    assert below
    assert len(below) == len(set(below))


def named(card: dict[str, Any]) -> str:
    """The alert that a card is about."""
    line: str = card["blocks"][1]["elements"][0]["text"]
    return line.removeprefix("🔔 ").removesuffix(" is firing")


@pytest.mark.parametrize("point", [pytest.param(point, marks=[] if point == QUICK else [pytest.mark.long]) for point in POINTS])
def test_a_server_killed_with_twenty_alerts_under_way_has_one_card_for_each(
    tmp_path: Path, through: Gate, rules: str, current_database_url: str, point: str
) -> None:
    channels = Channels(through)
    asked = {"database": current_database_url, "token": WITH_HISTORY, "alerts": rules}
    (tmp_path / "die").write_text(point)
    with replica(tmp_path, through, lease_s=2, **asked) as doomed:  # type: ignore[arg-type]
        post(tmp_path)
        assert doomed.process.wait(GUARD_S) == -9
    (tmp_path / "die").unlink()
    with replica(tmp_path, through, **asked):  # type: ignore[arg-type]
        post(tmp_path)  # the sender repeats what it is not sure of
        assert_one_of_each(channels, current_database_url)


@pytest.mark.parametrize("point", [pytest.param(point, marks=[pytest.mark.long] if point else []) for point in SHARED])
def test_two_replicas_that_get_the_same_deliveries_post_one_card_for_each(
    tmp_path: Path, through: Gate, rules: str, postgres_server: postgres.Server, point: str
) -> None:
    """Also when one of them is killed at such a step, and the other goes on."""
    channels, url = Channels(through), postgres_server.new_database()
    lease_s = 2 if point else 60  # of one that lives nothing is to be taken over
    with two(tmp_path, through, url, token=WITH_HISTORY, alerts=rules, lease_s=lease_s) as replicas:
        if point:
            (tmp_path / "one" / "die").write_text(point)
        with ThreadPoolExecutor(2) as senders:
            list(senders.map(post, (tmp_path / "one", tmp_path / "two")))
        assert_one_of_each(channels, url)
        if point:
            assert replicas[0].process.wait(GUARD_S) == -9
