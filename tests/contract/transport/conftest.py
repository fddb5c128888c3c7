"""Servers for the contract of the transports."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

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
