"""`-v` and `-vv`: what happens, on standard error, line by line; standard output stays as it was."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from triagebook.bot.cli import app
from triagebook.bot.cli.early_connect import _WITH_VALUE
from triagebook.bot.cli.verbosity import add_option, count_flags
from typer.main import get_command
from typer.testing import CliRunner

from tests import sshd
from tests.command import Triagebook, environment
from tests.hang import GUARD_S

CASE = "replay:unit-tasksmax"
START = "import sys; sys.argv[0] = 'triagebook'; from triagebook.bot.cli.start import main; main()"


def said(text: str) -> list[str]:
    """The lines of a log for a person, without times."""
    return [re.sub(r"^ *\d+\.\d{3} s  |, [\d.]+ ms|\(?[\d.]+ ms\)?|, id=[\w-]+", "", line).rstrip() for line in text.splitlines()]


@pytest.fixture(scope="module")
def triagebook(tmp_path_factory: pytest.TempPathFactory) -> Triagebook:
    return Triagebook(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("words", [("-v", "diagnose"), ("diagnose", "-v"), ("--verbose", "diagnose")])
def test_v_says_what_happens_in_words(triagebook: Triagebook, words: tuple[str, ...]) -> None:
    run = triagebook(*words, CASE)
    quiet = triagebook("diagnose", CASE)
    assert (run.status, run.out.splitlines()[:-1], quiet.err) == (quiet.status, quiet.out.splitlines()[:-1], "")  # the last: ids
    assert said(run.err) == [
        f"{CASE}: The diagnosis begins (runbook=enomem)",
        f"{CASE}: The diagnosis is concluded"
        " (runbook=enomem@1.2.0, status=cause_found, cause=pids_cgroup, strength=certain, samples=1)",
    ]


@pytest.mark.parametrize("words", [("-vv", "diagnose"), ("-v", "diagnose", "-v"), ("diagnose", "--verbose", "-v")])
def test_vv_names_the_events(triagebook: Triagebook, words: tuple[str, ...]) -> None:
    run = triagebook(*words, "--json", CASE)
    assert [line.rpartition("  ")[2] for line in run.err.splitlines()] == ["[diagnosis.started]", "[diagnosis.concluded]"]
    assert [answer["status"] for answer in run.json()] == ["cause_found"]


def test_every_command_takes_the_flag_and_says_so() -> None:
    app.mount(list(app.GROUPS) + list(app.COMMANDS))
    top = get_command(app.app)
    add_option(top)
    stack, count = [top], 0
    while stack:
        command = stack.pop()
        count += 1
        stack += getattr(command, "commands", {}).values()
        assert [name for option in command.params for name in option.opts if name in {"-v", "--verbose"}] == ["--verbose", "-v"]
    assert count > 40


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["diagnose", "web1"], 0),
        (["diagnose", "-v", "web1", "-vv"], 3),
        (["diagnose", "--symptom", "-v", "web1"], 0),
        (["diagnose", "--symptom", "x", "-v"], 1),
        (["diagnose", "--", "-v"], 0),
    ],
)
def test_a_value_of_an_option_is_no_flag(words: list[str], count: int) -> None:
    assert count_flags(words, _WITH_VALUE) == count


def run_with_defect(*words: str) -> subprocess.CompletedProcess[str]:
    code = (
        "from triagebook.bot.cli import app, diagnose\n"
        "def run(options): raise ZeroDivisionError('\\x1b[2Jpassword=hunter2')\n"
        "diagnose.run = run\n"
        "app.main()"
    )
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=GUARD_S)


def test_a_defect_is_one_line_and_status_70() -> None:
    run = run_with_defect("diagnose")
    why = "ZeroDivisionError: \\x1b[2Jpassword=***"
    says = f"triagebook: internal error: {why}; run the command again with -vv and report the output\n"
    assert (run.returncode, run.stdout, run.stderr) == (70, "", says)


def test_vv_shows_the_traceback_of_a_defect() -> None:
    run = run_with_defect("-vv", "diagnose")
    assert run.returncode == 70
    assert "Traceback (most recent call last):" in run.stderr
    assert "in run" in run.stderr
    assert "\x1b" not in run.stderr
    assert "hunter2" not in run.stderr


def test_a_wrong_word_is_still_told_as_before() -> None:
    asked = CliRunner().invoke(app.app, ["diagnose", "--no-such"])
    assert asked.exit_code == 2


PHASES = ["connect", "banner", "kex", "auth", "session"]


@pytest.mark.skipif(bool(sshd.WHY_NOT), reason=str(sshd.WHY_NOT))
@pytest.mark.parametrize("transport", ["ssh", "openssh"])
def test_vv_shows_each_phase_of_a_connection(tmp_path: Path, transport: str) -> None:
    with sshd.ground() as ground, ground.sshd() as server:
        words = ["-vv", "diagnose", "box", "-F", str(server.config), *(["--transport", transport] if transport != "ssh" else [])]
        env = environment(tmp_path, PATH="/usr/sbin:/usr/bin:/sbin:/bin")
        run = subprocess.run(
            [sys.executable, "-c", START, *words], env=env, capture_output=True, text=True, timeout=GUARD_S, check=False
        )
    events = re.findall(r"\[ssh\.(\w+\.\w+)\]", run.stderr)
    assert [event for event in events if event.partition(".")[0] in PHASES] == [
        f"{phase}.{what}" for phase in PHASES for what in ("started", "complete")
    ]
    assert re.search(r"box: The host sent its SSH banner \((server=\"?SSH-2\.0-\S+.*, )?[\d.]+ ms\)", run.stderr)


@pytest.mark.skipif(bool(sshd.WHY_NOT), reason=str(sshd.WHY_NOT))
def test_a_login_that_fails_says_where(tmp_path: Path) -> None:
    with sshd.ground() as ground, ground.sshd() as server:
        config = tmp_path / "config"
        config.write_text(server.config.read_text() + "\n")
        stranger = sshd.make_key(tmp_path / "stranger")
        text = re.sub(r"(?m)^(\s*IdentityFile) .*$", rf"\1 {stranger}", config.read_text())
        config.write_text(text)
        run = Triagebook(tmp_path)("diagnose", "-v", "box", "-F", str(config))
    assert run.status == 4
    failed = [line for line in said(run.err) if line.startswith("box: The login failed")]
    assert len(failed) == 1
    assert "phase=auth, outcome=refused" in failed[0]
