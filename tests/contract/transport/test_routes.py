"""Ways to a host that are not a plain TCP connection with one key file: jumps, proxy commands, agents, certificates."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.openssh import OpensshTransport
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import HostProcess, LoginFailed, Timeouts

from tests.contract.transport import servers
from tests.hang import GUARD_S, no_hang
from tests.sshd import Ground, Server, make_key, public

KINDS = ("ssh:stock", "ssh:one-flight", "openssh")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def launch(kind: str, config: Path, host: str = "box") -> HostProcess:
    if kind == "openssh":
        return OpensshTransport(config_file=config).launch(host, ["sh", "-c", "echo in; cat"])
    return SshTransport(config_file=config, allows_one_flight=kind == "ssh:one-flight").launch(host, ["sh", "-c", "echo in; cat"])


def talk(process: HostProcess) -> None:
    assert process.read(GUARD_S) == b"in\n"
    process.write(b"x" * 100_000 + b"\n")
    text = b""
    while not text.endswith(b"\n"):
        text += servers.more(process)
    assert len(text) == 100_001
    assert process.finish(GUARD_S).status == 0
    process.session.close()


@contextlib.contextmanager
def chain(place: Ground, count: int) -> Iterator[tuple[list[Server], Path]]:
    """`count` jump hosts hop1, hop2... and behind them `box`, in one ssh_config."""
    with contextlib.ExitStack() as stack:
        hops = [stack.enter_context(place.sshd(alias=f"hop{number + 1}")) for number in range(count)]
        box = stack.enter_context(place.sshd())
        blocks = [f"Host {server.alias}\n  HostName 127.0.0.1\n  Port {server.port}\n" for server in (*hops, box)]
        known = "".join(server.known_hosts.read_text() for server in (*hops, box))
        box.known_hosts.write_text(known)
        blocks[-1] += f"  ProxyJump {','.join(server.alias for server in hops)}\n"
        everyone = Path(box.config).read_text().partition("Host *\n")
        config = box.folder / "ssh_config"
        config.write_text("".join(blocks) + everyone[1] + everyone[2])
        yield [*hops, box], config


@pytest.mark.parametrize("count", [1, 2])
def test_a_host_behind_jump_hosts_is_reached(kind: str, count: int, place: Ground) -> None:
    with chain(place, count) as (everyone, config):
        process = launch(kind, config)
        talk(process)
        for server in everyone:
            assert f"Accepted publickey for {server.user}" in server.log()
    if kind != "openssh":
        assert any("over jump host" in note for note in process.session.route.notes)
        assert process.session.route.transport == kind


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
def test_the_host_key_of_each_jump_is_checked(kind: str, place: Ground, tmp_path: Path) -> None:
    with chain(place, 1) as ((hop, box), config):
        lines = box.known_hosts.read_text().splitlines(keepends=True)
        box.known_hosts.write_text(f"[127.0.0.1]:{hop.port} {public(make_key(tmp_path / 'other'))}\n" + lines[1])
        with pytest.raises(LoginFailed) as caught:
            launch(kind, config)
        assert (caught.value.login.phase, caught.value.login.outcome) == ("connect", "host_key")
        assert "jump host hop1" in str(caught.value)
        assert box.log().count("Accepted") == 0


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
def test_trouble_of_a_jump_host_is_no_evidence_about_the_host_behind(kind: str, place: Ground, tmp_path: Path) -> None:
    with servers.listening(servers.closing) as port, place.sshd() as box:
        config = Path(box.config)
        config.write_text(f"Host box\n  ProxyJump hop\nHost hop\n  HostName 127.0.0.1\n  Port {port}\n" + config.read_text())
        with pytest.raises(LoginFailed) as caught:
            launch(kind, config)
    assert (caught.value.login.phase, caught.value.login.outcome) == ("connect", "refused")
    assert "jump host hop" in caught.value.login.message
    assert "no_banner" in caught.value.login.message


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
def test_a_closed_port_behind_a_jump_host_is_refused(kind: str, place: Ground) -> None:
    with chain(place, 1) as ((_hop, box), config):
        config.write_text(config.read_text().replace(f"Port {box.port}", "Port 1"))
        with pytest.raises(LoginFailed) as caught:
            launch(kind, config)
    assert (caught.value.login.phase, caught.value.login.outcome) == ("connect", "refused")
    assert "Connection refused" in caught.value.login.message


def test_jumps_in_a_circle_are_a_mistake_of_the_configuration(place: Ground) -> None:
    with place.sshd() as box:
        config = Path(box.config)
        config.write_text("Host *\n  ProxyJump a\n" + config.read_text())
        with pytest.raises(UsageError, match="jump"):
            launch("ssh:stock", config)


RELAY = """import pathlib, socket, sys, threading
pathlib.Path(sys.argv[3]).touch()
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def out():
    while (data := s.recv(65536)):
        sys.stdout.buffer.write(data); sys.stdout.buffer.flush()
threading.Thread(target=out, daemon=True).start()
while (data := sys.stdin.buffer.read1(65536)):
    s.sendall(data)
