from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.slack import emulator, gate, workspace, world

from .gate import Gate
from .workspace import Workspace
from .world import SlackWorld

# Where an independent emulator of Slack is installed, these run against it too: it judges what ours says of Slack.
JUDGED = {"test_whole_path", "test_forms_and_decisions", "test_fake"}
# Of a face in the emulator, which computes much, `make test` runs the whole path only.
QUICKLY_JUDGED = {"test_fake", "test_from_the_command_to_the_validated_change_and_back"}


@pytest.fixture(scope="session")
def in_memory() -> Iterator[Workspace]:
    """One workspace for all tests of a worker; each test looks at the messages made during it."""
    with workspace.in_memory() as found:
        yield found


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The same in the emulator."""
    if emulator.NO_SLACK:
        pytest.skip(emulator.NO_SLACK)
    with emulator.running(tmp_path_factory.mktemp("emulator")) as found:
        yield found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the modules that are judged run in both workspaces."""
    if "slack" in metafunc.fixturenames:
        module = metafunc.module.__name__.rpartition(".")[2]
        is_quick = QUICKLY_JUDGED & {module, metafunc.function.__name__}
        judged = [pytest.param("emulated", marks=[] if is_quick else [pytest.mark.long])] if module in JUDGED else []
        metafunc.parametrize("slack", ["in_memory", *judged], indirect=True)


@pytest.fixture
def slack(request: pytest.FixtureRequest) -> Workspace:
    """The workspace of this run of the test."""
    found: Workspace = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def through(slack: Workspace) -> Iterator[Gate]:
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
