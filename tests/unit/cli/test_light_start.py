"""What a start costs: the heavy modules it does not import, and its CPU beside that of a bare Python in the same minute."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sshd
from tests.command import Triagebook, environment

START = "from triagebook.bot.cli.start import main; main()"
SHOW = "import atexit, sys; path = sys.argv.pop(1); atexit.register(lambda: open(path, 'w').write(' '.join(sys.modules)))"
NEVER = {"pydantic", "pydantic_core", "ruamel", "sqlalchemy", "rich", "invoke", "cel.cli", "prompt_toolkit", "asyncio", "yaml"}
NOT_FOR_HELP = {
    "jinja2",
    "cel",
    "paramiko",
    "cryptography",
    "triagebook.tools.diagnosis.service",
    "triagebook.runbooks.engine.model",
}
NOT_FOR_LOCAL = {"paramiko", "cryptography", "nacl", "concurrent.futures", "triagebook.tools.ssh.transport"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder where triagebook has run once, so that the runbook is cached."""
    home = tmp_path_factory.mktemp("home")
    Triagebook(home)("diagnose")
    return home


@pytest.fixture(scope="module")
def config() -> Iterator[Path]:
    if sshd.WHY_NOT:
        pytest.skip(sshd.WHY_NOT)
    with sshd.ground() as ground, ground.sshd() as server:
        yield server.config


def start(home: Path, code: str, *arguments: str) -> float:
    """CPU seconds of one run. The exit status says only that it got to its end."""
    env = environment(home)  # bytecode is kept, as where it is installed
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=env, **quiet)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in {0, 1, 3, 6}
    return usage.ru_utime + usage.ru_stime


def imported(home: Path, *arguments: str) -> set[str]:
    shown = home / "modules"
    start(home, f"{SHOW}; {START}", str(shown), *arguments)
    modules = set(shown.read_text().split())
    assert "triagebook.bot.cli.app" in modules
    return modules


def test_help_imports_only_what_parses_the_command_line(home: Path) -> None:
    assert not imported(home, "--help") & (NEVER | NOT_FOR_HELP)


def test_a_diagnosis_of_this_machine_imports_nothing_of_ssh_nor_of_the_schema(home: Path) -> None:
    modules = imported(home, "diagnose")
    assert "triagebook.runbooks.engine.conclude" in modules
    assert not modules & (NEVER | NOT_FOR_LOCAL)


def test_a_diagnosis_over_ssh_imports_nothing_of_the_schema_nor_paramiko(home: Path, config: Path) -> None:
    modules = imported(home, "diagnose", "box", "-F", str(config))
    assert {"cryptography", "triagebook.runbooks.engine.conclude"} <= modules
    assert not modules & (NEVER | {"paramiko"})


@pytest.mark.parametrize(("arguments", "times"), [(("--help",), 6), (("diagnose",), 16)])
def test_a_start_costs_no_more_than_so_many_bare_pythons(home: Path, arguments: tuple[str, ...], times: int) -> None:
    """Twice what was measured, in CPU time, and the least of several in turn: a busy machine is no reason to fail."""
    pairs = [(start(home, "pass"), start(home, START, *arguments)) for _ in range(5)]
    bare, ours = (min(costs) for costs in zip(*pairs, strict=True))
    assert ours <= times * bare, f"{ours * 1000:.0f} ms, a bare Python {bare * 1000:.0f} ms"
