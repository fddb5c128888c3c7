"""Hosts to try the helper on: one scratch host a shell."""

import os
from collections.abc import Iterator

import pytest

from tests.target.scratch_host import SHELLS, ScratchHost


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The helper runs as root only; elsewhere these say in one line that they did not run."""
    if os.geteuid() != 0:
        for item in items:
            if "tests/target/" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="the helper runs as root"))


@pytest.fixture(params=sorted(SHELLS))
def host(request: pytest.FixtureRequest) -> Iterator[ScratchHost]:
    """A prepared host whose /bin/sh is each of the three shells in turn."""
    with ScratchHost(request.param) as host:
        yield host
