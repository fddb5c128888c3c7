from collections.abc import Iterator

import pytest
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.store.migrate import migrate

from .steps import Steps


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def store(database_url: str, steps: Steps) -> Iterator[Store]:
    """A migrated database whose commits are counted and can be held up."""
    migrate(database_url)
    opened = open_store(database_url, steps)
    yield opened
    opened.close()
