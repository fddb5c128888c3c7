"""One table of jobs in place of a chat face's deliveries, which are carried over; the owner of a message's lease.

On SQLite deliveries were in a file of their own, `deliveries.db`, which is why this step opens it: its rows go to `jobs.db`,
then it is removed. A step that was interrupted is done again from the start, and takes over nothing twice.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LIFE = 10 * 60 * 1_000_000  # microseconds in which a delivery was worked on, and its repetition recognised
_CARRY_OVER = f"""
    INSERT INTO jobs (kind, "key", body, order_key, created_at, not_before, begin_by, remember_until,
                      owner, lease_until, tries, retries, done_at, problem)
    SELECT 'slack', "key", body, '', received_at, received_at, received_at + {_LIFE}, received_at + {_LIFE},
           owner, lease_until, tries, 0, done_at, ''
    FROM %s WHERE true ORDER BY received_at, "key"
    ON CONFLICT (kind, "key") DO NOTHING
"""  # noqa: S608 - `WHERE true`: SQLite would read ON as a join's


def upgrade() -> None:
    """Make the table of jobs, move the deliveries into it, and say whose a message's lease is."""
    connection = op.get_bind()
    _make_jobs()
    connection.exec_driver_sql(_CARRY_OVER % "chat_deliveries")
    op.drop_table("chat_deliveries")
    if connection.dialect.name == "sqlite":
        _remake_messages(connection)
        database = connection.engine.url.database
        if database:
            _move_file(connection, Path(database).with_name("deliveries.db"), Path(database).with_name("jobs.db"))
        return
    op.add_column("chat_messages", sa.Column("owner", sa.String(64), nullable=False, server_default=""))
    op.alter_column("chat_messages", "owner", server_default=None)


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        *_not_null(("kind", sa.String(64)), ("key", sa.String(160)), ("body", sa.Text), ("order_key", sa.String(160))),
        *_not_null(("created_at", sa.BigInteger), ("not_before", sa.BigInteger), ("begin_by", sa.BigInteger)),
        *_not_null(("remember_until", sa.BigInteger), ("owner", sa.String(64)), ("lease_until", sa.BigInteger)),
        *_not_null(("tries", sa.Integer), ("retries", sa.Integer), ("done_at", sa.BigInteger), ("problem", sa.Text)),
        sa.UniqueConstraint("kind", "key", name="uq_jobs_kind_key"),
    )
    op.create_index("ix_jobs_open", "jobs", ["done_at", "number"])
    op.create_index("ix_jobs_order", "jobs", ["order_key", "done_at"])


def _remake_messages(connection: sa.Connection) -> None:
    """SQLite cannot add a column that may not be NULL and has no default; the table is made anew."""
    for name in ("ix_chat_messages_subject", "ix_chat_messages_channel_ts"):
        op.drop_index(name, "chat_messages")
    op.rename_table("chat_messages", "chat_messages_0002")
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.String(32), primary_key=True),
        *_not_null(("kind", sa.String(16)), ("subject", sa.String(64)), ("channel", sa.String(64)), ("parent", sa.String(32))),
        *_not_null(("thread_ts", sa.String(32)), ("ts", sa.String(32)), ("content", sa.Text), ("mark", sa.String(255))),
        *_not_null(("wanted", sa.Integer), ("shown", sa.Integer), ("tries", sa.Integer), ("next_at", sa.BigInteger)),
        *_not_null(("lease_until", sa.BigInteger), ("created_at", sa.BigInteger), ("problem", sa.Text)),
        *_not_null(("owner", sa.String(64))),
    )
    connection.exec_driver_sql("INSERT INTO chat_messages SELECT *, '' FROM chat_messages_0002")
    op.drop_table("chat_messages_0002")
    op.create_index("ix_chat_messages_subject", "chat_messages", ["subject"])
    op.create_index("ix_chat_messages_channel_ts", "chat_messages", ["channel", "ts"])


def _move_file(connection: sa.Connection, old: Path, new: Path) -> None:
    """Make `jobs.db` of `deliveries.db`, with the statements that made the table and its indexes in the database."""
    if not old.exists():
        return
    made = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'jobs' AND sql IS NOT NULL ORDER BY type DESC"
    )
    statements = [row[0] for row in made]
    new.touch(0o600)
    with closing(sqlite3.connect(new, isolation_level=None)) as jobs:
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            jobs.execute(f"PRAGMA {pragma}")
        jobs.execute("ATTACH DATABASE ? AS old", (str(old),))
        jobs.execute("BEGIN IMMEDIATE")
        if not jobs.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'jobs'").fetchone():
            for statement in statements:
                jobs.execute(statement)
        if jobs.execute("SELECT 1 FROM old.sqlite_master WHERE name = 'chat_deliveries'").fetchone():
            jobs.execute(_CARRY_OVER % "old.chat_deliveries")
        jobs.execute("COMMIT")
        jobs.execute("DETACH DATABASE old")
    for end in ("", "-wal", "-shm"):
        old.with_name(old.name + end).unlink(missing_ok=True)


def _not_null(*columns: tuple[str, object]) -> list[sa.Column[object]]:
    return [sa.Column(name, kind, nullable=False) for name, kind in columns]  # type: ignore[arg-type]
