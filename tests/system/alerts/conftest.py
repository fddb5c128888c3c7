from collections.abc import Iterator
from pathlib import Path

import pytest

from .intake_world import IntakeWorld, intake_world


@pytest.fixture
def made(current_database_url: str, tmp_path: Path) -> Iterator[IntakeWorld]:
    with intake_world(current_database_url, tmp_path) as world:
        yield world
