from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.mcp import world as worlds

from .world import McpWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[McpWorld]:
    made = worlds.build(tmp_path)
    yield made
    made.trust.store.close()
