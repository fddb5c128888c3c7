"""Databases of the newest schema, copied from one that was migrated once in this process: migrating takes 80 ms, a copy one."""

import tempfile
from functools import cache
from pathlib import Path

from triagebook.tools.store.migrate import migrate

from tests import postgres


def open_current(url: str) -> None:
    """Bring a database to the newest schema, as `migrate` does. A SQLite file that does not exist yet is a copy."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not path.exists():
        content, mode = _migrated_file()
        path.write_bytes(content)
        path.chmod(mode)
    migrate(url)


@cache
def _migrated_file() -> tuple[bytes, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "triagebook.db"
        migrate(f"sqlite:///{path}")
        assert [item.name for item in path.parent.iterdir()] == [path.name]  # nothing is left in a log beside it
        return path.read_bytes(), path.stat().st_mode & 0o777


def current_postgresql(server: postgres.Server) -> str:
    """The URL of a database of its own with the newest schema."""
    return server.new_database(template=_migrated_template(server))


@cache
def _migrated_template(server: postgres.Server) -> str:
    url = server.new_database()
    migrate(url)
    return url.rpartition("/")[2]
