"""The one-flight path against the OpenSSH of a newer release, which has the post-quantum key exchange by default."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.ssh.algorithms import CURVE25519, MLKEM
from triagebook.tools.ssh.transport import SshTransport

from tests import lab


@pytest.fixture(scope="module")
def guest() -> Iterator[lab.Machine]:
    try:
        machine = lab.up("debian-13", "newer")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    yield machine
    lab.down(machine.name)


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.timeout(600)
def test_openssh_10_is_reached_in_one_flight_first_by_curve25519_then_by_what_it_prefers(
    guest: lab.Machine, tmp_path: Path
) -> None:
    taken = []
    for _ in range(2):
        transport = SshTransport(config_file=guest.ssh_config, recent_logins_file=tmp_path / "ways")
        process = transport.launch(guest.alias("diag"), ["cat", "/proc/version"])
        session = process.session
        said = process.read(20)
        ended = process.finish(20)
        session.close()
        connection = session.connection
        taken.append((session.route.transport, session.route.notes, connection.handshake.method))  # type: ignore[union-attr]
        assert connection.server.startswith("SSH-2.0-OpenSSH_10."), connection.server
        assert said.startswith(b"Linux version")
        assert ended.status == 0
        assert connection.handshake.is_strict
    assert taken == [("ssh:one-flight", [], CURVE25519), ("ssh:one-flight", [], MLKEM)]
