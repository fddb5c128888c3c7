from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fixes import policies

from .server import Starter
from .world import World, build


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build(f"sqlite:///{tmp_path / 'triagebook.db'}", tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    """Starts server processes; ends each by its pid."""
    (tmp_path / "policy.yaml").write_text(policies.TEXT)
    (tmp_path / "policy.yaml").chmod(0o644)
    (tmp_path / "effects").mkdir()
    made = Starter(tmp_path)
    yield made
    made.end()
