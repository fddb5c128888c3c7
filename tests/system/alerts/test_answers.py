"""From a delivery to its answer: each alert is stored once, its host is asked when it has to be, and what came of it is kept."""

from dataclasses import replace
from datetime import timedelta

import pytest
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.alerts.alert import AlertBatch
from triagebook.tools.alerts.answer import KIND, AlertAnswerer
from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.store import alert_rows, jobs
from triagebook.tools.store.jobs import Job
from triagebook.tools.store.leases import Lease

from tests.system.jobs.steps import until

from .intake_world import IntakeWorld, alert


def later(made: IntakeWorld, **time: float) -> None:
    """Let the clock go on, and the worker look."""
    made.world.clock.pass_(**time)
    made.worker._claims.wake()


def test_an_alert_is_stored_its_host_asked_once_and_the_answer_kept(made: IntakeWorld) -> None:
    assert made.deliver(alert()) == 202
    made.settle()
    (episode,) = made.episodes()
    (question,) = made.asker.asked
    assert (question.target.text, question.inputs) == ("web-01", {"symptom": "fork: retry: Resource temporarily unavailable"})
    assert (episode.source, episode.name, episode.host, episode.rule, episode.problem) == (
        "prometheus",
        "Tasks",
        "web-01",
        "all",
        "",
    )
    assert (episode.status, episode.cause, episode.cause_at_alert, episode.asks) == ("cause_found", "pids_cgroup", "pids_cgroup", 1)
    assert episode.diagnosis
    with made.world.store.read() as transaction:
        assert alert_rows.newest(transaction, 10) == [replace(episode, diagnosis="")]  # a list need not read whole answers
    assert set(made.shown) == {episode.id}
    event = made.world.last()
    assert (event.action, event.account, event.person, event.channel, event.host) == (
        "diagnose",
        "alert:prometheus",
        "",
        "alerts",
        "web-01",
    )


def test_the_same_delivery_again_changes_nothing(made: IntakeWorld) -> None:
    for _ in range(3):  # of the other half of a pair, and of a retry
        assert made.deliver(alert(), alert("f2", host="web-02")) == 202
    made.settle()
    assert [(episode.host, episode.repeats, episode.asks) for episode in made.episodes()] == [("web-01", 0, 1), ("web-02", 0, 1)]


def test_a_repetition_is_counted_and_asked_about_only_as_the_rule_says(made: IntakeWorld) -> None:
    counted = []
    for _ in range(6):
        made.deliver(alert(name="Again"), alert("f2", "Tasks", "web-02"))
        made.settle()
        counted.append([(episode.repeats, episode.asks) for episode in made.episodes()])
        later(made, minutes=6)
        made.settle()
        with made.answerer.arrivals.write() as transaction:
            transaction.connection.exec_driver_sql("DELETE FROM jobs WHERE done_at > 0")
    again = [step[0] for step in counted]
    assert again == [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2)]  # at every second one, once
    assert [step[1] for step in counted] == [(number, 1) for number in range(6)]


def test_at_its_resolution_the_host_is_asked_once_more(made: IntakeWorld) -> None:
    made.deliver(alert())
    made.settle()
    later(made, minutes=1)
    made.deliver(alert(state="resolved"))
    made.deliver(alert(state="resolved"))
    made.settle()
    (episode,) = made.episodes()
    assert episode.resolved_at == made.world.clock()
    assert (episode.asks, episode.cause, episode.cause_at_alert) == (2, "pids_cgroup", "pids_cgroup")
    assert len(made.asker.asked) == 2


def test_a_resolution_nobody_saw_begin_is_kept_and_nobody_is_asked(made: IntakeWorld) -> None:
    made.deliver(alert(state="resolved"))
    made.settle()
    (episode,) = made.episodes()
    assert (episode.resolved_at is not None, episode.asks, made.asker.asked) == (True, 0, [])


def test_an_alert_that_resolves_within_its_hold_asks_nobody(made: IntakeWorld) -> None:
    made.deliver(alert(name="Held"), alert("f2", "Held", "web-02"), alert("f3", "Held", "web-03", severity="critical"))
    made.settle()
    assert [question.target.text for question in made.asker.asked] == ["web-03"]  # nobody waits at a critical one
    made.deliver(alert(name="Held", state="resolved"))
    later(made, minutes=11)
    made.settle()
    assert [question.target.text for question in made.asker.asked] == ["web-03", "web-02"]
    assert {episode.host: episode.asks for episode in made.episodes()} == {"web-01": 0, "web-02": 1, "web-03": 1}


def test_within_the_quiet_time_of_its_rule_the_same_alert_of_a_host_asks_nothing(made: IntakeWorld) -> None:
    made.deliver(alert(name="Flapping"))
    made.settle()
    later(made, minutes=10)
    again, other, urgent = alert("f2", "Flapping"), alert("f3", "Flapping", "web-02"), alert("f4", "Flapping", severity="critical")
    made.deliver(again)
    made.deliver(other)
    made.settle()
    assert [question.target.text for question in made.asker.asked] == ["web-01", "web-02"]
    (quiet,) = [episode for episode in made.episodes() if episode.problem]
    assert (quiet.host, quiet.problem, quiet.asks) == ("web-01", "quiet", 0)
    assert quiet.says.endswith("and rule 'quietly' is quiet for 0:30:00.")
    made.deliver({**again, "status": "resolved"})
    made.deliver(urgent)
    made.settle()
    assert [question.target.text for question in made.asker.asked] == [
        "web-01",
        "web-02",
        "web-01",
    ]  # a critical one is asked about
    later(made, minutes=31)
    with made.answerer.arrivals.write() as transaction:
        transaction.connection.exec_driver_sql("DELETE FROM jobs WHERE done_at > 0")
    made.deliver(again)  # it fires again, and the time is over
    made.settle()
    assert (len(made.asker.asked), {episode.problem for episode in made.episodes()}) == (4, {""})


