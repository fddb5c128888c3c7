"""`triagebook diagnose` against a real sshd: the ways in, the refusals, and what a hostile host can do."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import jsonschema
import pytest
from triagebook.runbooks.engine.triage import Triage
from triagebook.tools.actions import process
from triagebook.tools.collector import installed
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.execute.capture import HostCapture
from triagebook.tools.fixes.diagnoser import ServiceDiagnoser
from triagebook.tools.ssh.transport import SshTransport
from triagebook.tools.transport.base import Timeouts

from tests import sshd
from tests.command import ONE, ROOT, Triagebook
from tests.hang import no_hang

SCHEMA = json.loads((ROOT / "docs" / "schema" / "diagnosis.json").read_text())


def config_for(box: sshd.Server, folder: Path, **changes: str) -> str:
    """The server's ssh_config with some lines changed; `hostname=...` changes HostName."""
    lines = []
    for line in box.config.read_text().splitlines():
        keyword = line.split()[0].lower() if line.split() else ""
        lines.append(f"  {keyword} {changes[keyword]}" if keyword in changes else line)
    file = folder / "ssh_config"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


@pytest.mark.parametrize("transport", ["ssh", "openssh"])
def test_an_unprivileged_account_gets_a_verdict_with_hashed_strict_host_keys(
    triagebook: Triagebook, box: sshd.Server, transport: str
) -> None:
    run = triagebook("diagnose", "box", "-F", str(box.config), "--transport", transport, *ONE)
    (diagnosis,) = run.json()
    jsonschema.validate(diagnosis, SCHEMA)
    assert run.status in {0, 1, 3, 6}, run.err  # whatever else this machine suffers from just now
    assert diagnosis["login"]["outcome"] == "ok"
    assert diagnosis["target"]["forks"] == 0
    assert diagnosis["target"]["bytes"] < 14 * 1024
    assert {check["id"]: check["outcome"] for check in diagnosis["checks"]}["threads_max"] == "cleared"


def test_a_host_behind_a_jump_host_is_reached_with_both_keys_checked(
    triagebook: Triagebook, place: sshd.Ground, box: sshd.Server, tmp_path: Path
) -> None:
    with place.sshd(alias="inner") as inner:
        config = tmp_path / "config"
        both = tmp_path / "known_hosts"
        both.write_text(box.known_hosts.read_text() + inner.known_hosts.read_text())
        config.write_text(
            f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  ProxyJump box\n{box.config.read_text()}".replace(
                str(box.known_hosts), str(both)
            )
        )
        run = triagebook("diagnose", "inner", "-F", str(config), *ONE)
    assert run.json()[0]["login"]["outcome"] == "ok", run.out
    assert "Accepted publickey" in inner.log()
    assert "Accepted publickey" in box.log()


def test_an_unknown_host_key_is_refused_with_its_fingerprint_and_what_settles_it(
    triagebook: Triagebook, box: sshd.Server, tmp_path: Path
) -> None:
    empty = tmp_path / "known_hosts"
    empty.touch()
    run = triagebook("diagnose", "box", "-F", config_for(box, tmp_path, userknownhostsfile=str(empty)), *ONE)
    (diagnosis,) = run.json()
    assert (run.status, diagnosis["status"], diagnosis["login"]["outcome"]) == (4, "unreachable", "host_key")
    assert "SHA256:" in diagnosis["headline"]
    assert "ssh-key" in diagnosis["headline"]
    assert empty.read_text() == ""


def test_a_changed_host_key_is_refused_with_both_fingerprints(triagebook: Triagebook, box: sshd.Server, tmp_path: Path) -> None:
    other = sshd.public(sshd.make_key(tmp_path / "other"))
    wrong = tmp_path / "known_hosts"
    wrong.write_text(f"[127.0.0.1]:{box.port} {other}\n")
    run = triagebook("diagnose", "box", "-F", config_for(box, tmp_path, userknownhostsfile=str(wrong)), *ONE)
    (diagnosis,) = run.json()
    assert (run.status, diagnosis["login"]["outcome"]) == (4, "host_key")
    assert diagnosis["headline"].count("SHA256:") == 2


