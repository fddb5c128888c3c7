import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.store import postgres

from . import policies
from .serving import Starter
from .world import World, build


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build(f"sqlite:///{tmp_path / 'triagebook.db'}", tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'triagebook.db'}"
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"t{secrets.token_hex(6)}"
    server.tool("createdb", name)
    return server.url(name)


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    """Starts server processes; ends each by its pid."""
    (tmp_path / "policy.yaml").write_text(policies.TEXT)
    (tmp_path / "policy.yaml").chmod(0o644)
    (tmp_path / "effects").mkdir()
    made = Starter(tmp_path)
    yield made
    made.end()
