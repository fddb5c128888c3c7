"""What the world's reports needed: locked memory, queued signals, tables, limits with room, memory cgroups that cannot kill."""

from collections.abc import Callable
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable

IPC_LOCK = "0000000000004000"


def facts(host: Any, tools: Any, awk: str, *, ask: bool = False) -> dict[str, Any]:
    """The facts after one sample, or after two."""
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    if ask:
        paced.ask()
        paced.read_sample(2)
    assert paced.end().status == 0
    found: dict[str, Any] = paced.facts()
    return found


def test_a_process_that_has_locked_all_it_may_is_told(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for pid, locked, caps in ((90, 8192, "0" * 16), (91, 8192, IPC_LOCK), (92, 1024, "0" * 16), (93, 0, "0" * 16)):
        host.process(pid, "locker", uid=1001, caps=caps, cgroup="/system.slice/lock.service")
        host.set_status(pid, "VmLck", f"{locked:8d} kB")
    host.loadavg(host.tasks)
    found = facts(host, tools, awk)["locked_memory"].limited
    assert [(item.pid, item.locked_bytes, item.soft_bytes, item.room_bytes, item.unit) for item in found.items] == [
        (90, 8388608, 8388608, 0, "lock.service")
    ]
    assert (found.partial, found.counted) == ("", 1)


def test_pinned_memory_counts_as_locked(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "uring", uid=1001, caps="0" * 16)
    host.set_status(90, "VmPin", "    8190 kB")
    assert [item.room_bytes for item in facts(host, tools, awk)["locked_memory"].limited.items] == [2048]


def test_queued_signals_near_the_limit_are_told_for_each_user(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "timers", uid=1001, cgroup="/system.slice/tim.service")
    host.set_status(90, "SigQ", "100/100")
    host.process(91, "calm", uid=1002)
    host.set_status(91, "SigQ", "89/100")
    found = facts(host, tools, awk)["queued_signals"].limited
    assert [(item.uid, item.queued, item.limit, item.room, item.pid, item.unit) for item in found.items] == [
        (1001, 100, 100, 0, 90, "tim.service")
    ]


def test_tables_of_the_kernel_are_read_and_missing_ones_are_not_zero(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/fs/aio-nr", "1024\n")
    host.write("proc/sys/fs/aio-max-nr", "65536\n")
    host.write("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t90\t1\nmemory\t0\t91\t1\n")
    found = facts(host, tools, awk)["kernel_tables"]
    assert (found.aio_used, found.aio_max, found.aio_room, found.memory_cgroups) == (1024, 65536, 64512, 91)
    assert isinstance(found.optmem_max_bytes, Unreadable)


def test_a_limit_with_room_is_named_once_for_each_user_and_limit(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for pid in (90, 91):
        host.process(pid, "sh", uid=1005, space=(629145600, 629145600), cgroup="/user.slice/user-1005.slice/session-1.scope")
    host.process(92, "near", uid=1005, space=(629145600, 629145600), size_kb=614000)
    found = facts(host, tools, awk)["address_spaces"]
    assert [(item.pid, item.soft_bytes, item.resource) for item in found.latent.items] == [(90, 629145600, "as")]
    assert [item.pid for item in found.limited.items] == [92]
    assert found.limited.counted == 2


def test_a_limit_that_leaves_room_is_named_in_the_second_sample_too_whoever_is_suspect(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(90, "sh", uid=1005, space=(629145600, 629145600))
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    paced.ask("sample 90\n")
    paced.read_sample(2)
    paced.end()
    assert [item.pid for item in paced.facts()["address_spaces"].latent.items] == [90]


def test_a_small_suspect_whose_maps_are_hidden_is_cleared_by_its_size(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "sleep", uid=1001, size_kb=5000)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    paced.ask("sample 90\n")
    paced.read_sample(2)
    paced.end()
    mapped = paced.facts()["address_spaces"].mapped
    assert [item for item in mapped.items if isinstance(item.maps, Unreadable)] == []
    assert mapped.partial == ""


def test_refusals_of_a_memory_cgroup_that_kills_nobody_are_counted(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "vic", cgroup="/system.slice/vic.service")
    there = "sys/fs/cgroup/system.slice/vic.service"
    host.write(f"{there}/memory.max", "67108864\n")
    host.write(f"{there}/memory.current", "20000000\n")
    host.write(f"{there}/memory.events", "low 0\nhigh 0\nmax 40\noom 9\noom_kill 0\n")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    host.write(f"{there}/memory.events", "low 0\nhigh 0\nmax 44\noom 12\noom_kill 0\n")
    paced.ask()
    paced.read_sample(2)
    paced.end()
    (item,) = paced.facts()["memory_cgroups"].limited.items
    assert (item.ooms, item.ooms_delta, item.oom_kills) == (12, 3, 0)
    assert isinstance(item.is_kill_disabled, Unreadable)


def test_a_memory_cgroup_of_version_1_says_that_nobody_is_killed(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v1")
    host.process(90, "vic", cgroup="/docker/abc")
    there = "sys/fs/cgroup/memory/docker/abc"
    host.write(f"{there}/memory.limit_in_bytes", "67108864\n")
    host.write(f"{there}/memory.usage_in_bytes", "67108864\n")
    host.write(f"{there}/memory.failcnt", "3\n")
    host.write(f"{there}/memory.oom_control", "oom_kill_disable 1\nunder_oom 1\noom_kill 0\n")
    (item,) = facts(host, tools, awk)["memory_cgroups"].limited.items
    assert (item.is_kill_disabled, item.room_bytes) == (1, 0)


@pytest.mark.parametrize(("init", "gone"), [(True, 0), (False, 1)])
def test_an_init_of_another_cgroup_leaves_it_open_whether_a_namespace_is_dead(
    tree: Callable[..., Any], tools: Any, awk: str, init: bool, gone: int
) -> None:
    host = tree("v2")
    if init:
        host.process(90, "sleep", cgroup="/system.slice/ct.service", nspid="90\t1")
    host.process(95, "sleep", cgroup="/system.slice/adm.service", nspid="95\t7")
    host.loadavg(host.tasks)
    found = facts(host, tools, awk)["pid_namespaces"]
    assert (found.orphans, found.unsure_processes) == (gone, 1 - gone)


def test_each_limit_of_a_user_is_judged_for_itself(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "talks before a login", uid=1001, nproc=(0, 0))
    for pid in range(91, 96):
        host.process(pid, "worker", uid=1001, threads=4, nproc=(20, 20))
    host.process(97, "free", uid=1001, nproc=(3790, 3790))
    found = facts(host, tools, awk)["tasks_by_uid"]
    assert [(item.identity, item.soft, item.tasks, item.processes, item.limited_processes) for item in found.limited.items] == [
        ("1001", 0, 22, 7, 1),
        ("1001/20", 20, 22, 7, 5),
    ]
    assert [(item.uid, item.tasks, item.processes) for item in found.counted.items] == [(1001, 22, 7)]


def test_a_small_limit_with_room_is_named(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "burst", uid=1001, threads=2, nproc=(200, 200), cgroup="/system.slice/burst.service")
    host.process(91, "bash", uid=1002, threads=2)
    found = facts(host, tools, awk)["tasks_by_uid"]
    assert [(item.unit, item.soft) for item in found.latent.items] == [("burst.service", 200), ("", 3790)]
    assert found.limited.items == ()


def test_a_small_nproc_limit_that_leaves_room_is_named_though_it_is_looked_at_too(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(90, "fx", uid=1001, nproc=(20, 20), cgroup="/system.slice/bursts.service")
    found = facts(host, tools, awk)["tasks_by_uid"]
    assert [(item.unit, item.soft, item.room) for item in found.latent.items] == [("bursts.service", 20, 19)]
    assert [item.soft for item in found.limited.items] == [20]


def in_container(host: Any, first_pid: int, cgroup: str, uid: int, processes: int, uid_map: str) -> None:
    """Processes of a user namespace with this map."""
    for pid in range(first_pid, first_pid + processes):
        host.process(pid, "fx", uid=uid, nproc=(50, 50), cgroup=cgroup)
        host.write(f"proc/{pid}/uid_map", uid_map)


@pytest.mark.parametrize(("kernel", "rooms"), [("6.1.0-40-amd64", [9, 19]), ("5.10.0-30-amd64", [-22])])
def test_a_uid_is_counted_in_each_user_namespace_for_itself_by_newer_kernels(
    tree: Callable[..., Any], tools: Any, awk: str, kernel: str, rooms: list[int]
) -> None:
    host = tree("v2")
    host.write("proc/sys/kernel/osrelease", f"{kernel}\n")
    in_container(host, 200, "/system.slice/ct1.service", 100001, 41, "         0     100000      65536\n")
    in_container(host, 300, "/system.slice/ct2.service/inner", 100001, 31, "         0     100000      65536\n")
    found = facts(host, tools, awk)["tasks_by_uid"]
    assert [item.room for item in found.limited.items] == rooms
    if len(rooms) == 2:
        assert [item.identity for item in found.limited.items] == [
            "100001@/system.slice/ct1.service",
            "100001@/system.slice/ct2.service",
        ]
    assert found.counted.items == () if len(rooms) == 2 else found.counted.items[0].tasks == 72


def test_a_rootless_container_counts_for_the_user_who_made_it(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "podman", uid=1000, nproc=(20, 20), cgroup="/user.slice/user-1000.slice/session-1.scope")
    scope = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-a.scope"
    in_container(host, 200, scope, 100998, 19, "         0       1000          1\n         1     100000      65536\n")
    (item, inside) = facts(host, tools, awk)["tasks_by_uid"].limited.items
    assert (item.uid, item.tasks, item.guest_tasks, item.room) == (1000, 20, 19, 0)
    assert (inside.namespace, inside.tasks) == ("/user.slice/user-1000.slice", 19)


def test_refusals_of_cgroups_that_are_gone_stay_with_their_slice(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "alive", cgroup="/system.slice/alive.service")
    host.process(91, "calm", cgroup="/user.slice/user-1000.slice/session-1.scope")
    host.pids("/system.slice/alive.service", 5, 10, 3, local=3)
    host.pids("/user.slice", 2, "max", 0, local=0)
    host.pids("/system.slice", 7, "max", 5, local=0)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    (first,) = paced.facts()["pids_cgroups"].gone.items
    host.pids("/system.slice", 7, "max", 6, local=0)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    (second,) = paced.facts()["pids_cgroups"].gone.items
    assert (first.path, first.unit, first.refused) == ("/system.slice", "system.slice", 2)
    assert isinstance(first.refused_delta, Unreadable)
    assert (second.refused, second.refused_delta) == (3, 1)


def test_older_kernels_keep_no_count_above(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "alive", cgroup="/system.slice/alive.service")
    host.pids("/system.slice", 7, "max", 5)
    assert facts(host, tools, awk)["pids_cgroups"].gone.items == ()


def test_the_account_that_reads_is_a_fact(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/self/status", "Name:\tawk\nUmask:\t0022\nUid:\t1000\t1000\t1000\t1000\n")
    assert facts(host, tools, awk)["host"].reader_uid == 1000


@pytest.mark.parametrize(
    ("maps", "program", "bits"),
    [
        ("08048000-08049000 r-xp 0 0:0 1 /m32\nfffdd000-ffffe000 rw-p 0 0:0 0 [stack]\n", b"", 32),
        ("00400000-00401000 r-xp 0 0:0 1 /a\n7ffd00000000-7ffd00001000 rw-p 0 0:0 0 [stack]\n", b"", 64),
        ("", b"\x7fELF\x01\x01\x01\x00\n", 32),
        ("", b"\x7fELF\x02\x01\x01\x00\n", 64),
        ("", b"#!/bin/sh\n", None),
        ("", b"", None),
    ],
)
def test_a_process_of_nearly_4_gib_is_asked_how_wide_it_is(
    tree: Callable[..., Any], tools: Any, awk: str, maps: str, program: bytes, bits: int | None
) -> None:
    host = tree("v2")
    host.process(90, "m32", uid=1001, size_kb=4161704, cgroup="/system.slice/old32.service")
    host.process(91, "below", uid=1001, size_kb=4068000)
    host.process(92, "above", uid=1001, size_kb=4194305)
    if maps:
        host.write("proc/90/maps", maps)
    if program:
        host.write("opt/m32", program.decode("latin-1"))
        host.write("proc/90/cmdline", "/opt/m32\0-x\0")
    (item,) = facts(host, tools, awk)["address_ends"].narrow.items
    assert (item.pid, item.unit, item.room_bytes) == (90, "old32.service", (4194304 - 4161704) * 1024)
    assert isinstance(item.address_bits, Unreadable) if bits is None else item.address_bits == bits


@pytest.mark.parametrize(("threads", "partial"), [(3, ""), (5, "2 threads in threaded cgroups were not found")])
def test_threads_in_a_threaded_cgroup_are_found_or_said_to_be_missing(
    tree: Callable[..., Any], tools: Any, awk: str, threads: int, partial: str
) -> None:
    host = tree("v2")
    unit = "/system.slice/thr.service"
    host.process(90, "fx", threads=threads, cgroup=unit)
    host.write(f"sys/fs/cgroup{unit}/cgroup.type", "domain threaded\n")
    host.write("proc/90/task/92/cgroup", f"0::{unit}/w\n")
    host.write("proc/90/task/95/cgroup", f"0::{unit}/w\n")
    host.pids(unit, 3)
    host.pids(f"{unit}/w", 12, 12, 4)
    found = facts(host, tools, awk)["pids_cgroups"].limited
    assert [(item.path, item.room, item.refused, item.unit) for item in found.items] == [(f"{unit}/w", 0, 4, "")]
    assert found.partial == partial


def test_zombies_are_told_with_the_parent_that_has_most_of_them(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    unit = "/system.slice/zomb.service"
    host.process(90, "fx", cgroup=unit)
    host.process(91, "sh", cgroup=unit)
    for pid in range(100, 110):
        host.process(pid, "fx", cgroup=unit, state="Z (zombie)", parent=91 if pid < 103 else 90)
    host.pids(unit, 12, 12)
    host.process(120, "few", cgroup="/system.slice/few.service")
    host.process(121, "few", cgroup="/system.slice/few.service", state="Z (zombie)", parent=120)
    host.pids("/system.slice/few.service", 12, 12)
    items = {item.unit: item for item in facts(host, tools, awk)["pids_cgroups"].limited.items}
    assert (items["zomb.service"].zombies, items["zomb.service"].zombies_parent) == (10, 90)
    assert items["zomb.service"].zombies_parent_comm == "fx"
    assert items["few.service"].zombies == 0


def test_a_container_counts_what_a_limit_above_it_refused(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "fx", cgroup="/")
    host.pids("/", 3, "max", 7)
    found = facts(host, tools, awk)["pids_cgroups"]
    assert ([item.refused for item in found.above.items], found.limited.items) == ([7], ())


def test_large_stacks_are_told_once_for_each_user(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for pid, uid, stack in (
        (90, 1001, "8796093022208"),
        (91, 1001, "8796093022208"),
        (92, 1002, "67108863"),
        (93, 1003, "unlimited"),
    ):
        host.process(pid, "stk", uid=uid)
        text = (host.root / f"proc/{pid}/limits").read_text()
        host.write(f"proc/{pid}/limits", text.replace("8388608              unlimited  ", f"{stack:<20} unlimited  ", 1))
    found = facts(host, tools, awk)["address_ends"].stacks
    assert [(item.pid, item.stack_bytes, item.room_bytes) for item in found.items] == [
        (90, 1 << 43, (1 << 47) - (1 << 43) - 3060 * 1024)
    ]
    assert found.partial == ""


def test_a_limit_of_locked_memory_is_named_once_for_all_who_have_it(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(90, "asks", uid=1001, cgroup="/system.slice/llama.service")
    host.process(91, "has the same", uid=1002)
    host.process(92, "free", uid=1003, caps=IPC_LOCK)
    found = facts(host, tools, awk)["locked_memory"].latent
    assert [(item.pid, item.unit, item.soft_bytes, item.locked_bytes) for item in found.items] == [
        (90, "llama.service", 8388608, 0)
    ]


def test_free_blocks_of_64_kib_and_more_are_counted(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    lines = "Node 0, zone      DMA      0      0      0      0      9      9      9      9      9      9      9 \n"
    lines += "Node 0, zone    DMA32      5      5      5      5      1      0      0      0      0      0      0 \n"
    lines += "Node 0, zone   Normal      5      5      5      5      0      0      2      0      0      0      4 \n"
    host.write("proc/buddyinfo", lines)
    assert facts(host, tools, awk)["kernel_tables"].contiguous_blocks == 7
