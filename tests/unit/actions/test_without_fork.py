"""On a host that can start no program, what a person is told to type are builtins of the shell, and they run."""

import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.tools.actions.without_fork import (
    CONSOLE_LINES,
    LOOK,
    PROGRAM,
    SSH_UNIT_LINE,
    console_lines,
    is_out_of_tasks,
    without_fork,
)
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.base import Login, LoginFailed
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG


@pytest.mark.parametrize(
    ("facts", "is_out"),
    [
        ({"threads_room": 0, "pid_room": 4000}, True),
        ({"threads_room": 90000, "pid_room": 3}, True),
        ({"threads_room": 90000, "pid_room": 4000}, False),
        ({"threads_room": Unreadable("denied"), "pid_room": Unreadable("denied")}, False),
        ({}, False),
    ],
)
def test_a_host_is_out_of_tasks_by_either_ceiling(facts: dict[str, object], is_out: bool) -> None:
    assert is_out_of_tasks({"kernel": SimpleNamespace(**facts)}) is is_out


@pytest.mark.parametrize("case", ["pid-max-full", "pid-max-almost", "threads-max-full", "threads-max-almost"])
def test_at_the_ceiling_the_change_by_hand_and_its_undo_start_no_program(case: str) -> None:
    found = (
        Service(CATALOG, lambda _target: LocalTransport()).diagnose(Question(parse_target(f"replay:{case}"), "enomem")).diagnosis
    )
    assert found.remediations
    for offer in found.remediations:
        for line in (*offer.commands, *offer.undo_commands):
            assert line.split()[0] in {"echo", "kill"}, line


def test_a_change_that_only_a_program_can_make_says_so_on_a_line_of_its_own() -> None:
    argv = ("systemctl", "set-property", "--runtime", "x.service", "TasksMax=9")
    assert without_fork([argv, ("sysctl", "-w", "vm.overcommit_memory=0")]) == (
        PROGRAM,
        shlex.join(argv),
        "echo 0 > /proc/sys/vm/overcommit_memory",
    )
    assert PROGRAM.startswith("#")  # it can be pasted with the rest


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("line", [*CONSOLE_LINES.values(), LOOK, SSH_UNIT_LINE])
def test_a_line_for_the_console_runs_without_any_program(shell: str, line: str, tmp_path: Path) -> None:
    moved = line.replace("/proc/sys/", f"{tmp_path}/").replace("/sys/fs/cgroup/system.slice/", f"{tmp_path}/")
    for name in ("kernel/pid_max", "kernel/threads-max", "vm/overcommit_memory", "ssh.service/pids.max"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("2000\n")
    done = subprocess.run([f"/bin/{shell}", "-c", moved], env={"PATH": "/nonexistent"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    changed = {file.name: text for file in tmp_path.glob("*/*") if (text := file.read_text()) != "2000\n"}
    assert changed == (
        {}
        if line == LOOK
        else {"pids.max": "max\n"}
        if line == SSH_UNIT_LINE
        else {"pid_max": "4194304\n"}
        if "pid_max" in line
        else {"threads-max": "4000\n"}
        if "threads-max" in line
        else {"overcommit_memory": "0\n"}
    )


class _NoBanner:
    def launch(self, host: str, argv: object, *, cap_bytes: int = 0) -> object:
        raise LoginFailed(Login("banner", "no_banner", "closed before SSH began"))


def test_a_host_that_gives_no_session_is_answered_with_what_to_type_at_its_console() -> None:
    service = Service(CATALOG, lambda _target: _NoBanner())  # type: ignore[arg-type,return-value]
    found = service.diagnose(Question(parse_target("web01"), "enomem@1.1.0")).diagnosis
    assert found.status == "unreachable"
    said = "\n".join(found.next)
    for line in (LOOK, SSH_UNIT_LINE, *CONSOLE_LINES.values()):
        assert f"`{line}`" in said
    assert found.remediations == ()  # nothing was judged, so nothing can be proposed


def test_a_failed_login_that_no_line_helps_says_nothing_of_a_console() -> None:
    assert console_lines(CATALOG.load("enomem"), ("memory_shortage",)) == ()