@pytest.mark.parametrize("host", ["nosuch", "localhost", "web-01\nweb-02", "w" * 10_000, "root@web-01"])
def test_an_alert_that_names_no_host_of_ours_is_kept_and_said(made: IntakeWorld, host: str) -> None:
    assert made.deliver(alert(host=host)) == 202
    made.settle()
    (episode,) = made.episodes()
    assert (episode.host, episode.problem, episode.asks, made.asker.asked) == ("", "unknown_host", 0, [])
    assert episode.says.startswith("The alert names no host of the inventory")
    assert len(episode.says) < 400


def test_what_the_policy_does_not_let_alerts_see_is_not_asked(made: IntakeWorld) -> None:
    made.deliver(alert(host="db-01"))
    made.settle()
    (episode,) = made.episodes()
    assert (episode.status, episode.problem, made.asker.asked) == ("failed", "refused", [])
    assert "alert:prometheus" in episode.says


def test_a_host_that_cannot_be_asked_is_said(made: IntakeWorld) -> None:
    made.asker.fails = UsageError("web-01: cannot be asked", reason="busy")
    made.deliver(alert())
    made.settle()
    (episode,) = made.episodes()
    assert (episode.status, episode.problem, episode.says, episode.asks) == ("failed", "busy", "web-01: cannot be asked", 1)


@pytest.mark.parametrize("body", [b"", b"{", b'{"version": "3", "alerts": []}', b'{"version": "4", "alerts": [{}]}'])
def test_a_body_of_another_form_is_refused_for_good(made: IntakeWorld, body: bytes) -> None:
    assert made.deliver(body=body or b" ") == 400
    assert made.episodes() == []


def test_a_delivery_is_stored_whole_or_not_at_all(made: IntakeWorld) -> None:
    broken = {**alert("f2"), "startsAt": "never"}
    assert made.deliver(alert(), broken) == 400
    made.settle()
    assert made.episodes() == []


def test_a_database_that_is_away_is_our_trouble_and_the_sender_repeats(made: IntakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_new: object) -> list[Job]:
        raise TrustError("database: away", reason="database")

    with monkeypatch.context() as patch:
        patch.setattr(made.worker._arrivals, "insert", fail)
        assert made.deliver(alert()) == 503
    assert made.deliver(alert()) == 202
    made.settle()
    assert len(made.episodes()) == 1


def test_a_job_of_a_worker_that_died_after_noting_is_answered_by_another(made: IntakeWorld) -> None:
    """Each step of a job may be the last of its worker: done again, it makes one episode and one answer."""
    made.worker.stop()
    (new,) = made.new_jobs(alert())

    def job(tries: int) -> Job:
        return Job(1, new.kind, new.key, new.body, new.order_key, tries)

    assert made.answerer.handle(job(1)) is not None  # noted, then killed
    again = made.answerer.handle(job(2))
    assert again is not None
    again()
    assert made.answerer.handle(job(3)) is None  # killed after answering
    (episode,) = made.episodes()
    assert (episode.repeats, episode.asks) == (0, 1)


def test_an_alert_that_three_workers_died_of_says_that_its_host_was_not_asked(made: IntakeWorld) -> None:
    made.worker.stop()
    (new,) = made.new_jobs(alert())
    with made.answerer.arrivals.write() as transaction:
        jobs.add(transaction, [new], made.world.clock())
    for number in range(jobs.MOST_TRIES):
        with made.answerer.arrivals.write() as transaction:
            assert jobs.claim(transaction, [KIND], Lease(f"doomed {number}", made.world.clock()), made.world.clock())
    worker = JobWorker(
        *(made.answerer.arrivals, made.world.clock, "last", {KIND: made.answerer.handle}), on_given_up=made.answerer.give_up
    )
    worker.start()
    try:
        until(lambda: any(episode.problem for episode in made.episodes()), "what is said of it")
    finally:
        worker.stop()
    (episode,) = made.episodes()
    assert (episode.host, episode.problem, episode.asks, made.asker.asked) == ("web-01", "given_up", 1, [])
    assert episode.says.startswith("The host was not asked: the server ended or failed")
    assert made.shown[-1] == episode.id


def test_two_replicas_fed_the_same_deliveries_ask_once(made: IntakeWorld) -> None:
    other = AlertAnswerer(made.world.trust, made.answerer.rules, made.asker, made.answerer.arrivals, made.answerer.runbooks)
    replica = JobWorker(made.answerer.arrivals, made.world.clock, "two", {KIND: other.handle})
    replica.start()
    try:
        for number in range(20):
            item = alert(f"f{number}", host=f"web-{number % 3 + 1:02}")
            made.deliver(item)
            replica.accept_batch(made.new_jobs(item))
        made.settle()
    finally:
        replica.stop()
    assert [(episode.repeats, episode.asks) for episode in made.episodes()] == [(0, 1)] * 20


def test_a_delivery_that_was_signed_long_ago_is_refused(made: IntakeWorld) -> None:
    now = made.world.clock()
    made.intake.require_recent(AlertBatch(sent_at=now.isoformat()))
    for age in (timedelta(hours=2), -timedelta(hours=1)):
        with pytest.raises(UsageError, match="later than"):
            made.intake.require_recent(AlertBatch(sent_at=(now - age).isoformat()))
