"""Whatever standard output is, a command ends with a sentence and a status that is none of a diagnosis."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from triagebook.bot.cli import extras
from triagebook.bot.cli.extras import install_advice, install_command

from tests.command import Triagebook, environment

MAIN = "from triagebook.bot.cli.app import main; main()"
CASE = ("diagnose", "replay:unit-tasksmax")


def shell(line: str, tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which "$@" is triagebook."""
    command = ["/bin/bash", "-c", line, "bash", sys.executable, "-c", MAIN]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(tmp_path, **env), errors="replace")


@pytest.mark.parametrize("to", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("words", ["diagnose replay:unit-tasksmax", "runbook list"])
def test_an_output_that_is_full_or_closed_is_said_and_is_no_verdict(words: str, to: str, tmp_path: Path) -> None:
    done = shell(f'"$@" {words} {to}', tmp_path)
    assert done.returncode == 74
    assert done.stderr.startswith("triagebook: standard output cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_verdict(tmp_path: Path) -> None:
    done = shell('"$@" runbook show enomem | true; exit ${PIPESTATUS[0]}', tmp_path)
    assert (done.returncode in {0, 141}, done.stderr) == (True, "")  # 0: all of it fitted into the pipe


@pytest.mark.parametrize("encoding", ["ascii", "euc_jp", "latin-1"])
def test_what_an_encoding_lacks_is_printed_as_an_escape(encoding: str, tmp_path: Path) -> None:
    triagebook = Triagebook(tmp_path)
    usual, other = triagebook(*CASE), triagebook(*CASE, PYTHONIOENCODING=encoding)
    assert (other.status, other.err) == (usual.status, "")
    assert other.out.splitlines()[:-1] == usual.out.splitlines()[:-1]
    said = triagebook("diagnose", "\u0e01", PYTHONIOENCODING=encoding)  # in none of the three
    assert (said.status, said.err.split(" is not")[0]) == (2, "triagebook: '\\u0e01'")


@pytest.mark.parametrize(
    ("module", "words", "what"),
    [
        ("anyio", ("mcp",), "the MCP server"),
        ("slack_bolt", ("slack", "manifest"), "the Slack face"),
        ("slack_sdk", ("slack", "check"), "the Slack face"),
        ("mcp", ("serve", "--mcp", "127.0.0.1:0"), "the MCP server"),
        ("psycopg", ("serve", "--database", "postgresql://nobody@127.0.0.1:1/none"), "the driver for PostgreSQL"),
    ],
)
def test_what_is_not_installed_is_said_with_the_command_that_installs_it(
    module: str, words: tuple[str, ...], what: str, tmp_path: Path
) -> None:
    here = f"import sys; sys.modules[{module!r}] = None\n{MAIN}"
    (tmp_path / "data").mkdir(mode=0o700)
    data = ("--data", str(tmp_path / "data"), "--socket", str(tmp_path / "socket")) if words[0] == "serve" else ()
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    done = subprocess.run([sys.executable, "-c", here, *words, *data], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"triagebook: {what} is not installed (no module {module!r}). Install it with: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/ann/.local/share/pipx/venvs/triagebook", "pipx install --force '/src/triagebook[mcp]'"),
        ("/home/ann/.local/share/uv/tools/triagebook", "uv tool install --force '/src/triagebook[mcp]'"),
        ("/opt/triagebook-serve", f"{sys.executable} -m pip install '/src/triagebook[mcp]'"),
    ],
)
def test_the_command_fits_how_it_was_installed(prefix: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(extras, "_source", lambda: "/src/triagebook")
    assert install_command("mcp") == command
    assert install_advice("sqlalchemy") == ""


@pytest.mark.parametrize(
    "words", [("policy", "check", "--file", "/nonexistent"), ("audit", "verify", "--checkpoint", "/nonexistent")]
)
def test_a_file_that_is_not_there_is_said(words: tuple[str, ...], tmp_path: Path) -> None:
    run = Triagebook(tmp_path)(*words)
    assert (run.status, run.err, run.out) == (4, "triagebook: /nonexistent: No such file or directory\n", "")
