"""Hosts to try the helper on: one scratch host a shell."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.helper.guest import NAME, UNIT, Guest
from tests.system.helper.scratch_host import SHELLS, ScratchHost


@pytest.hookimpl(tryfirst=True)  # before what is long is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The helper runs as root only; elsewhere these say in one line that they did not run. Two of three shells are long."""
    here = str(Path(__file__).parent)
    for item in items:
        if not isinstance(item, pytest.Function) or not str(item.path).startswith(here):
            continue
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="the helper runs as root"))
        shell = item.callspec.params.get("host") if hasattr(item, "callspec") else None
        if shell is not None and shell != quick_shell(item.nodeid.replace(str(shell), "")):
            item.add_marker(pytest.mark.long)


def quick_shell(test: str) -> str:
    """The shell in which `make test` runs this test: each shell gets a third of them. All run it in `make unit-long`."""
    return sorted(SHELLS)[zlib.crc32(test.encode()) % len(SHELLS)]


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
