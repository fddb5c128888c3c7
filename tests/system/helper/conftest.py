"""Hosts to try the helper on: one scratch host a shell."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.helper.guest import NAME, UNIT, Guest
from tests.system.helper.scratch_host import SHELLS, ScratchHost


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The helper runs as root only; elsewhere these say in one line that they did not run."""
    if os.geteuid() != 0:
        for item in items:
            if "tests/system/helper/" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="the helper runs as root"))


@pytest.fixture(params=sorted(SHELLS))
def host(request: pytest.FixtureRequest) -> Iterator[ScratchHost]:
    """A prepared host whose /bin/sh is each of the three shells in turn."""
    with ScratchHost(request.param) as host:
        yield host


@pytest.fixture(scope="module", params=["debian-12", "debian-13"])
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A guest of the lab, not prepared."""
    lab = pytest.importorskip("tests.lab")
    with lab.machine(request.param, f"target-{request.param}") as machine:
        folder = tmp_path_factory.mktemp("keys")
        yield Guest(Path(machine.ssh_config), machine.alias("root"), folder, lambda: lab.reboot(machine))


@pytest.fixture(scope="module")
def guest(bare: Guest) -> Guest:
    """The same, prepared, with a service of two processes."""
    bare.root.run("dd", f"of=/etc/systemd/system/{NAME}", "status=none", stdin=UNIT.encode())
    bare.shell(f"systemctl daemon-reload && systemctl start {NAME}")
    assert bare.prepare().missing == ()
    return bare
