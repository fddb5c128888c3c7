"""Each delivery is worked on once: sent twice, to two replicas, after a restart, after its worker died."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from triagebook.bot.slack.cards import names
from triagebook.bot.slack.inbound import inbox
from triagebook.bot.slack.inbound.delivery import of_command
from triagebook.tools.store import jobs
from triagebook.tools.store.jobs import NewJob
from triagebook.tools.store.leases import Lease

from tests.hang import GUARD_S
from tests.system.slack import world as worlds

from .driver import Http, Socket
from .gate import Gate
from .paths import fix_of, proposed
from .world import SlackWorld, until


def test_one_delivery_to_two_replicas_is_worked_on_once(tmp_path: Path, through: Gate, database_url: str) -> None:
    with (
        worlds.over_http(tmp_path, through, url=database_url) as one,
        worlds.over_http(tmp_path, through, url=database_url, instance="two") as two,
    ):
        body = one.driver.command_body("ann", "web-21", "/triage", "incidents")
        assert at_once(one, two, "command", body) == [200, 200]
        card = one.card("incidents", "CAUSE FOUND · web-21")
        one.idle()
        assert len(one.hosts.asked) + len(two.hosts.asked) == 1
        assert len([item for item in one.messages("incidents") if "web-21" in item["text"]]) == 1
        asked = proposed(two, "web-22")
        click = two.driver.click_body("bob", asked, names.APPROVE)
        assert at_once(one, two, "interactive", click) == [200, 200]
        one.card("approvals", "Approvals: 1 of 2")
        one.idle()
        two.idle()
        assert [event.outcome for event in one.trust.events() if event.action == "approve"] == ["ok"]
        assert card["text"]


def at_once(one: SlackWorld, two: SlackWorld, kind: str, body: dict[str, object]) -> list[int]:
    """The same delivery to both, at the same instant."""
    start, answers = threading.Barrier(2), []

    def deliver(world: SlackWorld) -> None:
        start.wait()
        answers.append(world.driver.way.send(kind, dict(body)).status)

    threads = [threading.Thread(target=deliver, args=(world,)) for world in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_delivery_sent_again_after_a_restart_was_done_before_it(tmp_path: Path, through: Gate) -> None:
    with worlds.over_http(tmp_path, through) as before:
        card = proposed(before, "web-21")
        click = before.driver.click_body("bob", card, names.APPROVE)
        before.driver.way.send("interactive", click)
        before.card("approvals", "Approvals: 1 of 2")
    with worlds.over_http(tmp_path, through) as after:
        assert after.driver.way.send("interactive", click).status == 200
        after.since = before.since
        after.driver.click("cid", card, names.APPROVE)
        after.card("approvals", "DONE AND VALIDATED: web-21")
        outcomes = [(event.person, event.outcome) for event in after.trust.events() if event.action == "approve"]
        assert outcomes == [("bob", "ok"), ("cid", "ok")]
        assert len(after.trust.executor.effects(fix_of(card))) == 1


def test_what_a_dead_worker_left_is_taken_over(tmp_path: Path, through: Gate) -> None:
    with worlds.over_http(tmp_path, through) as world:
        left = of_command(world.driver.command_body("ann", "web-03", "/triage", "incidents"))
        now = world.trust.clock()
        with world.face.inbox.worker.store.write() as transaction:
            left_job = NewJob(inbox.KIND, left.key, left.dump())
            jobs.add(transaction, [left_job], now, Lease("a dead one", now - timedelta(seconds=1)))
        world.card("incidents", "CAUSE FOUND · web-03")
        world.idle()
        assert world.hosts.asked == ["web-03"]


def test_a_face_that_stops_leaves_what_it_has_not_begun_to_the_next(
    tmp_path: Path, through: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "SLOW", 16)
    release = threading.Event()
    with worlds.over_http(tmp_path, through) as before:
        before.face.inbox.worker.lease = worlds.HOUR
        before.hosts.before = lambda _question: release.wait(GUARD_S) and None
        for number in range(1, 20):  # three more than there are slow workers
            before.driver.command("ann", f"web-{number:02}", channel="alerts")
        until(lambda: len(before.hosts.asked) >= 16, "the workers")
        threading.Timer(0.5, release.set).start()
    with worlds.over_http(tmp_path, through) as after:
        until(lambda: len(before.hosts.asked) + len(after.hosts.asked) >= 19, "the rest")
        after.idle()
        assert sorted([*before.hosts.asked, *after.hosts.asked]) == [f"web-{number:02}" for number in range(1, 20)]


def test_an_envelope_that_comes_twice_and_a_socket_that_is_closed_lose_nothing(tmp_path: Path, through: Gate) -> None:
    with worlds.over_socket(tmp_path, through) as world:
        way = world.driver.way
        assert isinstance(way, Socket)
        body = world.driver.command_body("ann", "web-04", "/triage", "incidents")
        way.send("command", body, "envelope-twice")
        through.acknowledged.clear()
        way.send("command", body, "envelope-twice")
        world.card("incidents", "CAUSE FOUND · web-04")
        through.hang_up()
        until(lambda: through.is_connected, "another WebSocket")
        way.send("command", world.driver.command_body("ann", "web-05", "/triage", "incidents"))
        world.card("incidents", "CAUSE FOUND · web-05")
        world.idle()
        assert world.hosts.asked == ["web-04", "web-05"]


def test_a_flood_is_told_to_wait(tmp_path: Path, through: Gate) -> None:
    release = threading.Event()
    with worlds.over_http(tmp_path, through) as world:
        world.face.inbox.worker.most_held = 3
        world.hosts.before = lambda _question: release.wait(GUARD_S) and None
        answers = [world.driver.command("ann", f"web-{number:02}").body for number in range(1, 6)]
        assert answers[:3] == ["", "", ""]
        assert all("busy, retry in" in answer for answer in answers[3:])
        assert isinstance(world.driver.way, Http)
        release.set()
        world.idle()
        assert len(world.hosts.asked) == 3
