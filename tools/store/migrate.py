"""Bringing a database to the schema of this release. Refuses one that a newer release made."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.log import log_event
from triagebook.tools.store.database import open_engine

HEAD = "0009"  # the newest of migrations/versions; a test holds it
_LOCK = 7_240_110_923  # any constant: replicas that start together migrate one after the other


def migrate(url: str) -> None:
    """Upgrade to the newest revision known here. TrustError: unreachable, or its revision is not known here."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            present = _revision(connection)
            connection.rollback()
        if present == HEAD:
            return  # alembic is 12 MB of memory that a running server never needs again
        from alembic import command  # noqa: F401, PLC0415 - not in the transaction: it may take longer than the database lets one stand still

        with engine.connect().execution_options(is_write=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _upgrade(connection)
    except DBAPIError as error:
        raise TrustError(f"database: {str(error.orig).splitlines()[0]}", reason="database") from error
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    """Return the revision of the schema; None: there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade(connection: Connection) -> None:
    present = _revision(connection)
    if present == HEAD:  # another replica was here before us
        return
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        ScriptDirectory.from_config(config).get_revision(present or "base")
    except CommandError:
        message = f"database: its schema {present!r} was made by a newer release; upgrade this one"
        raise TrustError(message, reason="database") from None
    command.upgrade(config, "head")
    log_event("store.migrated", dialect=connection.dialect.name, before=present or "empty", after=HEAD)
