"""Changes of real processes of this machine: raised and put back; a number that passed to another is left alone."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from triagebook.tools.actions import process
from triagebook.tools.actions.orders import OrderedChange, fields_of, undo_of
from triagebook.tools.actions.process import RunningProcess

from tests.system.helper.scratch_host import ScratchHost

UID = 54_000_000 + os.getpid()  # nobody has it: other processes of tests have theirs
CAP_SYS_RESOURCE = 24
CAPABILITIES = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
needs_resource = pytest.mark.skipif(
    not CAPABILITIES >> CAP_SYS_RESOURCE & 1, reason="this root lacks CAP_SYS_RESOURCE; the lab's has it"
)


@pytest.fixture
def real(host: ScratchHost) -> ScratchHost:
    """A scratch host with this machine's processes."""
    host.install(PROC="/proc")
    return host


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of a user of its own, with a low limit."""
    argv = (
        "prlimit",
        "--nproc=30:60",
        "--as=300000000:400000000",
        "setpriv",
        f"--reuid={UID}",
        "--clear-groups",
        "sleep",
        "600",
    )
    with subprocess.Popen(argv) as sleeping:
        while "sleep" not in Path(f"/proc/{sleeping.pid}/comm").read_text():
            pass
        yield sleeping
        sleeping.kill()


def read(pid: int) -> RunningProcess:
    """As the diagnosing account reads it."""
    done = subprocess.run(process.capture_one(str(pid)).argv, capture_output=True, text=True, check=True)
    return process.parse(done.stdout)[0]


def limit(pid: int, resource: str, value: int, **other: str) -> OrderedChange:
    """An order for one process as it is, but for what is changed."""
    found = read(pid)
    fields = {
        "pid": str(pid),
        "start": str(found.start),
        "uid": str(found.uid),
        "before": found.limits[resource],
    } | other
    return fields_of(
        "process_limit", ("live", fields["pid"], fields["start"], fields["uid"], resource, fields["before"], str(value))
    )


def write_id(host: ScratchHost) -> None:
    """A user `shop` on that host."""
    host.write("bin/id", f'#!/bin/sh\n[ "$*" != "-u shop" ] || {{ echo {UID}; exit; }}\nexec /usr/bin/id "$@"\n', 0o755)


def send(host: ScratchHost, change: OrderedChange) -> dict[str, str]:
    """With the boot id of this machine."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return host.apply(change, boot=boot)


@needs_resource
def test_the_address_space_of_a_process_is_raised_and_put_back(real: ScratchHost, sleeper: subprocess.Popen[bytes]) -> None:
    answer = send(real, limit(sleeper.pid, "as", 350000000))
    assert (answer["result"], answer["before"], answer["after"]) == (
        "applied",
        "300000000:400000000",
        "350000000:400000000",
    )
    assert send(real, undo_of(answer["id"]))["result"] == "undone"
    assert read(sleeper.pid).limits["as"] == "300000000:400000000"


@needs_resource
def test_the_hard_limit_rises_only_when_it_must(real: ScratchHost, sleeper: subprocess.Popen[bytes]) -> None:
    assert send(real, limit(sleeper.pid, "nproc", 200))["after"] == "200:200"


def test_another_process_under_the_same_number_is_left_alone(real: ScratchHost, sleeper: subprocess.Popen[bytes]) -> None:
    before = read(sleeper.pid)
    assert send(real, limit(sleeper.pid, "nproc", 50, start="1"))["reason"] == "process_gone"
    assert send(real, limit(sleeper.pid, "nproc", 50, uid="0"))["reason"] == "process_changed"
    assert send(real, limit(sleeper.pid, "nproc", 50, before="31:60"))["reason"] == "changed"
    assert send(real, limit(sleeper.pid, "nproc", 30))["detail"] == "not_higher"
    assert replace(read(sleeper.pid), state=before.state) == before  # it may be asleep or about to be


@needs_resource
def test_a_limit_below_present_use_is_undo_unsafe(real: ScratchHost, sleeper: subprocess.Popen[bytes]) -> None:
    answer = send(real, limit(sleeper.pid, "nproc", 200))
    others = [subprocess.Popen(("setpriv", f"--reuid={UID}", "--clear-groups", "sleep", "600")) for _ in range(30)]
    try:
        for other in others:
            while "sleep" not in Path(f"/proc/{other.pid}/comm").read_text():
                pass
        refused = send(real, undo_of(answer["id"]))
        assert (refused["reason"], refused["detail"]) == ("undo_unsafe", "in use 31")
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert send(real, undo_of(answer["id"]))["result"] == "undone"


@needs_resource
def test_running_processes_of_a_user_are_raised_together(real: ScratchHost, sleeper: subprocess.Popen[bytes]) -> None:
    write_id(real)
    found = read(sleeper.pid)
    gone = f"{sleeper.pid}:1:30:60"  # another start time: it has ended, and is left out
    listed = f"{gone},{sleeper.pid}:{found.start}:30:60"
    answer = send(real, fields_of("user_nproc", ("live", "shop", str(UID), listed, "none", "200")))
    assert (answer["result"], answer["after"]) == ("applied", f"{sleeper.pid}:{found.start}:200:200")
    assert send(real, undo_of(answer["id"]))["after"] == f"{sleeper.pid}:{found.start}:30:60"


