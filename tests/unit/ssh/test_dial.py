"""TCP before everything else: `dial` begins it, `launch` goes on with it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.bot.cli import early_connect
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.algorithms import CURVE25519
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import LoginFailed, Timeouts

from tests.hang import GUARD_S
from tests.sshd import make_key


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(GUARD_S)
        yield server


def config(folder: Path, port: int) -> Path:
    path = folder / "ssh_config"
    path.write_text(f"Host box\n  HostName 127.0.0.1\n  Port {port}\n  IdentityAgent none\n")
    return path


def test_a_dialed_host_is_connected_to_once_and_before_it_is_launched(listener: socket.socket, tmp_path: Path) -> None:
    transport = SshTransport(config_file=config(tmp_path, listener.getsockname()[1]))
    transport.dial("box")
    connection, _address = listener.accept()
    connection.close()
    with pytest.raises(LoginFailed, match="box"):
        transport.launch("box", ("true",))
    listener.settimeout(0.1)
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_dialed_host_with_one_sure_key_is_greeted_before_it_is_launched(listener: socket.socket, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    path = config(tmp_path, listener.getsockname()[1])
    path.write_text(f"{path.read_text()}  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile /dev/null\n")
    SshTransport(config_file=path).dial("box")
    connection, _address = listener.accept()
    with connection:
        connection.settimeout(GUARD_S)
        assert CURVE25519.encode() in connection.recv(65536, socket.MSG_PEEK)


def test_what_fails_at_dialing_is_told_by_launch(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    transport = SshTransport(config_file=config(tmp_path, port), timeouts=Timeouts(connect_s=2))
    transport.dial("box")
    with pytest.raises(LoginFailed) as failed:
        transport.launch("box", ("true",))
    assert (failed.value.login.phase, failed.value.login.outcome) == ("connect", "refused")


@pytest.mark.parametrize("hosts", [(), ("localhost",), ("replay:unit-tasksmax",), ("web01", "web02")])
def test_only_a_single_remote_host_is_dialed_ahead(hosts: tuple[str, ...]) -> None:
    assert early_connect.dial(hosts, "") is None


def test_what_is_no_host_is_refused_before_anything_is_dialed() -> None:
    with pytest.raises(UsageError):
        early_connect.dial(("-oProxyCommand=x",), "")
