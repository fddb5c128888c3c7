"""Each class of a failed login, over each way that logs in: what the host did is what the evidence says."""

import re
import select
import socket
import subprocess
from pathlib import Path

import pytest
from triagebook.tools.ssh.openssh import OpensshTransport
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import Login, LoginFailed, Timeouts, Transport

from tests.contract.transport import servers
from tests.hang import GUARD_S, no_hang
from tests.sshd import Ground, free_port, make_key

KINDS = ("ssh:stock", "ssh:one-flight", "openssh")
PATIENT = {"connect_s": 60.0, "banner_s": 60.0, "kex_s": 60.0, "auth_s": 60.0, "exec_s": 60.0, "total_s": GUARD_S}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def transport(kind: str, config: Path, **limits: float) -> Transport:
    timeouts = Timeouts(**{**PATIENT, **limits})
    if kind == "openssh":
        return OpensshTransport(config_file=config, timeouts=timeouts)
    return SshTransport(config_file=config, timeouts=timeouts, allows_one_flight=kind == "ssh:one-flight")


def failed(kind: str, config: Path, **limits: float) -> Login:
    """The evidence of a launch that must fail, in time."""
    with no_hang(6), pytest.raises(LoginFailed) as caught:
        transport(kind, config, **limits).launch("box", ["true"])
    assert caught.value.login.message == str(caught.value)
    assert caught.value.login.message.startswith("box: ")
    return caught.value.login


def classes(login: Login) -> tuple[str, str]:
    return login.phase, login.outcome


def test_a_closed_port_is_refused(kind: str, place: Ground, tmp_path: Path) -> None:
    login = failed(kind, servers.write_config(place, free_port(), tmp_path))
    assert classes(login) == ("connect", "refused")
    assert "Connection refused" in login.message


def test_a_name_without_an_address_is_refused(kind: str, place: Ground, tmp_path: Path) -> None:
    config = servers.write_config(place, 22, tmp_path)
    config.write_text(config.read_text().replace("HostName 127.0.0.1", "HostName nowhere.invalid"))
    assert classes(failed(kind, config, connect_s=15)) == ("resolve", "refused")


@pytest.mark.parametrize(
    ("handle", "expected", "word"),
    [
        (servers.closing, ("banner", "no_banner"), "closed|reset"),
        (servers.resetting, ("banner", "no_banner"), "reset|closed"),
        (servers.silent, ("banner", "timeout"), "within 1 s|banner exchange"),
        (servers.saying(b"Exceeded MaxStartups\r\n"), ("banner", "refused"), "on purpose.*Exceeded MaxStartups"),
        (servers.saying(b"Not allowed at this time\r\n"), ("banner", "refused"), "on purpose.*Not allowed at this time"),
        (servers.saying(b"SSH-2.0-OpenSSH_9.2\r\n"), ("kex", "cut"), "closed|reset|[Bb]roken pipe"),
        (servers.saying(b"SSH-2.0-OpenSSH_9.2\r\n", then=servers.silent), ("kex", "timeout"), "within 1 s"),
    ],
    ids=["closing", "resetting", "silent", "MaxStartups", "penalty", "banner-then-closing", "banner-then-silent"],
)
def test_what_a_host_does_before_its_keys(
    kind: str, handle: object, expected: tuple[str, str], word: str, place: Ground, tmp_path: Path
) -> None:
    phase, outcome = expected
    limits = {f"{phase}_s": 1.0} if outcome == "timeout" else {}
    if kind == "openssh" and limits:
        limits["connect_s"] = 1.0  # ssh(1) has one deadline for both
    with servers.listening(handle) as port:  # type: ignore[arg-type]
        login = failed(kind, servers.write_config(place, port, tmp_path), **limits)
    assert classes(login) == expected
    assert re.search(word, login.message), login.message


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
def test_a_closed_connection_before_the_banner_is_worded_so_that_it_can_be_searched_for(
    kind: str, place: Ground, tmp_path: Path
) -> None:
    with servers.listening(servers.closing) as port:
        message = failed(kind, servers.write_config(place, port, tmp_path)).message
    assert "Error reading SSH protocol banner" in message
    assert "fork" in message
    assert "PerSourcePenalties" in message


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 9000, b"SSH-1.5-old\r\n", b"SSH-" + b"x" * 300 + b"\n"]
)
def test_what_is_not_ssh_is_said_to_be_something_else(kind: str, said: bytes, place: Ground, tmp_path: Path) -> None:
    with servers.listening(servers.saying(said)) as port:
        login = failed(kind, servers.write_config(place, port, tmp_path))
    assert classes(login) == ("banner", "refused")
    assert login.message.isprintable()