def test_other_processes_than_the_running_ones_of_that_user_are_refused(
    real: ScratchHost, sleeper: subprocess.Popen[bytes]
) -> None:
    write_id(real)
    found, own = read(sleeper.pid), read(os.getpid())
    gone, listed = f"{sleeper.pid}:1:30:60", f"{sleeper.pid}:{found.start}:30:60"
    half = int(Path("/proc/sys/kernel/threads-max").read_text()) // 2
    for change, reason, detail in (
        (("live", "shop", "0", listed, "none", "200"), "exempt", ""),
        (("live", "other", str(UID), listed, "none", "200"), "other_user", ""),
        (("live", "shop", str(UID), gone, "none", "200"), "process_gone", ""),
        (("live", "shop", str(UID), listed, "none", "1"), "out_of_bounds", "below_use"),
        (("live", "shop", str(UID), listed, "none", str(half + 1)), "out_of_bounds", "half_of_threads_max"),
        (("live", "shop", str(UID), listed, "none", "30"), "out_of_bounds", "not_higher"),
        (("live", "shop", str(UID), f"{sleeper.pid}:{found.start}:31:60", "none", "200"), "changed", str(sleeper.pid)),
        (
            ("live", "shop", str(UID), f"{own.pid}:{own.start}:{own.limits['nproc']}", "none", "200"),
            "process_changed",
            str(own.pid),
        ),
        (("live", "shop", str(UID), "none", "none", "200"), "order_value", "processes"),
        (("live", "shop", str(UID), f"{sleeper.pid}:x:30:60", "none", "200"), "order_value", "processes"),
        (("live", "shop", str(UID), f"1:{found.start}:30:60", "none", "200"), "order_value", "processes"),
        (("live", "shop", str(UID), ",".join([listed] * 33), "none", "200"), "order_value", "processes"),
    ):
        answer = send(real, fields_of("user_nproc", change))
        assert (answer["result"], answer["reason"], answer["detail"]) == ("refused", reason, detail), change


def test_a_users_limit_for_new_logins_is_a_file_of_our_own(host: ScratchHost) -> None:
    write_id(host)
    before, change = host.snapshot(), fields_of("user_nproc", ("persist", "shop", str(UID), "none", "30:60", "200"))
    answer = host.apply(change)
    assert host.path("etc/limits.d/zz-triagebook-shop.conf").read_text() == "shop soft nproc 200\nshop hard nproc 200\n"
    assert host.apply(undo_of(answer["id"]))["result"] == "undone"
    assert host.snapshot() == before
    host.write("etc/limits.d/zzz.conf", "shop soft nproc 30\n")
    assert host.apply(change)["reason"] == "overridden"
    host.path("etc/limits.d/zzz.conf").unlink()
    host.write(f"cgroup/user.slice/user-{UID}.slice/pids.max", "150\n")
    assert host.apply(change)["detail"] == "user_slice"
    host.path("etc/pam.d/sshd").write_text("session required pam_unix.so\n")
    host.path(f"cgroup/user.slice/user-{UID}.slice/pids.max").write_text("max\n")
    assert host.apply(change)["reason"] == "no_pam_limits"


def test_a_process_is_asked_to_end_before_it_is_killed(real: ScratchHost, sleeper: subprocess.Popen[bytes]) -> None:
    start = str(read(sleeper.pid).start)
    kill = fields_of("process_signal", ("live", str(sleeper.pid), start, str(UID), "KILL"))
    assert send(real, kill)["reason"] == "term_first"
    os.kill(sleeper.pid, signal.SIGSTOP)  # so that the TERM has to wait
    asked = send(real, fields_of("process_signal", ("live", str(sleeper.pid), start, str(UID), "TERM")))
    assert (asked["result"], asked["after"]) == ("applied", "alive")
    killed = send(real, kill)
    assert (killed["result"], killed["after"]) == ("applied", "gone")
    assert sleeper.wait() == -signal.SIGKILL
    assert send(real, undo_of(killed["id"]))["reason"] == "no_undo"


def test_the_helpers_own_ancestors_and_the_first_process_are_protected(real: ScratchHost) -> None:
    own = read(os.getpid())
    signal_own = fields_of("process_signal", ("live", str(own.pid), str(own.start), str(own.uid), "TERM"))
    assert send(real, signal_own)["reason"] == "protected"
    first = read(1)
    assert send(real, fields_of("process_signal", ("live", "1", str(first.start), "0", "TERM")))["reason"] == "protected"


def test_a_zombie_is_refused_with_its_parents_number(real: ScratchHost) -> None:
    with subprocess.Popen(("true",)) as ended:
        while " Z " not in Path(f"/proc/{ended.pid}/stat").read_text():
            pass
        start = Path(f"/proc/{ended.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        answer = send(real, fields_of("process_signal", ("live", str(ended.pid), start, "0", "TERM")))
        assert (answer["reason"], answer["detail"]) == ("zombie", f"parent {os.getpid()}")


def test_where_the_kernel_refuses_it_to_root_nothing_is_changed(real: ScratchHost, sleeper: subprocess.Popen[bytes]) -> None:
    write_id(real)
    real.shell = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", *real.shell)
    before = read(sleeper.pid)
    answers = [send(real, limit(sleeper.pid, "nproc", 200))]
    listed = f"{sleeper.pid}:{before.start}:30:60"
    answers.append(send(real, fields_of("user_nproc", ("live", "shop", str(UID), listed, "none", "200"))))
    assert [(one["result"], one["reason"], one["journal"]) for one in answers] == [("failed", "not_applied", "restored")] * 2
    assert replace(read(sleeper.pid), state=before.state) == before  # it may be asleep or about to be
