"""No key of a host is accepted unseen: unknown, changed, revoked, of a wrong name, or not owned."""

import re
import subprocess
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.openssh import OpensshTransport
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import LoginFailed, Transport

from tests.contract.transport import servers
from tests.hang import GUARD_S
from tests.sshd import Ground, Server, make_key, public

KINDS = ("ssh:stock", "ssh:one-flight", "openssh")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def transport(kind: str, config: Path) -> Transport:
    if kind == "openssh":
        return OpensshTransport(config_file=config)
    return SshTransport(config_file=config, allows_one_flight=kind == "ssh:one-flight")


def fingerprint(key: Path) -> str:
    return subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout.split()[1]


def refusal(kind: str, server: Server) -> str:
    with pytest.raises(LoginFailed) as caught:
        transport(kind, server.config).launch(server.alias, ["true"])
    assert (caught.value.login.phase, caught.value.login.outcome) == ("host_key", "host_key")
    assert "true" not in server.log()
    return str(caught.value)


def reach(kind: str, server: Server) -> str:
    process = transport(kind, server.config).launch(server.alias, ["echo", "in"])
    assert process.read(GUARD_S) == b"in\n"
    process.finish(GUARD_S)
    process.session.close()
    return process.session.route.host_key


@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("is_hashed", [False, True], ids=["plain", "hashed"])
def test_a_known_key_is_taken(kind: str, key_type: str, is_hashed: bool, place: Ground) -> None:
    with place.sshd(host_keys=(key_type,), is_hashed=is_hashed) as server:
        assert reach(kind, server) == fingerprint(place.host_key(key_type))


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_way_to_settle_it(kind: str, place: Ground) -> None:
    with place.sshd() as server:
        server.known_hosts.write_text("# nothing\n")
        message = refusal(kind, server)
        if kind == "openssh":
            return
        assert fingerprint(place.host_key()) in message
        assert f"ssh-keyscan -p {server.port} -t ed25519 127.0.0.1 >> {server.known_hosts}" in message
        command = message.rpartition("the same: ")[2]
        subprocess.run(["sh", "-c", command.strip("`")], check=True, capture_output=True)
        reach(kind, server)


def test_a_changed_key_is_refused_with_both_fingerprints_and_the_one_command_settles_it(kind: str, place: Ground) -> None:
    with place.sshd() as server:
        other = make_key(server.folder / "other")
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public(other)}\n")
        message = refusal(kind, server)
        assert fingerprint(place.host_key()) in message
        if kind == "openssh":
            return
        assert fingerprint(other) in message
        assert f"{server.known_hosts}:1" in message
        command = message.rpartition("reinstalled: ")[2]
        subprocess.run(["sh", "-c", command.strip("`")], check=True, capture_output=True)
        reach(kind, server)


def test_a_host_that_shows_another_type_of_key_than_the_known_one_is_refused(kind: str, place: Ground) -> None:
    with place.sshd(host_keys=("ecdsa",)) as server:
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public(place.host_key('ed25519'))}\n")
        refusal(kind, server)


def test_the_known_type_is_asked_for_when_the_host_has_several(kind: str, place: Ground) -> None:
    with place.sshd(host_keys=("ed25519", "ecdsa", "rsa")) as server:
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public(place.host_key('rsa'))}\n")
        assert reach(kind, server) == fingerprint(place.host_key("rsa"))


def test_a_revoked_key_is_refused_though_it_is_known(kind: str, place: Ground) -> None:
    with place.sshd() as server:
        with server.known_hosts.open("a") as file:
            file.write(f"@revoked * {public(place.host_key())}\n")
        assert "revoked" in refusal(kind, server).lower()


def test_strict_checking_cannot_be_weakened_by_the_configuration(kind: str, place: Ground) -> None:
    extra = "  StrictHostKeyChecking no\n"
    with place.sshd(extra_config=extra) as server:
        before = "# nothing\n"
        server.known_hosts.write_text(before)
        refusal(kind, server)
        assert server.known_hosts.read_text() == before


def test_a_host_key_alias_is_looked_up_instead_of_the_name(kind: str, place: Ground) -> None:
    with place.sshd(extra_config="  HostKeyAlias the-box\n") as server:
        server.known_hosts.write_text(f"the-box {public(place.host_key())}\n")
        reach(kind, server)
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public(place.host_key())}\n")
        message = refusal(kind, server)
        if kind != "openssh":
            subprocess.run(["sh", "-c", message.rpartition("the same: ")[2]], check=True, capture_output=True)
            reach(kind, server)


def test_an_unreadable_known_hosts_file_is_said(place: Ground) -> None:
    with place.sshd() as server:
        server.known_hosts.unlink()
        server.known_hosts.mkdir()
        with pytest.raises(UsageError, match=re.escape(str(server.known_hosts))):
            transport("ssh:stock", server.config).launch("box", ["true"])