def test_a_host_that_takes_no_connection_is_given_up(kind: str, place: Ground, tmp_path: Path) -> None:
    with socket.socket() as full:
        full.bind((servers.LOOPBACK, 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]  # the queue is full: further SYNs are dropped
        for one in held:
            one.setblocking(False)
            one.connect_ex((servers.LOOPBACK, port))
        assert select.select([], held, [], GUARD_S)[1]  # the one connection that it takes is made
        login = failed(kind, servers.write_config(place, port, tmp_path), connect_s=0.7)
        for one in held:
            one.close()
    assert classes(login) in (("connect", "timeout"), ("banner", "timeout"))


def test_a_key_that_is_not_authorized_is_refused(kind: str, place: Ground, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    with place.sshd() as server:
        config = Path(server.config)
        config.write_text(config.read_text().replace(str(place.user_key), str(stranger)))
        login = failed(kind, config)
    assert classes(login) == ("auth", "refused")
    assert "Permission denied" in login.message
    assert "publickey" in login.message


def test_a_host_that_gives_no_session_is_told_from_one_that_refuses_the_login(kind: str, place: Ground) -> None:
    with place.sshd({"MaxSessions": "0"}) as server:
        login = failed(kind, server.config)
    assert classes(login) == ("session", "no_session")


def test_an_account_that_cannot_fork_gives_no_session(kind: str, place: Ground, tmp_path: Path) -> None:
    if not place.is_account_made:
        pytest.skip("needs root: another account than root's is limited")
    with place.sshd() as server:
        subprocess.run(["prlimit", "--nproc=1:1", "--pid", str(server.process.pid)], check=True)
        login = failed(kind, server.config)
    assert classes(login) == ("session", "no_session")
    assert "exec request failed on channel 0" in login.message


@pytest.mark.parametrize(("cuts", "phase"), [("auth", "auth"), ("session", "session")])
def test_a_connection_that_goes_is_cut_in_its_phase(kind: str, cuts: str, phase: str, place: Ground, tmp_path: Path) -> None:
    with servers.asyncssh_server(place, cuts=cuts) as port:
        login = failed(kind, servers.write_config(place, port, tmp_path))
    assert classes(login) == (phase, "cut")


def test_a_forced_command_runs_instead_and_its_status_is_told(kind: str, place: Ground) -> None:
    with place.sshd({"ForceCommand": "echo forced; exit 7"}) as server:
        process = transport(kind, server.config).launch("box", ["true"])
        assert process.read(GUARD_S) == b"forced\n"
        assert process.finish(GUARD_S).status == 7
        process.session.close()


@pytest.mark.parametrize("kind", KINDS[:2], indirect=True)
def test_a_session_that_is_cut_later_says_so(kind: str, place: Ground) -> None:
    with place.sshd() as server:
        process = transport(kind, server.config).launch("box", ["sh", "-c", "echo $PPID; exec cat"])
        pid = int(process.read(GUARD_S))
        subprocess.run(["kill", "-9", str(pid)], check=True)
        assert process.read(GUARD_S) == b""
        ended = process.finish(GUARD_S)
        assert (ended.status, ended.ended) == (None, "cut")
        assert "closed" in ended.detail
        with pytest.raises(LoginFailed) as caught:
            process.session.start(["true"])
        assert classes(caught.value.login) == ("exec", "cut")
