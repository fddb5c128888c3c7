"""Kills for memory as the kernel logs them, and as programs do that kill before the kernel has to."""

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes import early_kills, kernel_log, unit_settings

BOOT = "2026-11-30T00:01:00+0000 h kernel: Linux version 6.1.0-42-amd64\n"
MEMCG = (
    "2026-11-30T00:02:00+0000 h kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
    "oom_memcg=/acme.slice,task_memcg=/acme.slice/batchd.service,task=pyt,hon3,pid=412,uid=1002\n"
    "2026-11-30T00:02:00+0000 h kernel: Memory cgroup out of memory: Killed process 412 (pyt,hon3) total-vm:213020kB, "
    "anon-rss:47104kB, file-rss:5120kB, shmem-rss:0kB, UID:1002 pgtables:160kB oom_score_adj:-250\n"
)
HOST = (
    "2026-11-30T00:03:00+0000 h kernel: oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0-1,3,"
    "global_oom,task_memcg=/system.slice/batchd.service,task=python3,pid=413,uid=0\n"
)
OLD = "2026-11-30T00:04:00+0000 h kernel: Out of memory: Kill process 77 (java) score 900 or sacrifice child\n"
GROUP = "/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope"


def kill(log: str) -> tuple[object, ...]:
    found = kernel_log.parse(BOOT + log)
    assert isinstance(found, kernel_log.KernelLog)
    return found.kill_constraint, found.kill_owner, found.kill_unit, found.kill_comm, found.kill_pid


def test_the_newest_kill_tells_whose_limit_it_was_and_who_died() -> None:
    assert kill(MEMCG) == ("CONSTRAINT_MEMCG", "/acme.slice", "batchd.service", "pyt,hon3", 412)
    assert kill(MEMCG + HOST) == ("CONSTRAINT_NONE", "", "batchd.service", "python3", 413)
    both = kernel_log.parse(BOOT + MEMCG + HOST)
    assert isinstance(both, kernel_log.KernelLog)
    assert isinstance(both.kill_rss_bytes, Unreadable), "what an older line says is not of the newest victim"
    found = kernel_log.parse(BOOT + MEMCG)
    assert isinstance(found, kernel_log.KernelLog)
    assert (found.kill_owner_unit, found.kill_rss_bytes, found.kill_adj, found.kill_at_s) == (
        "acme.slice",
        53477376,
        -250,
        1795996920.0,
    )
    assert len(found.lines) == 2


def test_an_old_kernel_names_the_victim_alone() -> None:
    no_line = Unreadable("there is no such line")
    assert kill(OLD) == ("CONSTRAINT_NONE", no_line, no_line, "java", 77)


def test_a_log_without_a_kill_says_nothing_of_one() -> None:
    found = kernel_log.parse(BOOT)
    assert isinstance(found, kernel_log.KernelLog)
    assert isinstance(found.kill_at_s, Unreadable)


EARLY = (
    ('earlyoom[9]: sending SIGTERM to process 4213 uid 0 "python3": badness 962, VmRSS 208 MiB', "python3 (PID 4213)", ""),
    (f"systemd-oomd[8]: Killed {GROUP} due to memory pressure for /user.slice being 71% > 50% for > 30s", "x.scope", "x.scope"),
    ("systemd-oomd[8]: Killed /a.slice/b.service due to memory used (1) / total (2)", "b.service", "b.service"),
)


@pytest.mark.parametrize(("said", "victim", "unit"), EARLY)
def test_a_program_that_kills_early_says_whom(said: str, victim: str, unit: str) -> None:
    found = early_kills.parse(f"2026-11-30T00:00:00+0000 h systemd[1]: Started\n2026-11-30T00:02:00+0000 h {said}\n")
    assert isinstance(found, early_kills.EarlyKills)
    assert (found.kills, found.killer, found.victim, found.unit, found.at_s) == (
        1,
        said.partition("[")[0],
        victim,
        unit,
        1795996920.0,
    )


@pytest.mark.parametrize(
    "stdout", ["", "-- No entries --\n", "2026-11-30T00:02:00+0000 h earlyoom[9]: mem avail: 3210 of 7000 MiB\n"]
)
def test_no_line_of_such_a_program_is_not_no_kill(stdout: str) -> None:
    assert isinstance(early_kills.parse(stdout), Unreadable)


def test_only_the_journal_is_asked() -> None:
    assert early_kills.command("journal")[:3] == ("env", "LC_ALL=C", "journalctl")
    with pytest.raises(ValueError, match="not a subject"):
        early_kills.command("--file=/etc/shadow")


def test_what_a_unit_may_use_and_what_becomes_of_it_is_shown() -> None:
    text = "LoadState=loaded\nId=a.service\nMemoryMax=50331648\nMemoryHigh=infinity\nOOMPolicy=continue\nExecMainCode=3\n"
    found = unit_settings.parse(text)
    assert isinstance(found, unit_settings.UnitSettings)
    assert (found.memory_max_bytes, found.memory_high_bytes) == (50331648, Unreadable("not limited"))
    assert (found.oom_policy, found.exit_code) == ("continue", 3)