"""


def test_a_proxy_command_is_the_way(kind: str, place: Ground, tmp_path: Path) -> None:
    script = tmp_path / "relay.py"
    script.write_text(RELAY)
    mark = tmp_path / "was-used"
    with place.sshd(extra_config=f"  ProxyCommand python3 {script} %h %p {mark}\n") as box:
        talk(launch(kind, box.config))
        assert mark.exists(), "the host was reached another way"


def test_a_proxy_command_that_fails_is_no_evidence_about_the_host(kind: str, place: Ground) -> None:
    with place.sshd(extra_config="  ProxyCommand sh -c 'exit 3'\n") as box, pytest.raises(LoginFailed) as caught:
        launch(kind, box.config)
    assert (caught.value.login.phase, caught.value.login.outcome) == ("connect", "refused")
    assert kind == "openssh" or "proxy command ended with status 3" in caught.value.login.message


@contextlib.contextmanager
def agent(*keys: Path) -> Iterator[str]:
    """An ssh-agent that holds the keys; its socket."""
    started = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    words = dict(part.split("=", 1) for part in started.replace("\n", ";").split(";") if "=" in part)
    environment = {**os.environ, "SSH_AUTH_SOCK": words["SSH_AUTH_SOCK"]}
    try:
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], check=True, capture_output=True, env=environment)
        yield words["SSH_AUTH_SOCK"]
    finally:
        subprocess.run(["kill", words["SSH_AGENT_PID"]], check=False)


def with_agent(server: Server, socket: str, *, identity: str = "") -> Path:
    config = Path(server.config)
    lines = [line for line in config.read_text().splitlines() if not line.strip().startswith("Identit")]
    config.write_text("\n".join(lines) + f"\n  IdentityAgent {socket}\n{identity}")
    return config


@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa", "rsa"])
def test_a_key_of_the_agent_is_used(kind: str, key_type: str, place: Ground, tmp_path: Path) -> None:
    key = make_key(tmp_path / "held", key_type)
    with agent(make_key(tmp_path / "other"), key) as where, place.sshd(trusts=(key,)) as server:
        talk(launch(kind, with_agent(server, where)))


@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa", "rsa"])
def test_a_key_file_is_used(kind: str, key_type: str, place: Ground, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", key_type)
    with place.sshd(trusts=(key,)) as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(str(place.user_key), str(key)))
        talk(launch(kind, config))


def test_a_key_file_in_the_old_form_is_used(kind: str, place: Ground, tmp_path: Path) -> None:
    key = tmp_path / "pem"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", key], check=True)
    with place.sshd(trusts=(key,)) as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(str(place.user_key), str(key)))
        talk(launch(kind, config))


def test_an_encrypted_key_is_used_when_the_agent_holds_it(kind: str, place: Ground, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked")
    with agent(make_key(tmp_path / "other"), key) as where, place.sshd(trusts=(key,)) as server:
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-P", "", "-f", key], check=True, capture_output=True)
        config = with_agent(server, where, identity=f"  IdentitiesOnly yes\n  IdentityFile {key}\n")
        process = launch(kind, config)
        if kind != "openssh":
            assert process.session.route.transport == kind
        talk(process)


@pytest.mark.parametrize("form", [(), ("-m", "PEM")], ids=["openssh", "pem"])
def test_an_encrypted_key_without_an_agent_is_a_clear_error(form: tuple[str, ...], place: Ground, tmp_path: Path) -> None:
    key = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", *form, "-N", "a passphrase", "-f", key], check=True)
    with place.sshd() as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(str(place.user_key), str(key)))
        with pytest.raises(UsageError, match=rf"{key} is encrypted and no agent holds it: `ssh-add {key}`"):
            launch("ssh:stock", config)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda key: key.chmod(0o644), "can be read by others (mode 0644)"),
        (lambda key: key.write_text("not a key\n"), "is no private key that can be used here"),
        (lambda key: key.unlink(), "does not exist"),
    ],
    ids=["open-to-all", "nonsense", "missing"],
)
def test_a_key_file_that_cannot_be_used_is_a_clear_error(spoil: object, words: str, place: Ground, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    spoil(key)  # type: ignore[operator]
    with place.sshd() as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(str(place.user_key), str(key)))
        with pytest.raises(UsageError) as caught:
            launch("ssh:stock", config)
    assert words in str(caught.value)
    assert str(key) in str(caught.value)


@pytest.mark.parametrize("key_type", ["ed25519", "rsa"])
def test_a_certificate_of_the_user_is_used(kind: str, key_type: str, place: Ground, tmp_path: Path) -> None:
    authority, key = make_key(tmp_path / "authority"), make_key(tmp_path / "key", key_type)
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", place.user, "-V", "-1d:+1d", str(key)],
        check=True,
        capture_output=True,
    )
    with place.sshd({"TrustedUserCAKeys": f"{authority}.pub"}) as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(str(place.user_key), str(key)))
        talk(launch(kind, config))
        assert "Accepted certificate ID" in server.log() or "CA ED25519" in server.log()


def test_an_agent_that_hangs_does_not_hang_the_login(place: Ground, tmp_path: Path) -> None:
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as silent, place.sshd() as server:
        silent.bind(str(path))
        silent.listen(5)
        config = with_agent(server, str(path), identity=f"  IdentityFile {place.user_key}\n")
        transport = SshTransport(config_file=config, timeouts=Timeouts())
        with no_hang(3):
            process = transport.launch("box", ["true"])
        assert "does not answer in time" in " ".join(process.session.route.notes)
        process.finish(GUARD_S)
        process.session.close()


@pytest.mark.parametrize("host", ["-oProxyCommand=id", "a b", "", "x@-y", "a;b", "a/../b", "$(id)", "user@", "[::1"])
def test_a_host_name_that_could_be_an_option_or_a_command_is_refused(host: str) -> None:
    for transport in (SshTransport(), OpensshTransport()):
        with pytest.raises(UsageError):
            transport.launch(host, ["true"])


def test_user_and_port_can_be_given_with_the_name(kind: str, place: Ground) -> None:
    with place.sshd() as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(f"User {place.user}", "User nobody").replace(f"Port {server.port}", "Port 1"))
        talk(launch(kind, config, f"ssh://{place.user}@box:{server.port}"))


def test_a_configuration_that_is_not_there_is_a_mistake_of_usage(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(tmp_path / "none")):
        launch(kind, tmp_path / "none")
