"""Kinds whose facts a runbook declares: settings, columns of a table and rows of limits, read by every awk, in any number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.library.catalog import catalog
from triagebook.runbooks.probes.generic_kinds import spec_of
from triagebook.tools.collector import collect, program

RUNBOOK = catalog([Path(__file__).parents[2] / "fixtures" / "generic_runbook"]).load("semaphores")
SEM = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
KEYS = spec_of(
    "proc_table",
    {
        "file": "/proc/key-users",
        "separators": ":/",
        "columns": {"uid": {"column": 1}, "used": {"column": 5, "unit": "keys"}, "most": {"column": 6}},
        "identity": "uid",
        "rows": 20,
    },
)


def facts_of(samples: Any, *kinds: str) -> Any:
    found = collect.parse((*RUNBOOK.probes.values(), *kinds), samples)
    return {name: found[kind] for name, kind in RUNBOOK.probes.items()} | {kind: found[kind] for kind in kinds}


def a_host(tree: Callable[..., Any], sets: int = 7) -> Any:
    host = tree("v2")
    host.write("proc/sys/fs/aio-nr", "65000\n")
    host.write("proc/sys/fs/aio-max-nr", "65536\n")
    host.write("proc/sys/kernel/sem", "32000\t1024000000\t500\t32000\n")
    host.write("proc/sysvipc/sem", SEM + "".join(f"  {n:8} {n:10}   600 {10 * n:10}  {1000 + n}  0 0 0 0 0\n" for n in range(sets)))
    host.write("proc/key-users", "    0:    87 86/86 83/1000000 1560/25000000\n 1000:     5 4/4 3/200 80/20000\n")
    return host


def test_what_is_declared_is_read_and_nothing_else(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = a_host(tree)
    for pid, stack_kb in ((300, 132), (301, 8000)):
        host.process(pid, f"worker-{pid}", uid=1000, cgroup="/system.slice/app.service")
        host.set_status(pid, "VmStk", f"{stack_kb:8d} kB")
    host.name(1000, "app")
    ran = tools.run(host.root, awk, (*tools.kinds, *RUNBOOK.probes.values(), KEYS))
    assert (ran.status, ran.stderr) == (0, b"")
    found = facts_of(ran.samples, KEYS)
    limits, sets, stacks = found["limits"], found["sets"], found["stacks"]
    assert (limits.aio_used, limits.aio_max, limits.semaphores_max, limits.sets_max) == (65000, 65536, 1024000000, 32000)
    assert (sets.count, sets.sum_semaphores) == (7, 210)
    assert [(row.id, row.semaphores, row.uid) for row in sets.rows.items][:2] == [("6", 60, 1006), ("5", 50, 1005)]
    assert sets.rows.partial == "2 smaller rows are not listed"
    (near,) = stacks.near.items
    assert (near.pid, near.user, near.unit, near.used, near.soft, near.room) == (
        301,
        "app",
        "app.service",
        8192000,
        8388608,
        196608,
    )
    assert isinstance(near.hard, Unreadable)
    assert stacks.near.counted == 2
    assert [(row.uid, row.used, row.most) for row in found[KEYS].rows.items] == [(0, 83, 1000000), (1000, 3, 200)]


def test_what_is_not_there_is_unreadable_and_a_table_that_is_too_long_has_no_sum(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = a_host(tree, sets=6000)
    (host.root / "proc/sys/fs/aio-nr").unlink()
    host.write("proc/sys/kernel/sem", "32000\n")
    ran = tools.run(host.root, awk, tuple(RUNBOOK.probes.values()))
    found = facts_of(ran.samples)
    assert isinstance(found["limits"].aio_used, Unreadable)
    assert found["limits"].semaphores_max == Unreadable("it has no figure 2")
    assert found["sets"].count == found["sets"].sum_semaphores == Unreadable("it has more than 5000 lines")
    assert "more than 5000 lines" in found["sets"].rows.partial
    (host.root / "proc/sysvipc/sem").unlink()
    gone = facts_of(tools.run(host.root, awk, tuple(RUNBOOK.probes.values())).samples)["sets"]
    assert isinstance(gone.count, Unreadable)
    assert gone.rows.partial


def test_two_samples_and_a_brief_one_find_the_same(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = a_host(tree)
    host.process(301, "worker", cgroup="/system.slice/app.service")
    host.set_status(301, "VmStk", "    8000 kB")
    ran = tools.paced(str(host.root), awk, tuple(RUNBOOK.probes.values()))
    ran.read_sample(1)
    ran.ask()
    ran.read_sample(2)
    for n in (3, 4):
        ran.brief(n)
        assert [item.pid for item in ran.facts()[RUNBOOK.probes["stacks"]].near.items] == [301]
    done = ran.end()
    assert (done.status, done.stderr) == (0, b"")


def test_runbooks_that_declare_the_same_key_have_it_read_once() -> None:
    one = spec_of("sysctl", {"keys": {"most": {"key": "fs.aio-max-nr"}}})
    two = spec_of("sysctl", {"keys": {"limit": {"key": "fs.aio-max-nr"}, "used": {"key": "fs.aio-nr"}}})
    assert program.build((one, two)).count("fs/aio-max-nr") == 1
    assert program.build((one,)).count("emit") <= program.build((one, two)).count("emit")


@pytest.mark.parametrize("kind", ["sysctl", "proc_table", "rlimits"])
def test_without_a_declaration_nothing_is_read(tools: Any, tree: Callable[..., Any], kind: str) -> None:
    host = a_host(tree)
    host.process(301)
    (sample,) = tools.run(host.root, kinds=(kind,)).samples
    assert sample.of(kind) == ()
