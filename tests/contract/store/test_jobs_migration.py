"""From the deliveries of the release before to jobs: what was pending is still done, what was done is still known."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import make_url
from triagebook.tools.store import chat_messages, jobs, migrate
from triagebook.tools.store.database import Store, open_engine, open_store
from triagebook.tools.store.jobs import Job, NewJob
from triagebook.tools.store.leases import Lease
from triagebook.tools.times import to_micros

from tests.contract.store.samples import NOW, SECOND

MICROS = to_micros(NOW)
KEY = "key"
OLD_FILE = """CREATE TABLE chat_deliveries ("key" VARCHAR(160) NOT NULL, kind VARCHAR(32) NOT NULL, body TEXT NOT NULL,
    received_at BIGINT NOT NULL, owner VARCHAR(64) NOT NULL, lease_until BIGINT NOT NULL, tries INTEGER NOT NULL,
    done_at BIGINT NOT NULL, CONSTRAINT pk_chat_deliveries PRIMARY KEY ("key"))"""
ROWS = [
    ("command:new", "command", '{"a": 1}', MICROS, "dead", MICROS + 10_000_000, 1, 0),
    ("click:second", "click", '{"b": 2}', MICROS + 1, "dead", MICROS + 10_000_000, 2, 0),
    ("command:done", "command", "", MICROS, "dead", MICROS, 1, MICROS),
]
PENDING = [("command:new", '{"a": 1}', 2), ("click:second", '{"b": 2}', 3)]
INSERT = 'INSERT INTO chat_deliveries ("key", kind, body, received_at, owner, lease_until, tries, done_at) VALUES '


def upgrade_to(url: str, revision: str) -> None:
    """A database as an earlier release made it."""
    engine = open_engine(url)
    with engine.connect().execution_options(is_write=True) as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def fill(url: str, statement: str) -> None:
    engine = open_engine(url)
    with engine.connect().execution_options(is_write=True) as connection, connection.begin():
        connection.execute(text(statement.replace(":", "\\:")))
    engine.dispose()


def claim_all(store: Store) -> list[Job]:
    with store.write() as transaction:
        at = NOW + 11 * SECOND
        return jobs.claim(transaction, {"slack"}, Lease("next", at + 10 * SECOND), at)


def test_pending_deliveries_of_the_database_are_jobs_afterwards(database_url: str) -> None:
    upgrade_to(database_url, "0002")
    fill(database_url, INSERT + ", ".join(map(str, ROWS)))
    migrate.migrate(database_url)
    store = open_store(database_url)
    assert [(job.key, job.body, job.tries) for job in claim_all(store)] == PENDING
    with store.write() as transaction:
        assert jobs.add(transaction, [NewJob("slack", "command:done", "")], NOW) == []
    store.close()


def old_file(directory: Path) -> Path:
    """The file that SQLite's deliveries were in, as a server that was killed leaves it: with a log that was not merged."""
    path = directory / "deliveries.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute(OLD_FILE)
        connection.executemany(INSERT + "(?, ?, ?, ?, ?, ?, ?, ?)", ROWS)
        copies = {file.name: file.read_bytes() for file in directory.glob("deliveries.db*")}
    for name, content in copies.items():
        (directory / name).write_bytes(content)
    assert (directory / "deliveries.db-wal").stat().st_size > 0
    return path


def test_pending_deliveries_of_the_file_beside_sqlite_are_jobs_afterwards(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'triagebook.db'}"
    upgrade_to(url, "0002")
    old_file(tmp_path)
    migrate.migrate(url)
    assert not list(tmp_path.glob("deliveries.db*"))
    assert oct((tmp_path / "jobs.db").stat().st_mode & 0o777) == "0o600"
    store = open_store(url)
    beside = jobs.store_of_arrivals(store)
    assert [(job.key, job.body, job.tries) for job in claim_all(beside)] == PENDING
    with beside.write() as transaction:
        assert jobs.add(transaction, [NewJob("slack", "command:done", "")], NOW) == []
    beside.close()
    store.close()


def test_an_upgrade_that_was_interrupted_takes_nothing_over_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'triagebook.db'}"
    upgrade_to(url, "0002")
    old_file(tmp_path)
    with monkeypatch.context() as patched:  # the file cannot be removed: everything is undone but what is in jobs.db
        patched.setattr(Path, "unlink", lambda *_a, **_b: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            migrate.migrate(url)
    assert (tmp_path / "deliveries.db").exists()
    migrate.migrate(url)
    store = open_store(url)
    beside = jobs.store_of_arrivals(store)
    assert [(job.key, job.body, job.tries) for job in claim_all(beside)] == PENDING
    beside.close()
    store.close()


def test_the_file_of_jobs_has_one_shape_whether_it_was_upgraded_or_made_new(tmp_path: Path) -> None:
    shapes = []
    for name in ("upgraded", "new"):
        (tmp_path / name).mkdir()
        url = f"sqlite:///{tmp_path / name / 'triagebook.db'}"
        if name == "upgraded":
            upgrade_to(url, "0002")
            old_file(tmp_path / name)
        migrate.migrate(url)
        store = open_store(url)
        jobs.store_of_arrivals(store).close()
        store.close()
        with closing(sqlite3.connect(tmp_path / name / "jobs.db")) as connection:
            made = connection.execute("SELECT sql FROM sqlite_master WHERE sql > ''")
            shapes.append(sorted(" ".join(sql.split()) for (sql,) in made))
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) == 3


def test_messages_keep_what_they_say_and_whose_they_were(database_url: str) -> None:
    upgrade_to(database_url, "0002")
    columns = "id, kind, subject, channel, parent, thread_ts, ts, content, mark, wanted, shown, tries, next_at, lease_until"
    values = f"'m', 'card', 's', 'C1', '', '', '1.5', '{{}}', 'x', 2, 1, 0, 0, {MICROS - 1}, {MICROS}, ''"
    fill(database_url, f"INSERT INTO chat_messages ({columns}, created_at, problem) VALUES ({values})")
    migrate.migrate(database_url)
    store = open_store(database_url)
    with store.write() as transaction:
        (message,) = chat_messages.claim(transaction, Lease("a", NOW + timedelta(seconds=10)), NOW)
    assert (message.id, message.ts, message.mark, message.shown, message.is_doubtful) == ("m", "1.5", "x", 1, True)
    store.close()


def test_sqlite_leaves_nothing_of_the_tables_before(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'triagebook.db'}"
    upgrade_to(url, "0002")
    migrate.migrate(url)
    with closing(sqlite3.connect(make_url(url).database or "")) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert {name for name in names if "0002" in name or "deliver" in name} == set()
