"""A command line with a home of its own, and a real sshd for it."""

from collections.abc import Iterator

import pytest

from tests import sshd
from tests.command import Triagebook


@pytest.fixture(scope="session")
def triagebook(tmp_path_factory: pytest.TempPathFactory) -> Triagebook:
    """The product's command."""
    return Triagebook(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def box(place: sshd.Ground) -> Iterator[sshd.Server]:
    """One well-behaved server with hashed known_hosts."""
    with place.sshd(is_hashed=True) as server:
        yield server
