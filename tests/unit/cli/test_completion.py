"""Tab in real shells completes what can be typed: commands, options, hosts, groups, cases, runbooks, checks and fixes."""

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.bot.cli.candidates import CANDIDATES

from tests.command import ROOT, Triagebook
from tests.hang import GUARD_S
from tests.unit.cli.test_help import LEAVES

# Metavars of values that only the person knows, or that the shell completes itself (files).
FREE = {
    "FILE|ID",
    *("ACCOUNT", "CHANNEL", "CULPRIT", "DAYS", "DIGEST", "DIR", "FILE", "FOLDER", "HOST:PORT", "ID", "KEY", "MODE", "N", "NAME"),
    *("NAME=VALUE", "PATH", "PATTERN", "PERCENT", "PERSON", "PID", "REASON", "ROW", "SECONDS", "TEXT", "TIME", "UNIT", "URL"),
    "USER",
}
START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SET_UP = {
    "bash": "source <(triagebook completion bash)",
    "zsh": "autoload -U compinit; compinit -u; source <(triagebook completion zsh)",
    "fish": "triagebook completion fish | source",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with an inventory, and a folder with the program."""
    home = tmp_path_factory.mktemp("home")
    (home / ".config" / "triagebook").mkdir(parents=True)
    (home / ".config" / "triagebook" / "inventory.yaml").write_text(
        "hosts: [web01, web02, db01]\ngroups: {front: [web01, web02]}\n"
    )
    (home / "bin").mkdir()
    program = home / "bin" / "triagebook"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from triagebook.bot.cli.start import main; main()' \"$@\"\n")
    program.chmod(0o755)
    assert Triagebook(home)("runbook", "list").status == 0  # checked runbooks are kept from then on
    return home


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "LANG": "C.UTF-8", "TERM": "dumb", "USER": "ana"}


def offered(home: Path, line: str, **env: str) -> list[str]:
    """What a shell is given for a line; fish's protocol is the plainest."""
    asked = {"_TYPER_COMPLETE_ARGS": line, "_TRIAGEBOOK_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    run = Triagebook(home)(**asked, **env)
    assert (run.status, run.err) == (0, ""), run
    return [text.partition("\t")[0] for text in run.out.splitlines() if text]


class Shell:
    """An interactive shell in a terminal of its own."""

    def __init__(self, name: str, home: Path) -> None:
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.chdir(home)
            os.execvpe(START[name][0], START[name], environment(home))  # noqa: S606 - a fixed argv
        self.pid = pid
        self.type(f"{SET_UP[name]}; echo rea''dy\n")
        self.wait_for("ready")

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def wait_for(self, text: str) -> str:
        seen, until = "", time.monotonic() + GUARD_S
        while text not in seen:
            assert time.monotonic() < until, seen
            if select.select([self.terminal], [], [], 1)[0]:
                seen += os.read(self.terminal, 65536).decode("utf-8", "replace")
        return seen

    def words_after(self, line: str) -> list[str]:
        """Type the line and a tab, then have the shell print the words of the line as it stands then."""
        self.type(f"{line}\t\x01printf '<%s>\\n' \x05; printf '%s%s\\n' en d\n")
        return re.findall(r"^<([^<>\n]*)>", self.wait_for("end").replace("\r", "\n"), re.MULTILINE)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture(scope="module", params=START)
def shell(request: pytest.FixtureRequest, home: Path) -> Iterator[Shell]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    shell = Shell(request.param, home)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("triagebook diag", "triagebook diagnose"),
        ("triagebook diagnose --symp", "triagebook diagnose --symptom"),
        ("triagebook diagnose @fr", "triagebook diagnose @front"),
        ("triagebook diagnose replay:debian-13-max", "triagebook diagnose replay:debian-13-max-map-count"),
        ("triagebook -v runbook show enomem@1.0", "triagebook -v runbook show enomem@1.0.0"),
        ("triagebook diagnose ana@db", "triagebook diagnose ana@db01"),
    ],
)
def test_tab_completes_the_word_in_a_real_shell(shell: Shell, typed: str, completed: str) -> None:
    assert shell.words_after(typed) == completed.split()


def test_a_host_may_be_anything_that_the_help_of_the_argument_says(home: Path) -> None:
    hosts = ["@all", "@front", "db01", "localhost", "replay:", "web01", "web02"]
    assert sorted(offered(home, "triagebook diagnose ")) == hosts
    assert sorted(offered(home, "triagebook host drift ")) == [name for name in hosts if name not in ("localhost", "replay:")]
    assert offered(home, "triagebook host list fr") == ["front"]


def test_cases_and_checks_are_those_of_the_runbook_already_named(home: Path) -> None:
    cases = {f"replay:{file.stem}" for file in (ROOT / "runbooks" / "enomem" / "1.0.0" / "cases").glob("*.yaml")}
    assert set(offered(home, "triagebook diagnose -r enomem@1.0.0 replay:")) == cases
    assert "max_map_count" in offered(home, "triagebook diagnose --accept-unknown ")


def test_fixes_come_from_the_server_none_that_a_shell_would_run_and_quietly_none_without_one(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    assert offered(home, "triagebook fix approve ", TRIAGEBOOK_SOCKET=str(path)) == []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        fixes = [{"id": fix, "state": "proposed", "host": "web01"} for fix in ("F-7K2M9QXB", "$(reboot)", "a;b")]  # it lies
        answer = threading.Thread(target=answer_once, args=(listening, {"ok": True, "answer": fixes}))
        answer.start()
        assert offered(home, "triagebook fix approve ", TRIAGEBOOK_SOCKET=str(path)) == ["F-7K2M9QXB"]
        answer.join()


def answer_once(listening: socket.socket, answer: object) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(json.dumps(answer).encode() + b"\n")


def test_what_takes_too_long_offers_nothing_and_ends(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()  # and never answers
        assert offered(home, "triagebook fix show ", TRIAGEBOOK_SOCKET=str(path)) == []


def test_every_value_is_one_that_is_completed_or_that_only_the_person_knows() -> None:
    for path, command in LEAVES.items():
        for parameter in command.params:
            if parameter.param_type_name == "argument" or not (parameter.is_flag or parameter.count):
                metavar = (parameter.metavar or "").strip("[]. ")
                assert metavar in {*CANDIDATES, *FREE}, f"{' '.join(path)} {parameter.opts}: {parameter.metavar}"


def test_an_unknown_shell_is_refused_with_those_that_there_are(home: Path) -> None:
    run = Triagebook(home)("completion", "tcsh")
    assert (run.status, run.out) == (2, "")
    assert "bash, fish, zsh" in run.err
