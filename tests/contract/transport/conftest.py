"""A server for the contract of the transports."""

from collections.abc import Iterator

import pytest

from tests import sshd


@pytest.fixture(scope="session")
def box(place: sshd.Ground) -> Iterator[sshd.Server]:
    """One well-behaved server."""
    with place.sshd() as server:
        yield server
