"""Opening the database, and transactions. A write on SQLite begins IMMEDIATE and is on the disk when it commits."""

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.seal import FOREIGN, RowKey
from triagebook.tools.log import log_event
from triagebook.tools.store.writer_queue import WriterQueue

BUSY_S = 30
IDLE_S = 10  # between two statements of a transaction; only who was stopped, or is starved, takes longer
PROBE_S = 2.0
WRITERS = 8  # at once, on PostgreSQL: fewer than there are connections, so that who waits for a lock takes none from readers
Step = Callable[[str], None]


@dataclass(frozen=True)
class Transaction:
    """A transaction in progress; only the modules of this package look inside."""

    connection: Connection
    row_key: RowKey = FOREIGN
    committed: list[Callable[[], None]] = field(default_factory=list)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do something once this transaction is committed; nothing where it is not."""
        self.committed.append(action)

    def insert(self, table: Table) -> sqlite.Insert:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`; PostgreSQL's has the same methods."""
        return insert_of(self.connection.dialect.name, table)

    def alone(self, what: str) -> None:
        """Go on when no other transaction that said the same is under way, on any replica; held until this one ends.

        On SQLite there is one writer at a time anyway. Take it before any row, so that two can never wait for each other.
        """
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))


def insert_of(dialect: str, table: Table) -> sqlite.Insert:
    """An INSERT in the words of a dialect; both have the same methods."""
    module: Any = postgresql if dialect == "postgresql" else sqlite
    statement: sqlite.Insert = module.insert(table)
    return statement


class Store:
    """One database. `step` is told before and after each commit (a test kills the process there).

    `row_key` seals audit rows and votes; what is written without the server's key counts for nothing.
    """

    def __init__(self, engine: Engine, step: Step = lambda _name: None, row_key: RowKey = FOREIGN) -> None:
        self._engine, self._row_key = engine, row_key
        self._step = step
        self._writers = WriterQueue(1 if engine.dialect.name == "sqlite" else WRITERS)
        self._beside: dict[str, Store] = {}
        self._guard = threading.Lock()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def write(self, name: str = "write", *, is_urgent: bool = False, is_synced: bool = True) -> Iterator[Transaction]:
        """A transaction that commits at the end of the block, or not at all. TrustError when the database fails.

        Writers wait in a line before they take a connection; an urgent one is next. It must be short, and there must be few.
        One that need not outlive a crash of the database's machine, because another file has it or it is done again then,
        need not wait for the disk.
        """
        with self._writers.hold(is_urgent=is_urgent), self._transaction(name, is_synced=is_synced) as transaction:
            if not is_synced and self.dialect == "postgresql":
                transaction.connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent view; nothing is written."""
        level = {"isolation_level": "REPEATABLE READ"} if self.dialect == "postgresql" else {}
        with _database_errors(), self._engine.connect().execution_options(**level) as connection:
            yield Transaction(connection, self._row_key)
            connection.rollback()

    def beside(self, name: str, table: Table) -> "Store":
        """A database of its own for one table, in a file beside this one, so that writing it waits for no other writer.

        PostgreSQL has many writers: there it is the same database, over connections that nothing else uses.
        """
        with self._guard:
            if name not in self._beside:
                self._beside[name] = self._open_beside(name, table)
            return self._beside[name]

    def _open_beside(self, name: str, table: Table) -> "Store":
        if self.dialect != "sqlite":
            return Store(open_engine(self._engine.url), self._step, self._row_key)
        path = Path(self._engine.url.database or "").with_name(name)
        made = Store(_sqlite_engine(URL.create("sqlite", database=str(path))), self._step, self._row_key)
        with made.write("create") as transaction:
            transaction.connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                transaction.connection.execute(CreateIndex(index, if_not_exists=True))
        return made

    def probe(self) -> None:
        """See whether it could be written now: nothing is. TrustError: it is gone, locked for long, or does not answer.

        SQLite is opened anew, because the connections that are open outlive a file that was moved away.
        """
        if self.dialect != "sqlite":
            with self.read() as transaction:
                transaction.connection.execute(select(1))
            return
        try:
            path = Path(self._engine.url.database or "").resolve().as_uri()
            with closing(sqlite3.connect(f"{path}?mode=rw", uri=True, timeout=PROBE_S, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("SELECT size FROM tree_head").fetchone()
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise TrustError(f"database: {error}", reason="database") from error

    def close(self) -> None:
        """Close every connection, of what is beside it too."""
        with self._guard:
            besides = list(self._beside.values())
        for store in besides:
            store.close()
        self._engine.dispose()

    @contextmanager
    def _transaction(self, name: str, *, is_synced: bool = True) -> Iterator[Transaction]:
        told = {"is_write": True, "is_synced": is_synced}
        with _database_errors(), self._engine.connect().execution_options(**told) as connection:
            with connection.begin():
                transaction = Transaction(connection, self._row_key)
                yield transaction
                self._step(f"{name}.before_commit")
            self._step(f"{name}.after_commit")
        for action in transaction.committed:
            action()


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        message = f"database: {str(error.orig).splitlines()[0]}"
        log_event("store.failed", says=message)
        raise TrustError(message, reason="database") from error
    except SQLAlchemyError as error:
        log_event("store.failed", says=error.__class__.__name__)
        raise TrustError(f"database: {error}", reason="database") from error


def open_store(url: str, step: Step = lambda _name: None, row_key: RowKey = FOREIGN) -> Store:
    """Open `sqlite:///FILE` or `postgresql+psycopg://...`; the schema must be there (`migrate`).

    Raises:
        TrustError: another database, or it cannot be reached.
    """
    return Store(open_engine(url), step, row_key)


def open_engine(url: str | URL) -> Engine:
    """An engine with the settings durability rests on."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql_engine(parsed.set(drivername="postgresql+psycopg"))
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise TrustError(f"database: expected sqlite:///FILE or postgresql://..., got {parsed.drivername!r}")
    return _sqlite_engine(parsed)


