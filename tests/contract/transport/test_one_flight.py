"""The one-flight path: how many segments it takes, and that each surprise ends in the stock order."""

import base64
import os
import stat
import threading
from pathlib import Path

import pytest
from triagebook.tools.collector import program
from triagebook.tools.diagnosis.lookups import kinds_to_collect
from triagebook.tools.diagnosis.runbook_choice import DefaultRunbooks, runbooks_by_default
from triagebook.tools.ssh import connector
from triagebook.tools.ssh.algorithms import CURVE25519, MLKEM
from triagebook.tools.ssh.public_keys import fingerprint
from triagebook.tools.ssh.recent_logins import RecentLogins
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import HostProcess, LoginFailed, Timeouts

from tests.contract.transport import servers
from tests.hang import GUARD_S
from tests.runbooks import CATALOG
from tests.sshd import Ground, make_key, public

FIRST_WINDOW_BYTES = 10 * 1448  # RFC 6928


def fingerprint_of(key: Path) -> str:
    return fingerprint(base64.b64decode(public(key).split()[1]))


def launch(config: Path, **options: object) -> HostProcess:
    return SshTransport(config_file=config, **options).launch("box", ["sh", "-c", "echo in; cat"])  # type: ignore[arg-type]


def reached(process: HostProcess) -> str:
    """The way that was taken; the process answers."""
    assert process.read(GUARD_S) == b"in\n"
    process.write(b"pace\n")
    assert process.read(GUARD_S) == b"pace\n"
    assert process.finish(GUARD_S).status == 0
    process.session.close()
    return process.session.route.transport


def test_openssh_is_reached_in_one_flight_of_two_segments(place: Ground, tmp_path: Path) -> None:
    with place.sshd() as server:
        relay = servers.Relay(server.port)
        with servers.listening(relay) as port:
            process = launch(servers.write_config(place, port, tmp_path))
            assert len(relay.sent) == 2  # flights 2 and 3; flight 1 is TCP's
            assert reached(process) == "ssh:one-flight"
    assert process.session.route.notes == []


def test_the_program_of_all_released_runbooks_and_the_login_fit_into_the_first_window_of_tcp(place: Ground, tmp_path: Path) -> None:
    """What is sent where no runbook is named."""
    asked = [CATALOG.load(name) for name in runbooks_by_default(DefaultRunbooks(), CATALOG)]
    argv = program.command(program.build(kinds_to_collect(asked)), program.launcher())
    assert len(" ".join(argv)) > FIRST_WINDOW_BYTES
    with place.sshd() as server:
        relay = servers.Relay(server.port)
        with servers.listening(relay) as port:
            process = SshTransport(config_file=servers.write_config(place, port, tmp_path)).launch("box", argv)
            answer = b""
            while b"\tend\t" not in answer:
                answer += servers.more(process)
            assert len(relay.sent) == 2
            assert sum(map(len, relay.sent)) < FIRST_WINDOW_BYTES
            process.session.close()


@pytest.mark.parametrize("compression", ["no", "delayed"])
def test_a_host_that_unpacks_or_not_gets_the_same_bytes(compression: str, place: Ground) -> None:
    long = "x" * 5000
    with place.sshd({"Compression": compression}) as server:
        process = SshTransport(config_file=server.config).launch("box", ["sh", "-c", "printf %s $1; cat", "sh", long])
        got = b""
        while len(got) < len(long):
            got += servers.more(process)
        assert got.decode() == long
        for sent in (b"short", bytes(range(256)) * 300, b"short again"):
            process.write(sent)
            got = b""
            while len(got) < len(sent):
                got += servers.more(process)
            assert got == sent
        assert (process.finish(GUARD_S).status, process.session.route.transport) == (0, "ssh:one-flight")
        assert process.session.connection.handshake.is_compressing == (compression == "delayed")  # type: ignore[attr-defined]


def test_both_methods_that_are_sent_ahead_reach_a_host_that_has_them(place: Ground, tmp_path: Path) -> None:
    memory = tmp_path / "ways"
    with servers.paramiko_server(place) as port:
        config = servers.write_config(place, port, tmp_path)
        for kex in (MLKEM, CURVE25519):
            RecentLogins(memory).remember(place.user, f"[127.0.0.1]:{port}", "one-flight", fingerprint_of(place.user_key), kex)
            process = launch(config, recent_logins_file=memory)
            assert (reached(process), process.session.route.notes) == ("ssh:one-flight", [])


