from collections.abc import Iterator

import pytest
from triagebook.tools.store.database import Store, open_store

from .steps import Steps


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def store(current_database_url: str, steps: Steps) -> Iterator[Store]:
    """A migrated database whose commits are counted and can be held up."""
    opened = open_store(current_database_url, steps)
    yield opened
    opened.close()