def _postgresql_engine(url: URL) -> Engine:
    """An engine whose transactions the database ends when we stand still in one: what it has locked, others wait for."""
    told = {"connect_timeout": BUSY_S, "keepalives_idle": IDLE_S, "tcp_user_timeout": BUSY_S * 1000}
    engine = create_engine(url, connect_args={**told, **url.query}, pool_size=20)
    limits = (
        f"SET idle_in_transaction_session_timeout = '{IDLE_S}s'; "  # a process or a machine that was stopped
        f"SET tcp_user_timeout = '{BUSY_S}s'; "  # the same, while it is sent an answer
        f"SET lock_timeout = '{BUSY_S}s'"
    )

    @event.listens_for(engine, "connect")
    def _set_limits(connection: Any, _record: object) -> None:
        connection.autocommit = True  # in a transaction, the first rollback would take the settings back
        connection.execute(limits)
        connection.autocommit = False

    return engine


def _create_private(path: Path) -> None:
    """Create the file, which SQLite would create 0644. Raises OSError: it is a link.

    One that is there is not opened: closing it would give up the locks of every other connection of this process to it
    (fcntl(2)), and who opens the file next takes the log of its newest transactions away.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _sqlite_engine(url: URL) -> Engine:
    path = Path(url.database or "")
    _create_private(path)
    engine = create_engine(url, connect_args={"timeout": BUSY_S, "isolation_level": None}, pool_size=20)

    @event.listens_for(engine, "connect")
    def _durable(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        # WAL with FULL syncs each commit; recursive_triggers lets the delete triggers see INSERT OR REPLACE
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        told = connection.get_execution_options()
        if told.get("is_write", False):
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if told.get('is_synced', True) else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if told.get("is_write", False) else "BEGIN")

    return engine
