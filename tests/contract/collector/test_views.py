"""Hosts that show less, or show it elsewhere: meanings of counters, mounts, hidden processes, missing files."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.tools.collector import collect, program

from tests.hang import GUARD_S


def _facts(host: Any, tools: Any, awk: str) -> Any:
    ran = tools.run(host.root, awk)
    assert (ran.status, ran.stderr) == (0, b"")
    return collect.parse(tools.kinds, ran.samples)


def _full_slice(host: Any, *, local: tuple[int, int] | None = None, events: tuple[int, int] = (0, 3)) -> None:
    """acme.slice is full at 10 of 10; its child, at 10 of 100, was refused three forks."""
    host.process(500, "forker", threads=10, cgroup="/acme.slice/child.service")
    host.pids("/acme.slice", 10, 10, events[0], local=local[0] if local else None)
    host.pids("/acme.slice/child.service", 10, 100, events[1], local=local[1] if local else None)


@pytest.mark.parametrize("mode", ["v1", "v2", "hybrid"])
def test_the_old_counter_blames_the_limit_with_the_least_room(tree: Callable[..., Any], tools: Any, awk: str, mode: str) -> None:
    host = tree(mode)
    _full_slice(host)
    items = _facts(host, tools, awk)["pids_cgroups"].limited.items
    assert [(item.path, item.refused, item.is_pids_meaning_local) for item in items] == [
        ("/acme.slice", 3, False),
        ("/acme.slice/child.service", 0, False),
    ]
    base = "/sys/fs/cgroup" if mode == "v2" else "/sys/fs/cgroup/pids"
    assert items[0].directory == f"{base}/acme.slice"


def test_the_new_counter_names_the_limit_itself(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    _full_slice(host, local=(8, 0), events=(8, 0))
    items = _facts(host, tools, awk)["pids_cgroups"].limited.items
    assert [(item.path, item.refused, item.is_pids_meaning_local) for item in items] == [
        ("/acme.slice", 8, True),
    ]


def test_the_mount_option_brings_the_old_meaning_back(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2", options=",pids_localevents")
    _full_slice(host, local=(0, 3))
    items = _facts(host, tools, awk)["pids_cgroups"].limited.items
    assert [(item.path, item.refused, item.is_pids_meaning_local) for item in items] == [
        ("/acme.slice", 3, False),
        ("/acme.slice/child.service", 0, False),
    ]


def test_hidden_processes_make_every_collection_partial(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(500, "mine", uid=1000, nproc=(20, 20))
    host.loadavg(83)
    facts = _facts(host, tools, awk)
    assert facts["host"].is_view_partial is True
    for kind, field in (
        ("pids_cgroups", "limited"),
        ("tasks_by_uid", "limited"),
        ("memory_cgroups", "limited"),
        ("process_groups", "groups"),
        ("pid_namespaces", "orphaned"),
        ("address_spaces", "mapped"),
        ("address_spaces", "limited"),
    ):
        assert "2 of 83 tasks are visible" in getattr(facts[kind], field).partial, kind
    assert isinstance(facts["kernel_limits"].pid_room, Unreadable)
    assert facts["kernel_limits"].tasks == 83


def test_a_listed_process_that_may_not_be_read_is_no_task(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    """hidepid=1: the directories are listed, their files are not readable."""
    host = tree("v2")
    for pid in range(500, 540):
        (host.root / f"proc/{pid}").mkdir()
    host.loadavg(41)
    facts = _facts(host, tools, awk)
    assert facts["host"].is_view_partial is True
    assert facts["kernel_limits"].visible_tasks == 1


def test_without_a_pids_controller_nothing_is_clear(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("sys/fs/cgroup/cgroup.controllers", "cpu io memory\n")
    limited = _facts(host, tools, awk)["pids_cgroups"].limited
    assert limited == Collection((), "no pids controller of cgroups was found")


def test_a_container_sees_its_own_root(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    """cgroup v2 with a namespace: 0::/ is the container's own cgroup, and has a limit. What is outside is said."""
    host = tree("v2")
    host.process(7, "app", cgroup="/")
    host.process(8, "joined", cgroup="/../other")
    host.pids("", 20, 20, 5)
    limited = _facts(host, tools, awk)["pids_cgroups"].limited
    assert [(item.path, item.room, item.refused) for item in limited.items] == [("/", 0, 5)]
    assert "1 cgroups lie outside of this cgroup namespace" in limited.partial
    assert "limits above this cgroup namespace cannot be seen" in limited.partial


