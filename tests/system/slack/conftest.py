from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.slack import emulator, gate, world

from .emulator import NO_SLACK, Emulator
from .gate import Gate
from .world import SlackWorld


@pytest.fixture(scope="session")
def slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for all tests; each test looks at the messages made during it."""
    if NO_SLACK:
        pytest.skip(NO_SLACK)
    with emulator.running(tmp_path_factory.mktemp("emulator")) as found:
        yield found


@pytest.fixture
def through(slack: Emulator) -> Iterator[Gate]:
    with gate.running(slack) as made:
        yield made


@pytest.fixture(params=["http", "socket"])
def either(request: pytest.FixtureRequest, tmp_path: Path, through: Gate) -> Iterator[SlackWorld]:
    """The face over each of the two transports."""
    with {"http": world.over_http, "socket": world.over_socket}[request.param](tmp_path, through) as made:
        yield made


@pytest.fixture
def slacked(tmp_path: Path, through: Gate) -> Iterator[SlackWorld]:
    """The face over HTTP."""
    with world.over_http(tmp_path, through) as made:
        yield made
