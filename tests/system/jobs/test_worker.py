"""A worker has each job done once: acknowledged when stored, kept while it runs, put off, left to others when it stops."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from triagebook.runbooks.engine.errors import RefusedError, TrustError, UsageError
from triagebook.tools.jobs.worker import JobWorker
from triagebook.tools.store import jobs
from triagebook.tools.store.database import Store
from triagebook.tools.store.jobs import Job, NewJob
from triagebook.tools.store.leases import Lease
from triagebook.tools.store.schema import jobs as table

from tests.hang import GUARD_S

from .steps import Steps, until

KIND = "greeting"


def now() -> datetime:
    return datetime.now(UTC)


def greeting(key: str, **values: Any) -> NewJob:
    return NewJob(KIND, key, f"hello {key}", **values)


@contextmanager
def working(store: Store, handler: Callable[[Job], Any], owner: str = "one", **options: Any) -> Iterator[JobWorker]:
    worker = JobWorker(store, now, owner, {KIND: handler}, **{"claim_s": 0.02, **options})
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def column(store: Store, name: str) -> list[Any]:
    with store.read() as transaction:
        return list(transaction.connection.execute(select(table.c[name]).order_by(table.c.number)).scalars())


def is_all_done(store: Store) -> bool:
    return all(column(store, "done_at"))


def test_a_job_is_stored_when_it_is_accepted_and_done_once(store: Store) -> None:
    done: list[str] = []
    with working(store, lambda job: done.append(job.body)) as worker:
        assert worker.accept(greeting("a")) is True
        assert column(store, "key") == ["a"]
        assert worker.accept(greeting("a")) is False
        until(lambda: is_all_done(store), "the job")
    assert done == ["hello a"]


def test_who_arrives_during_a_commit_shares_the_next_one(store: Store, steps: Steps) -> None:
    let_go = steps.held["jobs.add.before_commit"] = threading.Event()
    answers: list[bool] = []
    with working(store, lambda _job: None, claim_s=60) as worker:
        threads = [threading.Thread(target=lambda key=key: answers.append(worker.accept(greeting(str(key))))) for key in range(20)]
        threads[0].start()
        until(lambda: steps.seen["jobs.add.before_commit"], "the first commit")
        for thread in threads[1:]:
            thread.start()
        until(lambda: len(worker._arrivals._pending) == 19, "the others to come")
        let_go.set()
        for thread in threads:
            thread.join(GUARD_S)
        until(lambda: is_all_done(store), "the jobs")
    assert answers == [True] * 20
    assert steps.seen["jobs.add.after_commit"] == 2


def test_what_cannot_be_stored_is_not_acknowledged_to_anybody(store: Store, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_(*_all: object) -> list[Job]:
        steps("asked")
        raise ValueError("a bug")

    with working(store, lambda _job: None) as worker:
        monkeypatch.setattr(jobs, "add", break_)
        steps.held["asked"] = threading.Event()
        problems: list[Exception] = []

        def accept(key: str) -> None:
            try:
                worker.accept(greeting(key))
            except Exception as error:  # noqa: BLE001 - that is what is looked at
                problems.append(error)

        threads = [threading.Thread(target=accept, args=(key,)) for key in "abc"]
        for thread in threads:
            thread.start()
        until(lambda: steps.seen["asked"], "the first commit")
        steps.held["asked"].set()
        for thread in threads:
            thread.join(GUARD_S)
    assert len(problems) == 3
    assert column(store, "key") == []


def test_a_quick_part_is_followed_by_a_slow_one_and_nobody_quick_waits_for_it(store: Store) -> None:
    release, done = threading.Event(), list[str]()

    def handler(job: Job) -> Callable[[], None] | None:
        if job.key == "slow":
            return lambda: done.append(f"slow {release.wait(GUARD_S)}")
        done.append(job.key)
        return None

    with working(store, handler, quick_threads=1, slow_threads=1) as worker:
        worker.accept(greeting("slow"))
        worker.accept(greeting("quick"))
        until(lambda: done == ["quick"], "the quick one")
        release.set()
        until(lambda: is_all_done(store), "both")
    assert done == ["quick", "slow True"]


def test_a_lease_is_renewed_for_as_long_as_a_job_runs(store: Store) -> None:
    release, began = threading.Event(), threading.Event()

    def handler(_job: Job) -> None:
        began.set()
        assert release.wait(GUARD_S)

    with working(store, handler, lease=timedelta(seconds=3)) as worker:
        worker.accept(greeting("a"))
        assert began.wait(GUARD_S)
        leases = {*column(store, "lease_until")}
        until(lambda: leases.update(column(store, "lease_until")) or len(leases) > 2, "two renewals")
        assert (column(store, "owner"), column(store, "tries")) == (["one"], [1])
        release.set()
        until(lambda: is_all_done(store), "the job")


def test_a_worker_whose_renewals_come_late_does_not_give_up_what_it_is_doing(store: Store, steps: Steps) -> None:
    """A machine that is too busy to renew in time: three leases that expired are no three workers that died."""
    release, began, ahead, given_up = threading.Event(), threading.Event(), [timedelta()], list[str]()

    def handler(_job: Job) -> None:
        began.set()
        assert release.wait(GUARD_S)

    options = {"lease": timedelta(hours=1), "claim_s": 600, "on_given_up": lambda job: given_up.append(job.key)}
    worker = JobWorker(store, lambda: now() + ahead[0], "one", {KIND: handler}, **options)  # type: ignore[arg-type]
    worker.start()
    try:
        worker.accept(greeting("a", begin_within=timedelta(days=1)))
        assert began.wait(GUARD_S)
        for claims in range(1, 5):
            ahead[0] += timedelta(hours=2)
            before = steps.seen["jobs.claim.after_commit"]
            worker._claims.wake()
            until(lambda before=before: given_up or steps.seen["jobs.claim.after_commit"] > before, f"claim {claims}")
        assert (column(store, "tries"), column(store, "done_at"), given_up) == ([1], [0], [])
        release.set()
        until(lambda: is_all_done(store), "the job")
    finally:
        release.set()
        worker.stop()


def test_what_a_dead_worker_left_is_taken_over(store: Store) -> None:
    with store.write() as transaction:
        jobs.add(transaction, [greeting("a")], now(), Lease("dead", now() - timedelta(seconds=1)))
    done: list[int] = []
    with working(store, lambda job: done.append(job.tries)):
        until(lambda: is_all_done(store), "the job")
    assert done == [2]


def test_a_job_that_the_database_stopped_is_put_off_and_comes_again(store: Store) -> None:
    tried: list[tuple[int, int]] = []

    def handler(job: Job) -> None:
        tried.append((job.tries, job.retries))
        if len(tried) < 3:
            raise TrustError("away", reason="database")

    with working(store, handler) as worker:
        worker.accept(greeting("a"))
        until(lambda: is_all_done(store), "the third time")
    assert tried == [(1, 0), (1, 1), (1, 2)]


def test_an_expected_failure_ends_a_job_and_a_bug_is_told_of(store: Store) -> None:
    told: list[str] = []

    def handler(job: Job) -> None:
        raise RefusedError("no", reason="x") if job.key == "refused" else ValueError("a bug")

    def on_defect(job: Job) -> None:
        told.append(job.key)
        raise ValueError("telling fails as well")

    with working(store, handler, on_defect=on_defect) as worker:
        for key in ("refused", "bug"):
            worker.accept(greeting(key))
        until(lambda: is_all_done(store), "both")
        until(lambda: not worker._held, "the worker to be free")
    assert told == ["bug"]


def test_jobs_of_one_incident_are_done_in_their_order(store: Store) -> None:
    done: list[str] = []
    with working(store, lambda job: done.append(job.key), claim_s=600) as worker:  # each is claimed when the one before it ends
        keys = [f"{number:02}" for number in range(20, 0, -1)]
        for key in keys:
            assert worker.accept(greeting(key, order_key="incident-7")) is True
        until(lambda: is_all_done(store), "all of them")
    assert done == keys


def test_a_worker_that_stops_ends_what_runs_and_leaves_the_rest_to_others(store: Store) -> None:
    release, begun, done = threading.Event(), list[str](), list[str]()

    def handler(job: Job) -> None:
        begun.append(job.key)
        assert release.wait(GUARD_S)
        done.append(job.key)

    with working(store, handler, quick_threads=1) as worker:
        worker.accept(greeting("a"))
        until(lambda: begun == ["a"], "the first")
        worker.accept(greeting("b"))
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        until(lambda: worker._quick._shutdown, "the stop")
        release.set()
        stopping.join(GUARD_S)
    assert (begun, done) == (["a"], ["a"])
    with working(store, lambda job: done.append(f"{job.key} {job.tries}"), owner="two"):
        until(lambda: is_all_done(store), "the second")
    assert done == ["a", "b 1"]


def test_a_job_that_a_thread_was_about_to_begin_when_its_worker_stopped_is_left_to_others(store: Store) -> None:
    arrived, go_on, done = threading.Event(), threading.Event(), list[str]()
    with working(store, lambda job: done.append(job.key)) as worker:
        do = worker._do

        def late(*given: Any, **named: Any) -> None:
            arrived.set()
            assert go_on.wait(GUARD_S)
            do(*given, **named)

        worker._do = late  # type: ignore[method-assign]
        worker.accept(greeting("a"))
        assert arrived.wait(GUARD_S)
        worker.stop()
        go_on.set()
        worker._quick.shutdown(wait=True)
        worker._slow.shutdown(wait=True)
    assert done == []
    with working(store, lambda job: done.append(f"{job.key} {job.tries}"), owner="two"):
        until(lambda: is_all_done(store), "the job")
    assert done == ["a 1"]


def test_a_worker_that_holds_enough_says_so(store: Store) -> None:
    release = threading.Event()
    with working(store, lambda _job: release.wait(GUARD_S) and None, most_held=2) as worker:
        worker.accept(greeting("a"))
        worker.accept(greeting("b"))
        with pytest.raises(UsageError, match="busy, retry in 5 s: 2 requests are waiting"):
            worker.accept(greeting("c"))
        assert column(store, "key") == ["a", "b"]
        release.set()


def test_a_job_that_nobody_begins_in_time_is_closed(store: Store) -> None:
    with store.write() as transaction:
        jobs.add(transaction, [greeting("a", begin_within=timedelta(0))], now())
    done: list[str] = []
    with working(store, lambda job: done.append(job.key)):
        until(lambda: is_all_done(store), "the job to be closed")
    assert done == []
