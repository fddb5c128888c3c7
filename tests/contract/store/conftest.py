import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.store.migrate import migrate

from . import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'triagebook.db'}"
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"t{secrets.token_hex(6)}"
    server.tool("createdb", name)
    return server.url(name)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated database."""
    migrate(database_url)
    opened = open_store(database_url)
    yield opened
    opened.close()
