"""The helper killed with -9 before each program it starts.

Never a half-written file, never a second run, always an honest journal.
"""

import fcntl
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.tools.actions.orders import fields_of, undo_of

from tests.hang import GUARD_S
from tests.system.helper import fake_systemctl
from tests.system.helper.fake_systemctl import UNIT
from tests.system.helper.scratch_host import ScratchHost, parsed

PROGRAMS = ("awk", "cat", "chmod", "cmp", "cp", "date", "find", "flock", "grep", "head", "id", "mkdir", "mktemp")
MORE_PROGRAMS = ("mv", "rm", "rmdir", "sed", "sort", "ssh-keygen", "stat", "sync", "tail", "tr", "wc", "systemctl")
WRAPPER = """#!/bin/dash
until [ -s ROOT/pid ]; do :; done
echo >>ROOT/calls
calls=0
while read -r _; do calls=$((calls + 1)); done <ROOT/calls
read -r stop <ROOT/stop
if [ "$calls" -ge "$stop" ] && /bin/mkdir ROOT/stopped 2>/dev/null; then # two of a pipeline count at once
  read -r pid <ROOT/pid
  kill -SIGNAL "$pid"
  AFTERWARDS
fi
exec NAME "$@"
"""
CHANGES = {
    "sysctl live": fields_of("sysctl", ("live", "vm.max_map_count", "65530", "262144")),
    "sysctl persist": fields_of("sysctl", ("persist", "kernel.pid_max", "32768", "32768")),
    "unit persist": fields_of("unit_tasks_max", ("persist", UNIT, "20", "400")),
}
POINTS = (*range(1, 32, 6), *range(32, 200))  # up to the claim nothing can be left behind
STRIPES = 6  # each point of a change is in one of so many cases, which several workers can share
CASES = [  # one of them in `make test`, each change another one
    pytest.param(name, stripe, marks=[] if stripe == 2 * number else [pytest.mark.long])
    for number, name in enumerate(CHANGES)
    for stripe in range(STRIPES)
]
FILES = {
    "etc/sysctl.d/99-zz-triagebook-kernel.pid_max.conf": b"kernel.pid_max = 32768\n",
    f"etc/units/{UNIT}.d/zz-triagebook-TasksMax.conf": b"[Service]\nTasksMax=400\n",
}


class KillableHost(ScratchHost):
    """A host whose programs count their calls and kill the helper at a chosen one."""

    def wrap(self, signal: str = "9", afterwards: str = "exit 1") -> None:
        """Make a counting wrapper for each program the helper starts; `killed_at` puts them in its path."""
        fake_systemctl.install(self)
        fake_systemctl.use(self, 15)
        self.install(PATH=f"{self.root}/armed:{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        for name in (*PROGRAMS, *MORE_PROGRAMS):
            real = str(self.path("bin/systemctl")) if name == "systemctl" else shutil.which(name)
            text = WRAPPER.replace("ROOT", str(self.root)).replace("NAME", str(real))
            self.write(f"traps/{name}", text.replace("SIGNAL", signal).replace("AFTERWARDS", afterwards), 0o755)

    def run_until(self, call: int, data: bytes) -> tuple[int, bytes]:
        """Run the helper, signal it before its n-th program, and wait until what it had started has ended too."""
        self.write("stop", f"{call}\n")
        self.write("calls", "")
        self.write("pid", "")
        self.path("traps").rename(self.path("armed"))
        argv = (*self.shell, str(self.helper))
        last_end, held = pipe_to_inherit()  # what the helper starts has it too, so that it ends with the last of them
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, pass_fds=[held]) as process:
            os.close(held)
            self.write("pid", f"{process.pid}\n")
            stdout, _ = process.communicate(data, timeout=GUARD_S)
        await_end_of_file(last_end)
        self.path("armed").rename(self.path("traps"))
        if self.path("stopped").is_dir():
            self.path("stopped").rmdir()
        for name in ("stop", "calls", "pid"):
            self.path(name).unlink()
        return process.returncode, stdout

    def killed_at(self, call: int, data: bytes) -> bool:
        """Kill -9 before the n-th program; False when the helper had ended before."""
        return self.run_until(call, data)[0] == -9

    def journal(self, order_id: str) -> str:
        """How far an order came, by the helper's journal; no helper holds the lock."""
        answer = self.status(order_id)
        assert answer["running"] == "no"
        return answer["journal"]

    def config(self) -> dict[str, tuple[int, bytes]]:
        """What the helper may change."""
        return {name: value for name, value in self.snapshot().items() if name.split("/")[0] != "traps"}


def pipe_to_inherit() -> tuple[int, int]:
    """A pipe whose writing end has a number that no shell script uses."""
    reading, low = os.pipe()
    writing = fcntl.fcntl(low, fcntl.F_DUPFD, 64)
    os.close(low)
    return reading, writing


def await_end_of_file(pipe: int) -> None:
    """Until no process holds the other end: what a killed helper had started ends a moment later, with the lock."""
    ready, _, _ = select.select([pipe], [], [], GUARD_S)
    assert ready, "a process that the helper had started did not end"
    assert os.read(pipe, 1) == b""
    os.close(pipe)