def test_a_mount_that_shows_a_part_of_the_hierarchy(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    """cgroup v1 in docker without a namespace: /proc has the host's path, the mount shows what is below it."""
    host = tree("v1")
    mounts = (host.root / "proc/self/mountinfo").read_text()
    host.write("proc/self/mountinfo", mounts.replace("0:28 / ", "0:28 /docker/aa "))
    host.process(7, "app", cgroup="/docker/aa")
    host.pids("", 20, 20, 5)
    limited = _facts(host, tools, awk)["pids_cgroups"].limited
    (item,) = limited.items
    assert (item.path, item.room, item.kind, item.directory) == ("/docker/aa", 0, "container", "/sys/fs/cgroup/pids")
    assert "limits above this cgroup namespace cannot be seen" in limited.partial


def test_files_that_are_missing_are_never_zero(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for path in (
        "sys/kernel/threads-max",
        "sys/kernel/pid_max",
        "sys/vm/overcommit_kbytes",
        "sys/vm/max_map_count",
        "pressure/memory",
        "meminfo",
        "vmstat",
        "loadavg",
        "stat",
        "self/smaps",
    ):
        (host.root / "proc" / path).unlink()
    host.process(500, "forker", cgroup="/a.service")
    (host.root / "proc/loadavg").unlink(missing_ok=True)
    host.write("sys/fs/cgroup/a.service/pids.max", "10\n")
    facts = _facts(host, tools, awk)
    kernel, memory, spaces = facts["kernel_limits"], facts["meminfo"], facts["address_spaces"]
    for value in (
        *(kernel.threads_max, kernel.threads_room, kernel.pid_max, kernel.pid_room, kernel.tasks, kernel.forks),
        *(memory.total_bytes, memory.commit_room_bytes, memory.overcommit_bytes, memory.oom_kills),
        *(memory.allocation_stalls, memory.pressure_full_avg10, spaces.max_map_count, spaces.page_size_bytes),
        *(facts["host"].now_s, facts["host"].is_view_partial),
    ):
        assert isinstance(value, Unreadable), value
    assert "vm.max_map_count could not be read" in spaces.mapped.partial
    (item,) = facts["pids_cgroups"].limited.items
    assert item.current == item.room == item.refused == Unreadable("could not be read")
    assert "the number of all tasks could not be read" in facts["tasks_by_uid"].limited.partial


def test_a_limit_that_should_be_there_and_cannot_be_read_is_said(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(500, cgroup="/a.service")
    host.process(501, cgroup="/b.service")
    host.pids("/b.service", 1, 1000)
    host.write("sys/fs/cgroup/a.service/cgroup.controllers", "memory\n")
    assert _facts(host, tools, awk)["pids_cgroups"].limited.partial == ""
    host.write("sys/fs/cgroup/a.service/cgroup.controllers", "memory pids\n")
    assert _facts(host, tools, awk)["pids_cgroups"].limited.partial == "limits of 1 cgroups could not be read"


def test_a_limit_far_down_a_long_path_is_found(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    long = "/" + "/".join(["x" * 194 + ".slice"] * 5) + "/deep.service"
    host.process(500, cgroup=long)
    host.pids(long, 10, 10)
    (item,) = _facts(host, tools, awk)["pids_cgroups"].limited.items
    assert (item.room, len(item.path), item.unit) == (0, 400, "deep.service")


def test_exempt_processes_have_no_nproc_limit(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(500, "root", uid=0, nproc=(1, 1))
    host.process(501, "resource", uid=1001, nproc=(1, 1), caps="0000000001000000")
    host.process(502, "admin", uid=1002, nproc=(1, 1), caps="0000000000200000")
    host.process(503, "other", uid=1003, nproc=(1, 1), caps="0000000000400000")
    host.process(504, "inner root", uid=1004, nproc=(1, 1), caps="000001ffffffffff")
    for pid in (501, 502):
        host.write(f"proc/{pid}/uid_map", "         0          0 4294967295\n")
    host.write("proc/504/uid_map", "         0       1004          1\n")
    items = _facts(host, tools, awk)["tasks_by_uid"].limited.items
    assert {item.comm for item in items} == {"other", "inner root"}


def test_root_of_a_user_namespace_is_not_exempt(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/self/uid_map", "         0     100000      65536\n")
    host.process(500, "root", uid=0, nproc=(2, 2))
    items = _facts(host, tools, awk)["tasks_by_uid"].limited.items
    assert [(item.uid, item.room) for item in items] == [(0, 0)]


def test_namespaces_whose_init_lives_are_not_named(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    box = "/system.slice/docker-aa.scope"
    host.process(800, "systemd", cgroup=f"{box}/init.scope", nspid="800\t1")
    host.process(801, "nginx", cgroup=f"{box}/system.slice/nginx.service", nspid="801\t9", parent=800)
    host.process(802, "exec", cgroup=box, nspid="802\t30", parent=1)
    host.process(900, "init", cgroup="/b.service", nspid="900\t1", state="Z (zombie)")
    host.process(901, "left", cgroup="/b.service", nspid="901\t5", parent=900)
    host.process(903, "root of a box", cgroup="/d.scope", nspid="903\t1")
    host.process(904, "joined below", cgroup="/d.scope/inner", nspid="904\t8", parent=1)
    host.process(950, "alone", cgroup="/c.service", nspid="950\t5\t3")
    items = _facts(host, tools, awk)["pid_namespaces"].orphaned.items
    assert {(item.path, item.pid, item.processes, item.has_init, item.is_init_zombie) for item in items} == {
        ("/b.service", 900, 2, True, True),
        ("/c.service", 950, 1, False, False),
    }


def test_the_least_limit_of_a_user_stands_for_it(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(500, "free", uid=1000, threads=3, nproc=(3790, 3790))
    host.process(501, "bound", uid=1000, threads=2, nproc=(8, "unlimited"))
    host.process(502, "bound more", uid=1000, threads=4, nproc=(8, "unlimited"))
    host.process(503, "free too", uid=1000, nproc=(4000, 4000))
    (item,) = _facts(host, tools, awk)["tasks_by_uid"].limited.items
    assert (item.pid, item.comm, item.tasks, item.processes, item.soft, item.limited_processes, item.room) == (
        *(502, "bound more", 10, 4, 8, 2, -2),
    )
    assert isinstance(item.hard, Unreadable)


def test_the_largest_number_of_cgroup_v1_is_no_limit(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v1")
    host.process(500, cgroup="/a.service")
    host.memory("/a.service", 1000, 9223372036854771712, hits=1)
    host.process(501, cgroup="/b.service")
    host.memory("/b.service", 1000, 10_000)
    assert _facts(host, tools, awk)["memory_cgroups"].limited == Collection((), "", 1)


def test_address_limits_are_judged_by_half_and_by_64_mib(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    gib = 1 << 30
    host.process(2, "kthreadd", is_kernel=True)
    host.process(500, "over half", size_kb=3 << 20, maps=1, space=(5 * gib, "unlimited"))
    host.process(501, "under half", size_kb=2 << 20, maps=1, space=(5 * gib, "unlimited"))
    host.process(502, "small limit", size_kb=100, space=(60 << 20, 60 << 20))
    host.process(503, "data", size_kb=4 << 20, maps=1, data_kb=900 << 10, data=(gib, gib))
    spaces = _facts(host, tools, awk)["address_spaces"]
    assert [(item.comm, item.resource) for item in spaces.limited.items] == [
        ("small limit", "as"),
        ("data", "data"),
        ("over half", "as"),
    ]
    assert (spaces.limited.counted, spaces.mapped.counted) == (1, 5)


def test_maps_are_counted_within_a_bound(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for pid in (500, 501, 502):
        host.process(pid, size_kb=400_000 - pid, maps=600)
    ran = tools.run(host.root, awk, bounds=program.HostBounds(map_lines=1000))
    spaces: Any = collect.parse(tools.kinds, ran.samples)["address_spaces"]
    assert spaces.mapped == Collection((), "maps of 2 processes were not counted (bounded)", 2)


def test_who_uses_most_memory_is_named(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for pid in range(500, 520):
        host.process(pid, f"busy-{pid}", threads=40, rss_kb=100)
    host.process(600, "large", rss_kb=900_000)
    facts = _facts(host, tools, awk)["process_groups"]
    assert facts.top_memory_pid == 600
    assert facts.top_tasks_pid == 500


def test_vsyscall_is_no_mapping(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/vm/max_map_count", "100\n")
    host.process(500, "full", size_kb=500, maps=100)
    host.process(501, "full too", size_kb=500, maps=99)
    maps = (host.root / "proc/501/maps").read_text()
    host.write("proc/501/maps", maps + "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0      [vsyscall]\n")
    host.process(502, "small", size_kb=399, maps=99)
    spaces = _facts(host, tools, awk)["address_spaces"]
    assert [(item.comm, item.maps, item.room) for item in spaces.mapped.items if item.comm != "systemd"] == [
        ("full", 100, 0),
        ("full too", 99, 1),
    ]


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, read by every awk: 1,200 processes."""
    return tmp_path_factory.mktemp("many")


def test_a_walk_that_takes_too_long_is_ended_and_said(many: Path, tree: Callable[..., Any], tools: Any, awk: str) -> None:
    root = many / "host"
    if not root.exists():
        host = tree("v2")
        for pid in range(1000, 2200):
            host.process(pid)
        host.write("proc/self/schedstat", "9000000 0 1\n")
        shutil.move(host.root, root)
    paced = tools.paced(str(root), awk, tools.kinds, program.HostBounds(walk_us=-1))
    paced.read_sample(1)
    paced.ask()
    paced.read_sample(2)
    ran = paced.end()
    for sample in ran.samples:
        assert sample.of("walk")[0][-1] == "unvisited=701"
    facts: Any = collect.parse(tools.kinds, ran.samples)
    assert facts["kernel_limits"].visible_tasks == 500
    for kind, field in (("pids_cgroups", "limited"), ("tasks_by_uid", "limited"), ("process_groups", "groups")):
        assert "701 processes were not looked at (CPU time is bounded)" in getattr(facts[kind], field).partial
    assert ran.samples[0].end["cpu_us"] == "9000"


def test_limits_that_may_not_be_read_are_said(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(500, uid=1000)
    (host.root / "proc/500/limits").unlink()
    facts = _facts(host, tools, awk)
    assert facts["tasks_by_uid"].limited.partial == "limits of 1 processes could not be read"
    assert facts["address_spaces"].limited.partial == "limits of 1 processes could not be read"


def test_own_hits_of_a_memory_limit_come_before_those_below(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(500, cgroup="/a.slice/b.service")
    host.memory("/a.slice", 10, 1000, hits=50, kills=1, high=900)
    host.write("sys/fs/cgroup/a.slice/memory.events.local", "low 0\nhigh 0\nmax 2\noom 0\noom_kill 0\n")
    host.memory("/a.slice/b.service", 10, "max", hits=48)
    (item,) = _facts(host, tools, awk)["memory_cgroups"].limited.items
    assert (item.path, item.limit_hits, item.oom_kills, item.high_bytes) == ("/a.slice", 2, 1, 900)


@pytest.mark.parametrize(("mode", "high"), [("v2", 0), ("v1", Unreadable("could not be read"))])
def test_no_memory_high_is_zero_and_v1_has_none_to_set(
    tree: Callable[..., Any], tools: Any, awk: str, mode: str, high: object
) -> None:
    host = tree(mode)
    host.process(500, cgroup="/a.slice")
    host.memory("/a.slice", 900, 1000)
    (item,) = _facts(host, tools, awk)["memory_cgroups"].limited.items
    assert item.high_bytes == high


def test_tasks_that_end_during_the_walk_are_not_hidden(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    loadavg = host.root / "proc/loadavg"
    loadavg.unlink()
    os.mkfifo(loadavg)

    def says(*totals: int) -> None:
        for total in totals:
            with loadavg.open("w") as told:  # the reader has opened this one: its next opening is of another
                following = host.root.parent / "following"
                os.mkfifo(following)
                following.rename(loadavg)
                told.write(f"0.10 0.20 0.30 1/{total} 100\n")

    teller = threading.Thread(target=says, args=(83, 1), daemon=True)
    teller.start()
    facts = _facts(host, tools, awk)
    assert facts["host"].is_view_partial is False
    assert facts["kernel_limits"].tasks == 83
    teller.join(GUARD_S)


@pytest.mark.parametrize(("container", "tasks"), [("lxc", 2), ("lxc", 300), ("docker", 2)])
def test_a_count_of_one_container_is_not_taken_for_the_hosts(
    tree: Callable[..., Any], tools: Any, awk: str, container: str, tasks: int
) -> None:
    """With lxcfs /proc/loadavg counts the container's tasks, so nothing looks hidden; elsewhere it always counts the host's."""
    host = tree("v2")
    host.write("run/systemd/container", f"{container}\n")
    host.process(7, "app", cgroup="/a.service")
    host.loadavg(tasks)
    facts = _facts(host, tools, awk)
    kernel = facts["kernel_limits"]
    if (container, tasks) == ("lxc", 2):
        assert "this container only" in kernel.tasks.reason
        assert "this container only" in kernel.threads_room.reason
        assert "only the tasks of this container are counted" in facts["tasks_by_uid"].limited.partial
    else:
        assert kernel.tasks == tasks
        assert facts["host"].is_view_partial is (tasks == 300)
