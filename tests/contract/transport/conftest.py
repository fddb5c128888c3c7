"""Servers for the contract of the transports."""

from collections.abc import Iterator

import pytest

from tests import sshd


@pytest.fixture(scope="session")
def place() -> Iterator[sshd.Ground]:
    """Keys and an account, for the whole run."""
    if sshd.WHY_NOT:
        pytest.skip(sshd.WHY_NOT)
    with sshd.ground() as made:
        yield made


@pytest.fixture(scope="session")
def box(place: sshd.Ground) -> Iterator[sshd.Server]:
    """One well-behaved server."""
    with place.sshd() as server:
        yield server
