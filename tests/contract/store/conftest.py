from collections.abc import Iterator

import pytest
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.store.migrate import migrate


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated database."""
    migrate(database_url)
    opened = open_store(database_url)
    yield opened
    opened.close()
