"""Who writes next: in the order they came, and an urgent writer before all who wait."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from triagebook.tools.store import jobs
from triagebook.tools.store.database import WRITERS, Store, open_store
from triagebook.tools.store.jobs import NewJob, store_of_arrivals

from tests.databases import open_current
from tests.hang import GUARD_S
from tests.system.fixes.samples import NOW


def test_an_urgent_writer_is_next_and_the_others_keep_their_order(store: Store) -> None:
    """One writes at a time on SQLite, some on PostgreSQL; whoever comes then waits in a line, without a connection."""
    most = 1 if store.dialect == "sqlite" else WRITERS
    order: list[str] = []
    started = threading.Barrier(most + 1)
    let_go = [threading.Event() for _ in range(most)]

    def hold(release: threading.Event) -> None:
        with store.write():
            started.wait(GUARD_S)
            release.wait(GUARD_S)

    def write(name: str, *, is_urgent: bool) -> None:
        with store.write(is_urgent=is_urgent):
            order.append(name)

    holders = [threading.Thread(target=hold, args=(release,)) for release in let_go]
    for holder in holders:
        holder.start()
    started.wait(GUARD_S)
    waiting = []
    for number, (name, is_urgent) in enumerate([("first", False), ("second", False), ("urgent", True)], 1):
        thread = threading.Thread(target=write, args=(name,), kwargs={"is_urgent": is_urgent})
        thread.start()
        waiting.append(thread)
        while store._writers.line_length < number:
            thread.join(0.01)
    assert store._engine.pool.checkedout() == most  # type: ignore[attr-defined]
    let_go[0].set()
    for thread in waiting:
        thread.join(GUARD_S)
    for release in let_go:
        release.set()
    for thread in holders:
        thread.join(GUARD_S)
    assert order == ["urgent", "first", "second"]


def test_a_writer_that_fails_leaves_nothing_and_lets_the_next_one_write(store: Store) -> None:
    def add(key: str, *, fails: bool) -> None:
        with store.write() as transaction:
            jobs.add(transaction, [NewJob("command", key, "{}")], NOW)
            if fails:
                raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        add("failed", fails=True)
    add("next", fails=False)
    with store.read() as transaction:
        assert [jobs.is_known(transaction, "command", key) for key in ("failed", "next")] == [False, True]


def test_a_file_opened_twice_here_loses_nothing_when_another_process_closes_it(tmp_path: Path) -> None:
    """Closing any descriptor of a file gives up all locks of a process on it (fcntl(2)); a reader then takes the log away."""
    url = f"sqlite:///{tmp_path / 'triagebook.db'}"
    open_current(url)
    stores = [open_store(url), open_store(url)]
    first, *_others = map(store_of_arrivals, stores)
    look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(len(list(c.execute('SELECT * FROM jobs')))); c.close()"
    seen = []
    for number in range(3):
        with first.write() as transaction:
            jobs.add(transaction, [NewJob("greeting", str(number), "")], NOW)
        argv = (sys.executable, "-c", look, str(tmp_path / "jobs.db"))
        seen.append(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip())
    assert seen == ["1", "2", "3"]
    for opened in stores:
        opened.close()


def test_jobs_are_stored_while_every_writer_of_the_database_waits_for_a_lock(store: Store) -> None:
    """Who acknowledges has a line and connections of its own: it is held up by nobody who writes anything else."""
    arrivals, release = store_of_arrivals(store), threading.Event()
    begun = threading.Semaphore(0)

    def hold() -> None:
        begun.release()
        with store.write() as transaction:
            transaction.alone("one")
            release.wait(GUARD_S)

    holders = [threading.Thread(target=hold) for _ in range(WRITERS + 2)]
    for holder in holders:
        holder.start()
        assert begun.acquire(timeout=GUARD_S)
    try:
        with arrivals.write(is_urgent=True) as transaction:
            assert len(jobs.add(transaction, [NewJob("greeting", "a", "")], NOW)) == 1
    finally:
        release.set()
        for holder in holders:
            holder.join(GUARD_S)
    assert store_of_arrivals(store) is arrivals  # one line for all who store jobs


@pytest.mark.parametrize("is_synced", [True, False])
def test_only_what_another_file_has_need_not_wait_for_the_disk(store: Store, is_synced: bool) -> None:
    asked, on, off = ("PRAGMA synchronous", 2, 1) if store.dialect == "sqlite" else ("SHOW synchronous_commit", "on", "off")
    with store.write(is_synced=is_synced) as transaction:
        assert transaction.connection.exec_driver_sql(asked).scalar_one() == (on if is_synced else off)
    with store.write() as transaction:
        assert transaction.connection.exec_driver_sql(asked).scalar_one() == on
