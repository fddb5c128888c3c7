"""Durable work on both databases: added once, one owner at a time, taken over, put off, in order, given up, forgotten."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from triagebook.tools.alerts.sender import MOST_ALERTS
from triagebook.tools.store import jobs
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.store.jobs import Job, NewJob
from triagebook.tools.store.leases import Lease
from triagebook.tools.store.schema import jobs as table

from tests.contract.store.samples import NOW, SECOND
from tests.hang import GUARD_S

LENGTH = timedelta(seconds=10)
DAY = timedelta(days=1)
KINDS = {"command", "event"}
ONE, TWO = NewJob("command", "1", "{}", begin_within=DAY), NewJob("command", "2", "{}", begin_within=DAY)


def lease(owner: str, at: datetime = NOW) -> Lease:
    return Lease(owner, at + LENGTH)


def add(store: Store, *new: NewJob, owner: str = "", at: datetime = NOW) -> list[Job]:
    with store.write() as transaction:
        return jobs.add(transaction, new, at, lease(owner, at) if owner else None)


def claim(store: Store, owner: str, at: datetime = NOW) -> list[Job]:
    with store.write() as transaction:
        return jobs.claim(transaction, KINDS, lease(owner, at), at)


def claimed_keys(store: Store, owner: str, at: datetime = NOW) -> list[str]:
    return [job.key for job in claim(store, owner, at)]


def finish(store: Store, job: Job, owner: str, at: datetime = NOW) -> bool:
    with store.write() as transaction:
        return jobs.finish(transaction, job, owner, at)


def test_a_job_belongs_to_who_adds_it_first(store: Store) -> None:
    (one,) = add(store, ONE, owner="a")
    assert [job.key for job in add(store, TWO, ONE, owner="b")] == ["2"]
    assert claim(store, "b") == []
    assert finish(store, one, "b") is False
    assert finish(store, one, "a") is True
    assert finish(store, one, "a") is False
    assert claimed_keys(store, "c", NOW + LENGTH) == ["2"]


def test_what_came_once_is_known_to_every_server_and_forgotten_when_its_time_is_over(
    store: Store, current_database_url: str
) -> None:
    other = open_store(current_database_url)

    def is_first(at_store: Store, key: str, at: datetime = NOW) -> bool:
        with at_store.write() as transaction:
            return jobs.is_first(transaction, "signature", key, at, LENGTH)

    assert [is_first(store, "a"), is_first(other, "a"), is_first(store, "a"), is_first(other, "b")] == [True, False, False, True]
    assert claim(store, "worker") == []
    assert is_first(other, "c", NOW + LENGTH)
    with store.read() as transaction:
        assert [row.key for row in transaction.connection.execute(select(table.c.key))] == ["c"]
    assert is_first(store, "a", NOW + LENGTH)
    other.close()


@pytest.mark.long
def test_as_many_jobs_as_a_delivery_may_have_are_stored_at_once(store: Store) -> None:
    """A statement of PostgreSQL has at most 65,535 values, and a job has fourteen."""
    many = [NewJob("command", str(number), "{}", order_key=str(number)) for number in range(MOST_ALERTS)]
    assert len(add(store, *many)) == len(many)
    assert add(store, *many[:2], TWO) == []


def test_a_job_that_nobody_claimed_is_for_the_first_that_comes(store: Store) -> None:
    add(store, ONE, TWO)
    assert [(job.key, job.tries) for job in claim(store, "a")] == [("1", 1), ("2", 1)]
    assert claim(store, "b") == []


def test_of_two_workers_at_the_same_instant_one_gets_the_job(store: Store) -> None:
    add(store, ONE)
    found: list[list[str]] = []
    with store.write() as transaction:
        assert [job.key for job in jobs.claim(transaction, KINDS, lease("a"), NOW)] == ["1"]
        other = threading.Thread(target=lambda: found.append(claimed_keys(store, "b")))
        other.start()
        if store.dialect == "postgresql":  # it has seen the job as it was before, and waits for this transaction
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not transaction.connection.execute(waiting).scalar():
                assert other.is_alive()
    other.join(GUARD_S)
    assert found == [[]]


def test_the_keys_of_two_kinds_have_nothing_to_do_with_each_other(store: Store) -> None:
    added = add(store, ONE, NewJob("event", "1", "x"), NewJob("other", "1", "y"), owner="a")
    assert [(job.kind, job.key, job.body) for job in added] == [("command", "1", "{}"), ("event", "1", "x"), ("other", "1", "y")]
    assert [(job.kind, job.key) for job in claim(store, "b", NOW + LENGTH)] == [("command", "1"), ("event", "1")]


def test_a_lease_that_ran_out_is_taken_over_a_few_times_and_no_more(store: Store) -> None:
    (one,) = add(store, ONE, owner="a")
    with store.write() as transaction:
        assert jobs.renew(transaction, [one.number], lease("a", NOW + 9 * SECOND)) == 1
        assert jobs.renew(transaction, [one.number], lease("b", NOW + 9 * SECOND)) == 0
    assert claim(store, "b", NOW + 11 * SECOND) == []
    for owner, at in (("b", 20), ("c", 31)):
        assert claimed_keys(store, owner, NOW + at * SECOND) == ["1"]
    with store.write() as transaction:
        assert jobs.give_up(transaction, KINDS, NOW + 40 * SECOND) == []
    assert claim(store, "d", NOW + 60 * SECOND) == []
    assert finish(store, one, "a") is False
    with store.write() as transaction:
        assert [(job.key, job.tries) for job in jobs.give_up(transaction, KINDS, NOW + 60 * SECOND)] == [("1", 3)]
        assert jobs.give_up(transaction, KINDS, NOW + 60 * SECOND) == []
    assert finish(store, one, "c") is False


def test_an_expired_lease_that_nobody_took_over_may_still_be_renewed(store: Store) -> None:
    (one,) = add(store, ONE, owner="a")
    with store.write() as transaction:
        assert jobs.renew(transaction, [one.number], lease("a", NOW + 20 * SECOND)) == 1
    assert claim(store, "b", NOW + 20 * SECOND) == []
    assert finish(store, one, "a", NOW + 40 * SECOND) is True


def test_what_was_not_begun_is_released_without_counting_as_a_try(store: Store) -> None:
    one, two = add(store, ONE, TWO, owner="a")
    for _ in range(5):
        with store.write() as transaction:
            jobs.release(transaction, "a", [two.number])
        assert [(job.key, job.tries) for job in claim(store, "a")] == [("1", 1)]
    assert finish(store, one, "a") is True


def test_a_job_that_is_put_off_comes_later_each_time_and_that_is_not_a_try(store: Store) -> None:
    (job,) = add(store, ONE, owner="a")
    at = NOW
    for delay in (1, 2, 4, 8, 16, 32, 60, 60):
        with store.write() as transaction:
            assert jobs.retry_later(transaction, job, "b", at) is False
            assert jobs.retry_later(transaction, job, "a", at) is True
            assert jobs.is_waiting(transaction, KINDS, at + (delay - 1) * SECOND) is False
            assert jobs.is_waiting(transaction, KINDS, at + delay * SECOND) is True
        assert claim(store, "a", at + (delay - 1) * SECOND) == []
        at += delay * SECOND
        (job,) = claim(store, "a", at)
        assert job.tries == 1
    assert job.retries == 8


def test_jobs_with_one_order_key_are_done_one_after_the_other(store: Store) -> None:
    ordered = [NewJob("event", key, "", order_key="incident-7", begin_within=DAY) for key in ("z", "m", "a")]
    other = NewJob("event", "other", "", order_key="incident-8", begin_within=DAY)
    assert [job.tries for job in add(store, *ordered, other, owner="a")] == [0] * 4
    first, beside = claim(store, "a")
    assert (first.key, beside.key) == ("z", "other")
    assert claim(store, "b", NOW + SECOND) == []
    with store.write() as transaction:
        jobs.retry_later(transaction, first, "a", NOW + SECOND)
    assert claim(store, "b", NOW + SECOND) == []
    (first,) = claim(store, "b", NOW + 2 * SECOND)
    assert first.key == "z"
    finish(store, first, "b")
    (second,) = claim(store, "a", NOW + 3 * SECOND)
    assert second.key == "m"
    for minute, owner in ((1, "b"), (2, "c")):
        assert claimed_keys(store, owner, NOW + timedelta(minutes=minute)) == ["m", "other"]
    with store.write() as transaction:
        jobs.give_up(transaction, KINDS, NOW + timedelta(minutes=3))
    assert claimed_keys(store, "d", NOW + timedelta(minutes=3)) == ["a"]


def test_a_job_that_is_too_late_is_given_up_and_says_so(store: Store) -> None:
    (late,) = add(store, NewJob("command", "1", "{}", begin_within=timedelta(minutes=10)))
    at = NOW + timedelta(minutes=10)
    assert claim(store, "a", at) == []
    with store.write() as transaction:
        assert jobs.give_up(transaction, KINDS, at - SECOND) == []
        assert jobs.give_up(transaction, KINDS, at) == [late]
        (problem,) = transaction.connection.execute(select(table.c.problem)).scalars()
    assert problem.startswith("not done by its time")


def test_what_a_worker_of_another_kind_could_tell_nobody_of_is_left_to_its_own_for_a_day(store: Store) -> None:
    (late,) = add(store, NewJob("command", "1", "{}", begin_within=timedelta(minutes=10)))
    at = NOW + timedelta(minutes=10)
    with store.write() as transaction:
        assert jobs.give_up(transaction, ["alert"], at + DAY - SECOND) == []
        assert jobs.give_up(transaction, ["alert"], at + DAY) == [late]


def test_a_key_is_known_until_it_may_be_forgotten(store: Store) -> None:
    (one,) = add(store, ONE, owner="a")
    later = NOW + ONE.remember_for
    with store.write() as transaction:
        jobs.forget(transaction, later)
    assert add(store, ONE, owner="b", at=later) == []
    finish(store, one, "a")
    with store.write() as transaction:
        jobs.forget(transaction, later - SECOND)
        assert jobs.is_waiting(transaction, KINDS, later - SECOND) is False
    assert add(store, ONE, owner="b", at=later) == []
    with store.write() as transaction:
        assert jobs.is_waiting(transaction, KINDS, later) is True
        jobs.forget(transaction, later)
    assert [job.key for job in add(store, ONE, owner="b", at=later)] == ["1"]


def test_what_a_job_was_about_is_not_stored_longer_than_it_takes(store: Store) -> None:
    (one,) = add(store, NewJob("command", "1", "what somebody wrote"), owner="a")
    finish(store, one, "a")
    with store.read() as transaction:
        assert list(transaction.connection.execute(select(table.c.body)).scalars()) == [""]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_many_jobs_are_added_in_one_commit(store: Store, count: int) -> None:
    new = [NewJob("command", str(number), "{}") for number in range(count)]
    assert len(add(store, *new, owner="a")) == count