class Authority:
    """A certificate authority of hosts."""

    def __init__(self, folder: Path) -> None:
        self.key = make_key(folder / "authority")

    def certify(self, key: Path, *, principals: str = "127.0.0.1", validity: str = "-1d:+1d") -> Path:
        names = ("-h", "-I", "a host", "-n", principals, "-V", validity)
        subprocess.run(["ssh-keygen", "-q", "-s", str(self.key), *names, str(key)], check=True, capture_output=True)
        return key.with_name(key.name + "-cert.pub")


@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_of_a_known_authority_is_taken(kind: str, key_type: str, place: Ground, tmp_path: Path) -> None:
    authority, key = Authority(tmp_path), make_key(tmp_path / "host", key_type)
    certificate = authority.certify(key)
    with place.sshd({"HostKey": str(key), "HostCertificate": str(certificate)}, host_keys=()) as server:
        server.known_hosts.write_text(f"@cert-authority 127.0.0.* {public(authority.key)}\n")
        host_key = reach(kind, server)
        assert kind == "openssh" or host_key == fingerprint(key)


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)  # ssh falls back to the plain key, in its own words
@pytest.mark.parametrize(
    ("certified", "reason"),
    [({"principals": "another.example"}, "names 'another.example'"), ({"validity": "-2d:-1d"}, "not valid at this time")],
    ids=["another-host", "expired"],
)
def test_a_certificate_that_does_not_fit_is_refused(
    kind: str, certified: dict[str, str], reason: str, place: Ground, tmp_path: Path
) -> None:
    authority, key = Authority(tmp_path), make_key(tmp_path / "host")
    certificate = authority.certify(key, **certified)
    with place.sshd({"HostKey": str(key), "HostCertificate": str(certificate)}, host_keys=()) as server:
        server.known_hosts.write_text(f"@cert-authority * {public(authority.key)}\n")
        assert reason in refusal(kind, server)


def test_a_certificate_of_an_unknown_authority_is_refused(kind: str, place: Ground, tmp_path: Path) -> None:
    authority, key, other = Authority(tmp_path), make_key(tmp_path / "host"), make_key(tmp_path / "other")
    certificate = authority.certify(key)
    with place.sshd({"HostKey": str(key), "HostCertificate": str(certificate)}, host_keys=()) as server:
        server.known_hosts.write_text(f"@cert-authority * {public(other)}\n")
        refusal(kind, server)
        server.known_hosts.write_text(f"@cert-authority * {public(authority.key)}\n@revoked * {public(authority.key)}\n")
        refusal(kind, server)


def test_a_host_that_shows_a_key_it_does_not_own_is_refused(kind: str, place: Ground, tmp_path: Path) -> None:
    with servers.paramiko_server(place, signs_with=make_key(tmp_path / "own")) as port, pytest.raises(LoginFailed) as caught:
        transport(kind, servers.write_config(place, port, tmp_path)).launch("box", ["true"])
    if kind == "openssh":
        assert "incorrect signature" in str(caught.value)
    else:
        assert (caught.value.login.phase, caught.value.login.outcome) == ("host_key", "host_key")
        assert "does not own the key" in str(caught.value)


@pytest.mark.parametrize("kind", ["ssh:one-flight"], indirect=True)
def test_nothing_of_the_third_flight_leaves_before_the_host_key_is_verified(kind: str, place: Ground, tmp_path: Path) -> None:
    with place.sshd() as server:
        relay = servers.Relay(server.port)
        with servers.listening(relay) as port:
            right = servers.write_config(place, port, tmp_path)
            process = transport(kind, right).launch("box", ["true"])
            process.finish(GUARD_S)
            process.session.close()
            assert relay.is_over.wait(GUARD_S)
            whole = b"".join(relay.sent)
            assert len(packets(whole)) > 2  # KEXINIT, ECDH_INIT, NEWKEYS and what is encrypted
            relay.sent.clear()
            relay.is_over.clear()
            wrong = servers.write_config(place, port, tmp_path, host_key=make_key(tmp_path / "other"))
            with pytest.raises(LoginFailed) as caught:
                transport(kind, wrong).launch("box", ["true"])
            assert relay.is_over.wait(GUARD_S)
    assert caught.value.login.outcome == "host_key"
    kinds = [payload[0] for payload in packets(b"".join(relay.sent))]
    assert kinds == [20, 30]  # KEXINIT and the first key exchange message: no NEWKEYS (21), nothing after it


def packets(sent: bytes) -> list[bytes]:
    """The payloads of what a client sent, as if unencrypted: enough to see the clear ones at the start."""
    _identification, _newline, rest = sent.partition(b"\r\n")
    found: list[bytes] = []
    while len(rest) > 5 and len(found) < 50:
        length = int.from_bytes(rest[:4], "big")
        found.append(rest[5 : 4 + length - rest[4]] or b"\0")
        rest = rest[4 + length :]
    return found
