"""What systemctl and journalctl say: fixed argv, and output in which nothing is taken for a fact that is none."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes import fd_counts, inotify_use, kernel_log, unit_settings
from triagebook.runbooks.probes.kernel_log import KernelLog

SSH = """Id=ssh.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
ExecMainStatus=0
NRestarts=0
MainPID=412
TasksMax=1137
TasksCurrent=1
LimitNPROC=3790
LimitAS=infinity
Slice=system.slice
User=
DropInPaths=/etc/systemd/system/ssh.service.d/a.conf /run/systemd/b.conf
FragmentPath=/lib/systemd/system/ssh.service
"""


def test_the_unit_is_one_word_behind_two_dashes() -> None:
    argv = unit_settings.command("dev-disk-by\\x2dlabel-x.swap")
    assert argv[:3] == ("systemctl", "show", "--no-pager")
    assert argv[-2:] == ("--", "dev-disk-by\\x2dlabel-x.swap")


@pytest.mark.parametrize(
    "unit",
    [
        "",
        "-.slice",
        "--help.service",
        "a b.service",
        "a.service\nb.service",
        "a;b.service",
        "$(x).service",
        "a.timer",
        "a/b.service",
    ],
)
def test_what_is_no_unit_name_is_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="not the name of a systemd unit"):
        unit_settings.command(unit)


def test_a_loaded_unit() -> None:
    facts = unit_settings.parse(SSH)
    assert isinstance(facts, unit_settings.UnitSettings)
    assert (facts.unit, facts.tasks_max, facts.tasks_current, facts.limit_nproc) == ("ssh.service", 1137, 1, 3790)
    assert facts.limit_as_bytes == Unreadable("not limited")
    assert facts.effective_tasks_max == facts.user == Unreadable("not set")
    assert facts.drop_in_paths == ("/etc/systemd/system/ssh.service.d/a.conf", "/run/systemd/b.conf")


def test_an_unknown_unit_has_no_limit_although_systemd_prints_a_default() -> None:
    facts = unit_settings.parse("Id=no.service\nLoadState=not-found\nActiveState=inactive\nTasksMax=1137\n")
    assert isinstance(facts, unit_settings.UnitSettings)
    assert (facts.load_state, facts.tasks_max) == ("not-found", Unreadable("the unit is not-found"))


def test_no_limit_and_not_set_are_told_apart_in_old_and_new_words() -> None:
    for unlimited in ("infinity", "18446744073709551615"):
        facts = unit_settings.parse(f"LoadState=loaded\nTasksMax={unlimited}\nTasksCurrent=[not set]\n")
        assert isinstance(facts, unit_settings.UnitSettings)
        assert (facts.tasks_max, facts.tasks_current) == (Unreadable("not limited"), Unreadable("not set"))
    facts = unit_settings.parse("LoadState=loaded\nTasksCurrent=18446744073709551615\n")
    assert isinstance(facts, unit_settings.UnitSettings)
    assert facts.tasks_current == Unreadable("not set")


def test_no_systemd_is_unreadable() -> None:
    words = "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
    assert unit_settings.parse(words) == unit_settings.parse("") == Unreadable("systemctl showed no unit")


JOURNAL = """2026-07-31T10:00:00+0000 db01 kernel: Linux version 6.1.0-42-amd64 (debian-kernel@lists.debian.org)
2026-07-31T10:05:01+0000 db01 kernel: cgroup: fork rejected by pids controller in /system.slice/web.service
2026-07-31T10:06:01+0000 db01 kernel: __vm_enough_memory: pid: 520, comm: evil\x1b[2J no, no enough memory for the allocation
2026-07-31T10:06:02+0000 db01 kernel: __vm_enough_memory: pid: 520, comm: x, bytes: 8192 not enough memory for the allocation
2026-07-31T10:07:00+0000 db01 kernel: mmap: t (520): VmData 105033728 exceed data ulimit 102400000.
2026-07-31T10:08:00+0000 db01 kernel: java: page allocation failure: order:4, mode:0x40dc0(GFP_KERNEL|__GFP_COMP|__GFP_ZERO)
2026-07-31T10:09:00+0000 db01 kernel: Memory cgroup out of memory: Killed process 812 (java) total-vm:1kB
2026-07-31T10:09:01+0000 db01 kernel: Out of memory: Killed process 813 (java) total-vm:1kB
"""


def test_events_are_counted_by_sort() -> None:
    facts = kernel_log.parse(JOURNAL)
    assert isinstance(facts, KernelLog)
    counts = (facts.forks_rejected, facts.commits_refused, facts.data_limits_exceeded, facts.page_allocations_failed)
    assert (*counts, facts.oom_kills) == (1, 2, 1, 1, 2)
    assert len(facts.lines) == 7
    assert "evil\\x1b[2J" in facts.lines[1]


def test_the_newest_line_of_a_sort_says_whom_and_when() -> None:
    facts = kernel_log.parse(JOURNAL)
    assert isinstance(facts, KernelLog)
    assert (facts.rejected_path, facts.rejected_unit, facts.rejected_at_s) == (
        "/system.slice/web.service",
        "web.service",
        1785492301.0,
    )
    assert (facts.commit_comm, facts.commit_pid, facts.commit_at_s) == ("x", 520, 1785492362.0)
    assert (facts.data_comm, facts.data_at_s, facts.pages_at_s) == ("t", 1785492420.0, 1785492480.0)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-13-31T10:05:01+0000", "2026-07-31T10:05:01"])
def test_a_line_without_a_time_is_of_no_known_age(time: str) -> None:
    facts = kernel_log.parse(f"{time} h kernel: cgroup: fork rejected by pids controller in /a.service\n")
    assert isinstance(facts, KernelLog)
    assert facts.rejected_path == "/a.service"
    assert isinstance(facts.rejected_at_s, Unreadable)


def test_a_journal_with_the_boot_line_alone_has_no_events() -> None:
    assert kernel_log.parse(JOURNAL.splitlines()[0] + "\n") == KernelLog(0, 0, 0, 0, 0, ())


@pytest.mark.parametrize("stdout", ["", "-- No entries --\n", "No journal files were found.\n-- No entries --\n"])
def test_a_journal_that_may_not_be_read_is_not_empty(stdout: str) -> None:
    found = kernel_log.parse(stdout)
    assert isinstance(found, Unreadable)
    assert "this account may not read it" in found.reason


def test_the_log_has_one_subject() -> None:
    assert kernel_log.command("kernel")[:3] == ("env", "LC_ALL=C", "journalctl")
    with pytest.raises(ValueError, match="not a log"):
        kernel_log.command("--file=/etc/shadow")


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=300))
def test_any_output_is_read(stdout: str) -> None:
    kernel_log.parse(stdout)
    kernel_log.parse(f"x kernel: {stdout}")
    unit_settings.parse(stdout)
    unit_settings.parse(f"LoadState=loaded\nTasksMax={stdout}\nDropInPaths={stdout}")


COUNTS = """at\t812\tfds.py\t998\tacme\t/system.slice/fdsrv.service\t1024\t1024\t524288\t1024
at\t9\tx\t0\troot\t/\t4\t5\t5\t64
all\t98\t59
"""


def test_files_are_counted_for_every_process_where_the_kernel_shows_it() -> None:
    facts = fd_counts.parse(COUNTS)
    assert isinstance(facts, fd_counts.FdCounts)
    assert [(item.pid, item.unit, item.user, item.open, item.soft, item.slots) for item in facts.near.items] == [
        (812, "fdsrv.service", "acme", 1024, 1024, 1024),
        (9, "", "root", 4, 5, 64),
    ]
    assert (facts.seen, facts.is_shown, facts.near.counted, facts.near.partial) == (98, True, 96, "")


def test_an_older_kernel_shows_no_count_and_that_is_not_zero() -> None:
    facts = fd_counts.parse("all\t0\t157\n")
    assert isinstance(facts, fd_counts.FdCounts)
    assert facts.is_shown is False
    assert "before Linux 6.2" in facts.near.partial
    assert isinstance(facts.seen, Unreadable)
    assert fd_counts.parse("all\t0\t0\n") == Unreadable("find there does not print sizes")
    assert isinstance(fd_counts.parse(""), Unreadable)


def test_a_line_of_counts_that_cannot_be_read_makes_them_partial() -> None:
    facts = fd_counts.parse(COUNTS.replace("\t1024\t524288", "\t?\t524288"))
    assert isinstance(facts, fd_counts.FdCounts)
    assert facts.near.partial == "a line could not be read"


INOTIFY = """0 root /proc/1/fd/5
998 acme /proc/812/fd/3
998 acme /proc/812/fd/4
998 acme /proc/900/fd/3
uid 0
/dev/null:0
/proc/1/fd/../fdinfo/5:7
/proc/812/fd/../fdinfo/3:50
/proc/900/fd/../fdinfo/3:2
end
"""


def test_inotify_is_counted_for_each_user_by_root() -> None:
    facts = inotify_use.parse(INOTIFY)
    assert isinstance(facts, inotify_use.InotifyUse)
    assert [(item.user, item.uid, item.pid, item.instances, item.watches) for item in facts.users.items] == [
        ("acme", 998, 812, 3, 52),
        ("root", 0, 1, 1, 7),
    ]
    assert facts.instances == 4


def test_inotify_of_others_is_unknown_to_anybody_else() -> None:
    facts = inotify_use.parse(INOTIFY.replace("uid 0", "uid 1000"))
    assert facts == Unreadable("inotify instances of other users can be counted by root only")
    assert inotify_use.parse(INOTIFY.replace("end\n", "")) == Unreadable("the answer was cut")


@pytest.mark.parametrize("kind", [fd_counts, inotify_use])
def test_each_of_them_has_one_subject(kind: Any) -> None:
    assert kind.command("processes" if kind is fd_counts else "users")[:2] == ("/bin/sh", "-c")
    with pytest.raises(ValueError, match="not a subject"):
        kind.command("-x")


REACHED = """2026-05-01T10:00:00+00:00 h kernel: VFS: file-max limit 716 reached
2026-05-01T10:00:01+00:00 h kernel: TCP: out of memory -- consider tuning tcp_mem
2026-05-01T10:00:02+00:00 h kernel: TCP: request_sock_TCP: Possible SYN flooding on port {port}. Sending cookies.
2026-05-01T10:00:03+00:00 h kernel: nf_conntrack: nf_conntrack: table full, dropping packet
2026-05-01T10:00:04+00:00 h kernel: neighbour: arp_cache: neighbor table overflow!
2026-05-01T10:00:05+00:00 h kernel: TCP: too many orphaned sockets
"""


@pytest.mark.parametrize("port", ["9006", "0.0.0.0:9006"])
def test_limits_that_the_kernel_wrote_were_reached(port: str) -> None:
    facts = kernel_log.parse(REACHED.format(port=port))
    assert isinstance(facts, KernelLog)
    start = 1777629600.0
    assert (facts.file_max_at_s, facts.file_max_limit, facts.tcp_memory_at_s) == (start, 716, start + 1)
    assert (facts.syn_flood_at_s, facts.syn_flood_port, facts.conntrack_at_s) == (start + 2, port, start + 3)
    assert (facts.neighbour_at_s, facts.orphans_at_s, len(facts.lines)) == (start + 4, start + 5, 6)
    assert facts.oom_kills == 0
