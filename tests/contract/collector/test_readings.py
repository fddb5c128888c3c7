"""What a change is planned from: read by a program, or asked of the installed collector by a pace line. The same either way."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.errors import PlanError, UsageError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.tools.actions import process
from triagebook.tools.collector import collect, installed
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.execute.capture import HostCapture

SHELLS = (("dash",), ("bash", "--posix"), ("busybox", "sh"))
OURS = HostReading("process", (str(os.getpid()),))
READINGS = (OURS, HostReading("sysctl", ("vm/overcommit_ratio", "vm/overcommit_kbytes")), HostReading("folder", ("/",)))


@pytest.fixture
def hardened(tmp_path: Path, tools: Any, awk: str) -> Callable[..., Any]:
    """A host whose account runs the installed collector with that awk, whatever is asked for; or another text."""

    def made(text: str = "") -> Any:
        program = tmp_path / "collector"
        program.write_text(text or installed.source(awk=awk))
        program.chmod(0o755)
        return tools.transport(tools.session([(str(program),)]))

    return made


def test_the_installed_collector_reads_what_a_program_would(hardened: Callable[..., Any], tools: Any) -> None:
    collection = collect.start(hardened(), "anywhere", tools.kinds)
    plain = collect.start(tools.transport(), "anywhere", tools.kinds)
    assert collection.cost.collector == "installed"
    for reading in READINGS:
        found, wanted = collection.look(reading, 10), plain.look(reading, 10)
        assert isinstance(found, collect.Output)
        assert isinstance(wanted, collect.Output)
        assert (meant(found.stdout), found.exit.status) == (meant(wanted.stdout), 0)
    user = collection.look(process.capture_user(str(os.getuid())), 10)
    assert isinstance(user, collect.Output)
    assert os.getpid() in {one.pid for one in process.parse(user.stdout)}
    collection.take_sample([1])  # and goes on with samples
    assert [sample.is_complete for sample in collection.samples] == [True, True]


def meant(text: str) -> object:
    """What does not change from one moment to the next: of a process who it is and its limits, of a disk which it is."""
    if text.startswith("Name:"):
        return [(one.pid, one.comm, one.start, one.limits) for one in process.parse(text)]
    return [line.split()[:3] for line in text.splitlines()]


def test_a_plan_is_captured_through_the_installed_collector(hardened: Callable[..., Any]) -> None:
    capture = HostCapture(lambda _target: hardened())
    (text,) = capture.read("anywhere", (OURS,))
    assert [one.pid for one in process.parse(text)] == [os.getpid()]
    with pytest.raises(PlanError, match="reading the process failed"):
        capture.read("anywhere", (HostReading("process", ("0",)),))


def test_a_collector_that_knows_no_readings_is_named(hardened: Callable[..., Any]) -> None:
    older = "#!/bin/sh\necho triagebook-collector/1 " + "0" * 64 + "\nprintf '\\ntriagebook/1 0123456789ab\\n'; cat >/dev/null\n"
    with pytest.raises(PlanError, match="install it anew"):
        HostCapture(lambda _target: hardened(older)).read("anywhere", (OURS,))


def test_nothing_else_is_read_for_a_pace_line(hardened: Callable[..., Any], tmp_path: Path, tools: Any) -> None:
    """Whoever holds the key writes what he likes: no file of his choice, no option, no command."""
    made = tmp_path / "made"
    lines = (
        "read process 1/../../etc/passwd#", "read process self/environ", "read folder --help", "read folder x",
        "read sysctl kernel/core_pattern", "read sysctl ../../etc/passwd", "read unit -H=root@other",
        "read unit a/b", "read user", "read folder /$HOME",
        f"read unit $(touch {made})", f"read unit a;touch {made}", f"read unit ';touch {made};'", "read", "read nothing", "read  ",
    )  # fmt: skip
    session = hardened().launch("anywhere", ())
    for line in lines:
        session.write(f"{line}\n".encode())
    said, _ = session.popen.communicate()
    assert re.findall(r"(?m)^[0-9a-f]{12}\tread\t.*$", said.decode()) == []
    assert set(re.findall(r"(?m)^[0-9a-f]{12}\tdone\t([0-9]*)\t.*$", said.decode())) == {"2"}
    assert not made.exists()


@pytest.mark.parametrize("subject", ["-x.service", "a b", "a'b", "../x", "a\nb", "", "é"])
def test_what_the_host_would_refuse_is_never_asked(subject: str) -> None:
    with pytest.raises(UsageError):
        HostReading("unit", (subject,))


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_every_shell_reads_the_same(shell: tuple[str, ...]) -> None:
    for reading in (*READINGS, process.capture_user(str(os.getuid()))):
        printed = [
            subprocess.run(argv, capture_output=True, text=True, check=True).stdout
            for argv in (reading.argv, (*shell, *reading.argv[1:]))
        ]
        assert len(printed[1].splitlines()) > 0
        if reading in READINGS:
            assert meant(printed[0]) == meant(printed[1])


def test_a_late_answer_is_not_taken_for_another_ones(hardened: Callable[..., Any]) -> None:
    collection = collect.start(hardened(), "anywhere", ("meminfo",))
    assert isinstance(collection.look(READINGS[1], 0), Unreadable)
    late = collection.look(OURS, 10)
    assert isinstance(late, Unreadable)
    assert "did not read it" in late.reason


def test_two_thousand_processes_of_a_user_are_read(hardened: Callable[..., Any], tmp_path: Path) -> None:
    """Half a kilobyte each: more than a sample may be."""
    many = "awk 'BEGIN { for (i = 0; i < 16000; i++) printf \"%060d\\n\", i }'"
    crowded = installed.source().replace("    cd /proc || exit 1\n", f"    {many}; exit\n")
    reading = process.capture_user("0")
    found = collect.start(hardened(crowded), "anywhere", ("meminfo",)).look(reading, 30)
    assert isinstance(found, collect.Output)
    assert (len(found.stdout.splitlines()), found.exit.status) == (16000, 0)
    assert HostCapture(lambda _target: hardened(crowded)).read("anywhere", (reading,)) == (found.stdout,)


def test_an_answer_that_does_not_come_is_unreadable(hardened: Callable[..., Any]) -> None:
    deaf = installed.source().replace("read ", "hear ")
    collection = collect.start(hardened(deaf), "anywhere", ("meminfo",))
    found = collection.look(OURS, 0.3)
    assert isinstance(found, Unreadable)
    assert "did not read it: no complete answer within 0.3 s" in found.reason


def test_the_installed_program_passes_shellcheck(tmp_path: Path) -> None:
    program = tmp_path / "collector"
    program.write_text(installed.source())
    subprocess.run(("shellcheck", "--shell=sh", str(program)), check=True)