def test_stock_order_waits_for_each_answer(place: Ground, tmp_path: Path) -> None:
    with place.sshd() as server:
        relay = servers.Relay(server.port)
        with servers.listening(relay) as port:
            process = launch(servers.write_config(place, port, tmp_path), allows_one_flight=False)
            assert len(relay.sent) >= 6
            assert reached(process) == "ssh:stock"


@pytest.mark.parametrize("allows_one_flight", [True, False])
def test_a_host_that_renews_its_keys_often_loses_no_byte(allows_one_flight: bool, place: Ground) -> None:
    with place.sshd({"RekeyLimit": "64K", "LogLevel": "DEBUG1"}) as server:
        transport = SshTransport(config_file=server.config, allows_one_flight=allows_one_flight)
        process = transport.launch("box", ["sh", "-c", "head -c 1000000 /dev/zero >&2; exec cat"], cap_bytes=10_000_000)
        sent = bytes(range(256)) * 4000
        for start in range(0, len(sent), 50_000):
            process.write(sent[start : start + 50_000])
        received = b""
        while len(received) < len(sent):
            received += servers.more(process)
        assert received == sent
        ended = process.finish(GUARD_S)
        assert (ended.status, len(ended.stderr)) == (0, 1_000_000)
        process.session.close()
        assert server.log().count("rekey") > 5


@pytest.mark.parametrize("allows_one_flight", [True, False])
def test_strict_key_exchange_is_agreed_with_openssh(allows_one_flight: bool, place: Ground) -> None:
    with place.sshd() as server:
        process = SshTransport(config_file=server.config, allows_one_flight=allows_one_flight).launch("box", ["true"])
        assert process.session.connection.handshake.is_strict
        process.finish(GUARD_S)
        process.session.close()


IGNORE = bytes.fromhex("0000000c 0a 02 00000000") + bytes(6)


@pytest.mark.parametrize("allows_one_flight", [True, False])
@pytest.mark.parametrize("place_of_it", ["before KEXINIT", "after KEXINIT"])
def test_a_packet_put_into_the_first_key_exchange_is_noticed(
    allows_one_flight: bool, place_of_it: str, place: Ground, tmp_path: Path
) -> None:
    with place.sshd() as server:
        relay = servers.Relay(server.port, inject=IGNORE, is_first=place_of_it == "before KEXINIT")
        with servers.listening(relay) as port, pytest.raises(LoginFailed) as caught:
            launch(servers.write_config(place, port, tmp_path), allows_one_flight=allows_one_flight)
    assert (caught.value.login.phase, caught.value.login.outcome) == ("kex", "refused")
    assert "Accepted" not in server.log()


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-ctr"])
@pytest.mark.parametrize("mac", ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512", "hmac-sha1"])
def test_every_cipher_and_mac_works(cipher: str, mac: str, place: Ground) -> None:
    with place.sshd({"Ciphers": cipher, "MACs": mac}) as server:
        assert reached(launch(server.config)) == "ssh:one-flight"


@pytest.mark.parametrize("kex", ["ecdh-sha2-nistp256", "diffie-hellman-group14-sha256", "diffie-hellman-group-exchange-sha256"])
def test_a_host_without_the_key_exchange_is_reached_in_stock_order_and_remembered(kex: str, place: Ground, tmp_path: Path) -> None:
    memory = tmp_path / "state" / "ways"
    with place.sshd({"KexAlgorithms": kex}) as server:
        first = launch(server.config, recent_logins_file=memory)
        assert "one flight failed" in " ".join(first.session.route.notes)
        assert reached(first) == "ssh:stock"
        second = launch(server.config, recent_logins_file=memory)
        assert second.session.route.notes == []
        assert reached(second) == "ssh:stock"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600


def test_a_key_that_worked_among_several_is_remembered_and_flown_with(place: Ground, tmp_path: Path) -> None:
    memory = tmp_path / "ways"
    stranger = make_key(tmp_path / "stranger")
    with place.sshd() as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace("  IdentityFile", f"  IdentityFile {stranger}\n  IdentityFile"))
        assert reached(launch(config, recent_logins_file=memory)) == "ssh:stock"
        assert reached(launch(config, recent_logins_file=memory)) == "ssh:one-flight"
        (server.folder / "authorized_keys").write_text(public(stranger) + "\n")
        third = launch(config, recent_logins_file=memory)
        assert "one flight failed" in " ".join(third.session.route.notes)
        assert reached(third) == "ssh:stock"
        assert reached(launch(config, recent_logins_file=memory)) == "ssh:one-flight"
    assert server.log().count("Accepted publickey") == 4


