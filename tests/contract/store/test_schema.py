import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.store import alert_schema, chat_schema, migrations  # noqa: F401 - each schema adds its tables
from triagebook.tools.store.database import open_engine, open_store
from triagebook.tools.store.jobs import NewJob
from triagebook.tools.store.jobs import add as add_jobs
from triagebook.tools.store.migrate import HEAD, migrate
from triagebook.tools.store.schema import jobs, metadata

from tests import postgres
from tests.contract.store.samples import NOW
from tests.hang import GUARD_S


def _create_all(url: str) -> None:
    engine = open_engine(url)
    with engine.connect().execution_options(is_write=True) as connection, connection.begin():
        metadata.create_all(connection)
    engine.dispose()


def _sqlite_dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        lines = connection.iterdump()
        return sorted(re.sub(r"\s+", " ", line) for line in lines if "alembic_version" not in line)


def _postgres_dump(server: postgres.Server, name: str) -> list[str]:
    dump = server.tool("pg_dump", "--no-owner", "--exclude-table=alembic_version", "--inserts", name)
    return [line for line in dump.splitlines() if not line.startswith(("--", "\\"))]


STARVED = """
import sys, time
from triagebook.tools.store import database, migrate

class Slow:
    def find_spec(self, name, *_more):
        if name == "alembic":
            time.sleep(3)

sys.meta_path.insert(0, Slow())
database.IDLE_S = 1
migrate.migrate(sys.argv[1])
"""


def test_a_machine_that_is_slow_to_load_the_migrations_is_not_cut_off_by_the_database(postgres_server: postgres.Server) -> None:
    """PostgreSQL ends a transaction in which nothing is asked for a while: nothing is loaded inside of one."""
    url = postgres_server.new_database()
    done = subprocess.run([sys.executable, "-c", STARVED, url], capture_output=True, text=True, timeout=GUARD_S, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    engine = open_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    engine.dispose()


def test_schema_and_migrations_make_the_same_sqlite_database(tmp_path: Path) -> None:
    _create_all(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(f"sqlite:///{tmp_path / 'b.db'}")
    dump = _sqlite_dump(tmp_path / "a.db")
    assert dump == _sqlite_dump(tmp_path / "b.db")
    assert len([line for line in dump if line.startswith("CREATE T")]) > 10


def test_schema_and_migrations_make_the_same_postgresql_database(postgres_server: postgres.Server) -> None:
    for name, make in (("schema_a", _create_all), ("schema_b", migrate)):
        postgres_server.tool("createdb", name)
        make(postgres_server.url(name))
    dump = _postgres_dump(postgres_server, "schema_a")
    assert dump == _postgres_dump(postgres_server, "schema_b")
    assert len([line for line in dump if line.startswith("CREATE T")]) > 10


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    def content() -> tuple[dict[str, list[str]], list[str]]:
        engine = open_engine(database_url)
        found = inspect(engine)
        tables = {name: [column["name"] for column in found.get_columns(name)] for name in found.get_table_names()}
        with engine.connect() as connection:
            keys = [row.key for row in connection.execute(select(jobs.c.key))]
        engine.dispose()
        return tables, keys

    migrate(database_url)
    store = open_store(database_url)
    with store.write() as transaction:
        add_jobs(transaction, [NewJob("command", "kept", "{}")], NOW)
    store.close()
    before = content()
    migrate(database_url)
    assert content() == before
    assert (len(before[0]) > 10, before[1]) == (True, ["kept"])


def test_a_database_of_a_newer_release_is_refused(database_url: str) -> None:
    migrate(database_url)
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(TrustError, match="newer release"):
        migrate(database_url)


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "sqlite://", "sqlite:///"])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(TrustError, match="expected sqlite"):
        open_store(url)


def test_the_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path / 'a.db'}")
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"a.db": "0o600"}


def test_the_newest_migration_is_the_one_that_needs_no_alembic() -> None:
    folder = Path(migrations.__file__).parent / "versions"
    revisions = [
        line.split('"')[1]
        for file in sorted(folder.glob("v*.py"))
        for line in file.read_text().splitlines()
        if line.startswith("revision")
    ]
    assert revisions[-1] == HEAD


def test_a_database_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    migrate(url)
    code = f"import sys; from triagebook.tools.store.migrate import migrate; migrate({url!r}); print('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