@contextmanager
def server_that(does: str) -> Iterator[int]:
    """A loopback port that is silent, or closes at once, for every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                if does == "closes":
                    connection.close()
                else:
                    kept.append(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        for connection in kept:
            connection.close()


def test_a_silent_host_is_given_up_in_seconds_and_says_so(triagebook: Triagebook, box: sshd.Server, tmp_path: Path) -> None:
    with server_that("is silent") as port, no_hang(10):
        run = triagebook("diagnose", "box", "-F", config_for(box, tmp_path, port=str(port)), *ONE)
    (diagnosis,) = run.json()
    assert (run.status, diagnosis["login"]["outcome"]) == (4, "timeout")


@contextmanager
def late(port: int, wait_s: float) -> Iterator[int]:
    """A loopback port that takes a connection at once and begins to pass it on to `port` after so long."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def carry(source: socket.socket, into: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    into.sendall(data)
                into.shutdown(socket.SHUT_WR)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _address = listener.accept()
                    threading.Event().wait(wait_s)
                    server = socket.create_connection(("127.0.0.1", port))
                    for ends in ((client, server), (server, client)):
                        threading.Thread(target=carry, args=ends, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.long
@pytest.mark.parametrize("said", ["option", "configuration"])
def test_a_host_that_answers_late_is_waited_for_as_long_as_was_said(
    triagebook: Triagebook, place: sshd.Ground, box: sshd.Server, tmp_path: Path, said: str
) -> None:
    wait_s = Timeouts().banner_s + 1
    with late(box.port, wait_s) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {sshd.public(place.host_key())}\n")
        config = config_for(box, tmp_path, port=str(port), userknownhostsfile=str(known))
        assert triagebook("diagnose", "box", "-F", config, *ONE).status == 4
        home = {}
        if said == "configuration":
            (tmp_path / "triagebook").mkdir()
            (tmp_path / "triagebook" / "config.yaml").write_text("timeout: 60\n")
            home = {"XDG_CONFIG_HOME": str(tmp_path)}
        patience = ("--timeout", "60") if said == "option" else ()
        assert triagebook("diagnose", "box", "-F", config, *patience, *ONE, **home).status in {0, 3}


def test_a_host_that_cannot_fork_for_the_connection_leaves_its_refusal_as_evidence(
    triagebook: Triagebook, box: sshd.Server, tmp_path: Path
) -> None:
    with server_that("closes") as port:
        run = triagebook("diagnose", "box", "-F", config_for(box, tmp_path, port=str(port)), *ONE)
    (diagnosis,) = run.json()
    assert (run.status, diagnosis["login"]["outcome"]) == (4, "no_banner")
    assert "threads_max, pid_max, overcommit" in " ".join(diagnosis["next"])
    assert diagnosis["verdict"] is None


def test_a_login_without_a_session_is_evidence_against_this_account(triagebook: Triagebook, place: sshd.Ground) -> None:
    with place.sshd({"MaxSessions": "0"}) as server:
        run = triagebook("diagnose", "box", "-F", str(server.config), *ONE)
    (diagnosis,) = run.json()
    assert (run.status, diagnosis["login"]["outcome"]) == (4, "no_session")
    assert "user_nproc" in " ".join(diagnosis["next"])


def test_nobody_listens_and_a_refused_key_are_told_apart(
    triagebook: Triagebook, place: sshd.Ground, box: sshd.Server, tmp_path: Path
) -> None:
    run = triagebook("diagnose", "box", "-F", config_for(box, tmp_path, port=str(sshd.free_port())), *ONE)
    assert run.json()[0]["login"]["outcome"] == "refused"
    stranger = sshd.make_key(tmp_path / "stranger")
    run = triagebook("diagnose", "box", "-F", config_for(box, tmp_path, identityfile=str(stranger)), *ONE)
    assert (run.json()[0]["login"]["phase"], run.json()[0]["login"]["outcome"]) == ("auth", "refused")


def test_ten_megabytes_on_both_streams_neither_hang_nor_pass_the_deadline(triagebook: Triagebook, place: sshd.Ground) -> None:
    flood = "sh -c 'head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2'"
    with place.sshd({"ForceCommand": flood}) as server, no_hang(10):
        run = triagebook("diagnose", "box", "-F", str(server.config), *ONE)
    (diagnosis,) = run.json()
    assert run.status == 3
    by_text = {check["id"] for check in diagnosis["checks"] if check["outcome"] == "cleared"}
    assert by_text == {"seccomp", "contiguous_pages", "huge_pages"}, "judged by an error text alone, and there is none"
    assert {check["outcome"] for check in diagnosis["checks"] if check["id"] not in by_text} == {"unknown", "skipped"}


def test_many_hosts_are_grouped_and_one_silent_host_keeps_nobody_waiting(
    triagebook: Triagebook, box: sshd.Server, tmp_path: Path
) -> None:
    with server_that("is silent") as port:
        config = tmp_path / "config"
        config.write_text(f"Host silent\n  Port {port}\n{box.config.read_text().replace('Host box', 'Host box b1 b2 b3')}")
        config.write_text(config.read_text() + "\nHost silent\n  HostName 127.0.0.1\n")
        run = triagebook("diagnose", "b1", "b2", "b3", "silent", "-F", str(config))
    assert run.status == 4
    assert "    1  UNREACHABLE" in run.out
    assert "    3  " in run.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-oProxyCommand=id",), "No such option"),
        (("--", "-oProxyCommand=id"), "is not a host"),
        (("a b",), "is not a host"),
        (("box;id",), "is not a host"),
        (("box", "--runbook", "enomen"), "did you mean 'enomem'?"),
        (("replay:unit-taskmax",), "did you mean 'unit-tasksmax'?"),
        (("box", "--accept-unknown", "max_map"), "did you mean 'max_map_count'?"),
        (("box", "--transport", "telnet"), "one of: ssh, openssh"),
        (("box", "-F", "/nonexistent/config"), "/nonexistent/config"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_exits_2(triagebook: Triagebook, arguments: tuple[str, ...], message: str) -> None:
    run = triagebook("diagnose", *arguments)
    assert run.status == 2, run.out + run.err
    assert message in run.err
    assert "Traceback" not in run.err


def test_a_key_file_others_may_read_is_refused(triagebook: Triagebook, box: sshd.Server, tmp_path: Path) -> None:
    open_key = sshd.make_key(tmp_path / "key")
    open_key.chmod(0o644)
    run = triagebook("diagnose", "box", "-F", config_for(box, tmp_path, identityfile=str(open_key)))
    assert run.status in {2, 4}
    assert str(open_key) in run.out + run.err


def test_save_writes_all_facts_or_nothing(triagebook: Triagebook, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    assert triagebook("diagnose", "replay:unit-tasksmax-now", "-r", "enomem", "--save", str(saved)).status == 1
    content = json.loads(saved.read_text())
    assert [step["pids"]["limited"]["items"][0]["refused"] for step in content["facts"]] == [42, 66]
    jsonschema.validate(content["diagnosis"], SCHEMA)
    run = triagebook("diagnose", "replay:healthy", "--save", str(tmp_path / "none" / "x.json"))
    assert run.status == 2
    assert "cannot write" in run.err
    assert [file.name for file in tmp_path.iterdir()] == ["saved.json"]


@pytest.mark.parametrize(
    ("case", "status"),
    [("healthy", 0), ("unit-tasksmax", 1), ("max-map-count-unreadable", 3), ("pids-near", 6), ("max-map-count-accepted", 0)],
)
def test_the_exit_status_says_how_it_stands(triagebook: Triagebook, case: str, status: int) -> None:
    assert triagebook("diagnose", f"replay:{case}").status == status


def test_for_several_hosts_the_most_serious_status_is_the_exit_status(triagebook: Triagebook) -> None:
    assert triagebook("diagnose", "replay:healthy", "replay:pids-near").status == 6
    assert triagebook("diagnose", "replay:healthy", "replay:pids-near", "replay:unit-tasksmax").status == 1
    assert triagebook("diagnose", "replay:unit-tasksmax", "replay:max-map-count-unreadable").status == 3


def test_colour_is_for_terminals_and_no_color_is_respected(triagebook: Triagebook) -> None:
    assert "\x1b" not in triagebook("diagnose", "replay:unit-tasksmax").out
    script = ["script", "-qec", f"{ROOT}/.venv/bin/triagebook diagnose replay:unit-tasksmax", "/dev/null"]
    if subprocess.run(["sh", "-c", "command -v script"], capture_output=True, check=False).returncode:
        pytest.skip("no script(1) here to make a terminal")
    coloured = subprocess.run(script, capture_output=True, text=True, check=False).stdout
    plain = subprocess.run(
        script, capture_output=True, text=True, check=False, env={"NO_COLOR": "1", "PATH": "/usr/bin:/bin"}
    ).stdout
    assert "\x1b[31" in coloured
    assert "\x1b[31" not in plain


def test_a_name_nobody_knows_is_said_to_be_unknown(triagebook: Triagebook, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  BatchMode yes\n")
    run = triagebook("diagnose", "no-such-host.invalid", "-F", str(config), *ONE)
    (diagnosis,) = run.json()
    assert (run.status, diagnosis["login"]["phase"]) == (4, "resolve")
    assert "no-such-host.invalid" in diagnosis["headline"]


def test_make_diagnose_reaches_a_host_and_its_status_is_for_people(box: sshd.Server) -> None:
    made = subprocess.run(
        ["make", "-s", "diagnose", "HOST=box", f"ARGS=-F {box.config}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert "via ssh" in made.stdout


@pytest.mark.parametrize("transport", ["ssh", "openssh"])
def test_a_key_that_may_start_the_installed_collector_only_is_diagnosed_by_it(
    triagebook: Triagebook, place: sshd.Ground, transport: str
) -> None:
    program = place.folder / "collector"
    program.write_text(installed.source())
    program.chmod(0o755)
    with place.sshd({"ForceCommand": str(program)}, alias="hardened") as box:
        refused = subprocess.run(
            ["ssh", "-F", str(box.config), "hardened", "id"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        assert refused.stdout.startswith(f"triagebook-collector/1 {installed.digest()}\n")
        assert "uid=0(" not in refused.stdout  # what `id` would print
        assert f"({box.user})" not in refused.stdout
        run = triagebook("diagnose", "hardened", "-F", str(box.config), "--transport", transport, *ONE, "--sample", "0.5")
    (diagnosis,) = run.json()
    jsonschema.validate(diagnosis, SCHEMA)
    assert diagnosis["target"]["collector"].split()[0] == "installed"
    assert {check["id"]: check["outcome"] for check in diagnosis["checks"]}["threads_max"] == "cleared"


def test_a_change_is_planned_by_a_key_that_may_start_the_installed_collector_only(place: sshd.Ground) -> None:
    program = place.folder / "collector"
    program.write_text(installed.source())
    program.chmod(0o755)
    reading = process.capture_one(str(os.getpid()))
    with place.sshd({"ForceCommand": str(program)}, alias="hardened") as box:
        transport = SshTransport(config_file=box.config)
        (planned,) = HostCapture(lambda _target: transport).read("hardened", (reading,))
        service = Service(setup.runbooks(setup.settings()), lambda _target: transport)
        diagnosis, looked = ServiceDiagnoser(service).look("hardened", "enomem", (reading,), {})
    assert diagnosis.target.collector.split()[0] == "installed"
    assert isinstance(looked, tuple)
    assert [[one.pid for one in process.parse(text)] for text in (planned, *looked)] == [[os.getpid()]] * 2


def test_a_server_asks_a_host_by_every_runbook_but_those_left_out(box: sshd.Server) -> None:
    transport = SshTransport(config_file=box.config)
    diagnoser = ServiceDiagnoser(Service(setup.runbooks(setup.settings()), lambda _target: transport))
    names = [name.partition("@")[0] for name in diagnoser.runbooks_for("box", {})]
    assert {"enomem", "oom"} <= set(names)
    found = diagnoser.triage("box", {}, ("oom",))
    assert isinstance(found, Triage)
    assert {item.runbook.id for item in found.diagnoses} == set(names) - {"oom"}