@pytest.mark.parametrize("allows_one_flight", [True, False])
def test_a_refused_key_is_never_offered_again_in_the_same_run(allows_one_flight: bool, place: Ground, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    with place.sshd({"LogLevel": "DEBUG"}) as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(str(place.user_key), str(stranger)))
        transport = SshTransport(config_file=config, allows_one_flight=allows_one_flight)
        for _ in range(3):
            with pytest.raises(LoginFailed) as caught:
                transport.launch("box", ["true"])
            assert (caught.value.login.phase, caught.value.login.outcome) == ("auth", "refused")
        assert server.log().count("Failed publickey") == 1


@pytest.mark.parametrize("allows_one_flight", [True, False])
def test_a_host_that_could_not_read_whose_keys_it_takes_is_logged_in_to_once_it_can(
    allows_one_flight: bool, place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.sshd() as server:
        keys = server.folder / "authorized_keys"
        taken = keys.read_text()
        transport = SshTransport(config_file=server.config, allows_one_flight=allows_one_flight)
        keys.write_text("")
        for _ in range(2):
            with pytest.raises(LoginFailed):
                transport.launch("box", ["true"])
        keys.write_text(taken)
        monkeypatch.setattr(connector, "ALL_REFUSED_FOR_S", 0.0)  # that much later
        transport.launch("box", ["true"]).session.close()
    assert server.log().count("Accepted publickey") == 1


def test_several_processes_share_the_memory(place: Ground, tmp_path: Path) -> None:
    memory = tmp_path / "ways"
    memory.write_text('{"host": "half a line\n\x00\xff[]\n{}\n17\n')
    with place.sshd() as server:
        transport = SshTransport(config_file=server.config, recent_logins_file=memory)
        results: list[str] = []

        def go() -> None:
            results.append(reached(transport.launch("box", ["sh", "-c", "echo in; cat"])))

        threads = [threading.Thread(target=go) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(GUARD_S)
        assert results == ["ssh:one-flight"] * 8
        assert reached(launch(server.config, recent_logins_file=memory)) == "ssh:one-flight"


def test_a_memory_that_cannot_be_written_is_no_failure(place: Ground, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with place.sshd() as server:
        assert reached(launch(server.config, recent_logins_file=tmp_path / "file" / "ways")) == "ssh:one-flight"


def test_a_host_that_numbers_its_channels_otherwise_is_reached_in_stock_order(place: Ground, tmp_path: Path) -> None:
    memory = tmp_path / "ways"
    with servers.paramiko_server(place, first_channel=5) as port:
        config = servers.write_config(place, port, tmp_path)
        process = launch(config, recent_logins_file=memory)
        assert "calls its first channel 5, not 0" in " ".join(process.session.route.notes)
        assert reached(process) == "ssh:stock"
        assert launch(config, recent_logins_file=memory).session.route.notes == []


def test_paramikos_server_is_reached_in_one_flight(place: Ground, tmp_path: Path) -> None:
    with servers.paramiko_server(place) as port:
        assert reached(launch(servers.write_config(place, port, tmp_path))) == "ssh:one-flight"


def test_asyncssh_which_opens_channels_late_is_reached_in_stock_order_and_remembered(place: Ground, tmp_path: Path) -> None:
    memory = tmp_path / "ways"
    with servers.asyncssh_server(place) as port:
        config = servers.write_config(place, port, tmp_path)
        first = launch(config, recent_logins_file=memory)
        assert "one flight failed" in " ".join(first.session.route.notes)
        assert reached(first) == "ssh:stock"
        second = launch(config, recent_logins_file=memory)
        assert (second.session.route.notes, reached(second)) == ([], "ssh:stock")


@pytest.mark.skipif(not servers.DROPBEAR or os.getuid() != 0, reason="needs dropbear and root")
def test_dropbear_is_reached_in_one_flight(place: Ground, tmp_path: Path) -> None:
    with servers.dropbear(place, tmp_path) as (port, key):
        assert reached(launch(servers.write_config(place, port, tmp_path, host_key=key))) == "ssh:one-flight"


def test_a_silent_third_flight_ends_by_its_deadline(place: Ground, tmp_path: Path) -> None:
    with place.sshd({"ForceCommand": "sleep 20"}) as server:
        process = SshTransport(config_file=server.config, timeouts=Timeouts(first_byte_s=0.5)).launch("box", ["true"])
        with pytest.raises(TimeoutError):
            process.read(GUARD_S)
        process.session.close()