@pytest.fixture
def killable() -> Iterator[KillableHost]:
    """One host, dash: it is the most impatient of the three."""
    with KillableHost("dash") as host:
        host.wrap()
        yield host


def assert_files_whole(host: KillableHost) -> None:
    """Each file of ours is the whole new one, or not there."""
    for name, content in FILES.items():
        path = host.path(name)
        assert not path.exists() or path.read_bytes() == content, name


@pytest.mark.parametrize(("name", "stripe"), CASES)
def test_killed_at_any_point_of_a_change_the_host_is_whole_and_the_journal_honest(
    killable: KillableHost, name: str, stripe: int
) -> None:
    before, states = killable.config(), []
    for call in POINTS[stripe::STRIPES]:
        order_id = f"{call:032x}"
        order = killable.key.seal(killable.order(CHANGES[name], id=order_id))
        was_killed = killable.killed_at(call, order)
        assert_files_whole(killable)
        state = killable.journal(order_id)
        states.append(state)
        is_changed = without_temporaries(killable.config()) != before
        assert (state, is_changed) not in {("none", True), ("claimed", True), ("applied", False)}, call
        if state != "none":  # claimed: it never runs again
            assert killable.send(order)["reason"] == "replayed", call
        put_back(killable, order_id, state)
        assert killable.config() == before, call
        if not was_killed:
            break
    assert {"none", "claimed", "changing", "applied"} <= set(states), states
    assert call > 50


def put_back(host: KillableHost, order_id: str, state: str) -> None:
    """A signed undo settles whatever was begun; what never began has nothing to undo."""
    answer = host.apply(undo_of(order_id))
    if state in ("none", "claimed"):
        assert answer["reason"] in ("unknown_id", "nothing_to_undo"), answer
    else:
        assert answer["result"] == "undone", answer


def without_temporaries(files: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, bytes]]:
    """Without what never has its final name, and the folder made for it."""
    kept = {name: value for name, value in files.items() if "/.triagebook." not in name}
    used = {str(parent) for name, (_, content) in kept.items() if content for parent in Path(name).parents}
    return {
        name: value for name, value in kept.items() if not name.endswith((".d", "control")) or name in used or "units" not in name
    }


@pytest.mark.parametrize(("name", "stripe"), CASES)
def test_killed_at_any_point_of_an_undo_another_undo_finishes_it(killable: KillableHost, name: str, stripe: int) -> None:
    before = killable.config()
    for call in POINTS[::2][stripe::STRIPES]:
        order_id = f"{call:032x}"
        assert killable.apply(CHANGES[name], id=order_id)["result"] == "applied"
        was_killed = killable.killed_at(call, killable.key.seal(killable.order(undo_of(order_id))))
        assert_files_whole(killable)
        state = killable.journal(order_id)
        assert state in ("applied", "undoing", "undone"), call
        if state != "undone":
            assert killable.apply(undo_of(order_id))["result"] == "undone", call
        assert killable.config() == before, call
        if not was_killed:
            break
    assert call > 50


def test_a_temporary_file_that_a_killed_run_left_is_swept_by_the_next_order(killable: KillableHost) -> None:
    before, call = killable.config(), 0
    while not list(killable.root.glob("etc/*/.triagebook.*.tmp")):
        call += 1
        killable.killed_at(40 + call, killable.key.seal(killable.order(CHANGES["sysctl persist"])))
        assert killable.status()["running"] == "no"
        assert call < 60
    assert killable.apply(undo_of("f" * 32))["reason"] == "unknown_id"  # any order sweeps, even one that is refused
    assert without_temporaries(killable.config()) == before
    assert killable.config() == before


def test_a_connection_cut_after_the_order_was_sent_does_not_stop_it(killable: KillableHost) -> None:
    order = killable.key.seal(killable.order(CHANGES["sysctl live"], id="a" * 32))
    with subprocess.Popen(
        (*killable.shell, str(killable.helper)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(order)
        process.stdin.close()
        process.wait(timeout=GUARD_S)
    assert killable.status("a" * 32)["journal"] == "applied"
    assert killable.sysctl("vm/max_map_count") == "262144"


@pytest.mark.parametrize("calls", [range(47, 120, 6), pytest.param(range(44, 120, 3), marks=pytest.mark.long)], ids=len)
def test_a_terminated_helper_puts_back_what_it_had_begun(calls: range) -> None:
    results = set()
    with KillableHost("dash") as host:
        host.wrap(signal="15", afterwards="")
        before = host.config()
        for call in calls:
            _, stdout = host.run_until(call, host.key.seal(host.order(CHANGES["unit persist"])))
            answer = parsed(stdout)
            assert host.status()["running"] == "no"
            results.add(answer["result"])
            if answer["result"] == "applied":
                assert host.apply(undo_of(answer["id"]))["result"] == "undone"
            assert host.config() == before, (call, answer)
            if answer["result"] == "applied":
                break
    assert results == {"refused", "failed", "applied"}
