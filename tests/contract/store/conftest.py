from collections.abc import Iterator

import pytest
from triagebook.tools.store.database import Store, open_store


@pytest.fixture
def store(current_database_url: str) -> Iterator[Store]:
    """A migrated database."""
    opened = open_store(current_database_url)
    yield opened
    opened.close()
