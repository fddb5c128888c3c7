"""The same records from every awk, over trees of cgroup v1, v2 and hybrid, and from this machine's own /proc."""

from collections.abc import Callable
from typing import Any

import pytest
from triagebook.tools.collector import collect, program


def _fill(tree: Any) -> None:
    """A host on which every kind has something to print."""
    tree.name(1000, "alice")
    tree.name(33, "www-data")
    tree.process(2, "kthreadd", is_kernel=True)
    tree.process(450, "kworker/0:1", is_kernel=True)
    for pid in range(500, 506):
        tree.process(pid, "worker", uid=33, threads=30, cgroup="/system.slice/web.service", parent=500, rss_kb=pid * 10)
    for pid in range(600, 604):
        tree.process(pid, "bash", uid=1000, cgroup="/user.slice/user-1000.slice/session-3.scope", nproc=(7, 3790))
    tree.process(610, "zombie", uid=1000, state="Z (zombie)", cgroup="/user.slice/user-1000.slice/session-3.scope")
    tree.process(700, "java", uid=33, size_kb=4_000_000, data_kb=900_000, maps=40_000, cgroup="/system.slice/web.service")
    tree.process(701, "node", uid=33, size_kb=3_000_000, cgroup="/system.slice/web.service")
    tree.process(702, "tight", uid=33, size_kb=190_000, space=(204_800_000, "unlimited"), data=(10**12, 10**12))
    tree.process(800, "pause", cgroup="/kubepods.slice/kubepods-podx.slice/cri-containerd-aa.scope", nspid="800\t1")
    tree.process(801, "app", cgroup="/kubepods.slice/kubepods-podx.slice/cri-containerd-aa.scope", nspid="801\t7", parent=800)
    tree.process(810, "orphan", cgroup="/system.slice/docker-bb.scope", nspid="810\t9", parent=1)
    tree.process(820, "evil\x1b[2J\\n\t\x01Uid:\t0\x7f", uid=33, cgroup="/system.slice/we\x1bird\x01.service")
    tree.pids("/user.slice", 6)
    tree.pids("/user.slice/user-1000.slice", 6, 2501)
    tree.pids("/user.slice/user-1000.slice/session-3.scope", 5, refused=3)
    tree.process(830, "idle", uid=33, cgroup="/system.slice/idle.service")
    tree.pids("/system.slice", 200)
    tree.pids("/system.slice/idle.service", 9, 1137)
    tree.memory("/system.slice/idle.service", 9_000_000, 1_000_000_000)
    tree.pids("/system.slice/web.service", 182, 182, refused=12)
    tree.pids("/system.slice/we\x1bird\x01.service", 1, 10, refused=1)
    tree.memory("/system.slice/web.service", 990_000_000, 1_000_000_000, hits=5, kills=1)


@pytest.mark.parametrize("mode", ["v1", "v2", "hybrid"])
def test_every_awk_prints_the_same_records(tree: Callable[..., Any], tools: Any, mode: str) -> None:
    host = tree(mode)
    _fill(host)
    answers = {}
    for awk in tools.awks:
        ran = tools.run(host.root, awk)
        assert (ran.status, ran.stderr) == (0, b""), awk
        (sample,) = ran.samples
        assert sample.is_complete
        answers[awk] = [record for record in sample.records if record.kind != "end"]
    for awk in tools.awks[1:]:
        assert answers[awk] == answers[tools.awks[0]], awk
    assert len(answers[tools.awks[0]]) > 30


def test_the_tree_becomes_these_facts(tree: Callable[..., Any], tools: Any) -> None:
    host = tree("v2")
    _fill(host)
    facts: Any = collect.parse(tools.kinds, tools.run(host.root).samples)
    limits = {item.path: item for item in facts["pids_cgroups"].limited.items}
    web = limits["/system.slice/web.service"]
    assert (web.current, web.max, web.room, web.refused, web.unit, web.kind) == (182, 182, 0, 12, "web.service", "unit")
    alice = limits["/user.slice/user-1000.slice"]
    assert (alice.room, alice.refused, alice.user, alice.kind) == (2495, 3, "alice", "user")
    assert facts["pids_cgroups"].limited.partial == ""
    (alice_tasks,) = (item for item in facts["tasks_by_uid"].limited.items if item.user == "alice")
    assert (alice_tasks.tasks, alice_tasks.soft, alice_tasks.room, alice_tasks.is_login_session) == (5, 7, 2, True)
    spaces = facts["address_spaces"]
    assert [(item.comm, item.maps) for item in spaces.mapped.items if item.comm == "java"] == [("java", 40_000)]
    assert "permission denied" in spaces.mapped.partial
    assert [(item.comm, item.resource, item.room_bytes) for item in spaces.limited.items] == [("tight", "as", 10_240_000)]
    assert spaces.largest_comm == "java"
    (group,) = facts["memory_cgroups"].limited.items
    assert (group.oom_kills, group.limit_hits, group.room_bytes) == (1, 5, 10_000_000)
    # The init of the pod beside it may be this one's: only where no init of that depth lives a namespace is said to be dead.
    assert (facts["pid_namespaces"].orphaned.items, facts["pid_namespaces"].unsure_processes) == ((), 1)
    assert facts["process_groups"].groups.items[0].comm == "worker"
    assert facts["host"].cgroup_mode == "v2"
    assert facts["kernel_limits"].ids_from_300 == facts["kernel_limits"].tasks - 2


def test_what_a_process_calls_itself_stays_one_field(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    _fill(host)
    (sample,) = tools.run(host.root, awk).samples
    for record in sample.records:
        assert all(character.isprintable() for field in record.fields for character in field)
    paths = {fields[1] for fields in sample.of("pids_cgroups") if fields[0] == "at"}
    assert "/system.slice/we\\x1bird\\x01.service" in paths


def test_nothing_but_text_leaves_the_host(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    _fill(host)
    long = "/system.slice/" + "/".join(["x" * 200] * 5)
    host.process(840, "deep", uid=33, cgroup=long)
    host.pids(long, 10, 10)
    answer = tools.run(host.root, awk).answer
    assert not [byte for byte in answer if byte < 32 and byte not in b"\n\t"]
    assert b"\x7f" not in answer
    assert max(len(field) for field in answer.rstrip(b" \n").split(b"\t")) < 420
    assert b"evil\\x1b[2J" in answer


def test_an_answer_keeps_within_its_bounds_and_says_what_is_missing(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    _fill(host)
    for pid in range(2000, 2060):
        host.process(pid, f"batch-{pid}", cgroup=f"/batch-{pid}.service")
        host.pids(f"/batch-{pid}.service", 10, 10)
    (sample,) = tools.run(host.root, awk, bounds=program.HostBounds(answer_bytes=6000)).samples
    facts: Any = collect.parse(tools.kinds, [sample])
    assert "pids_cgroups" in sample.end["truncated"].split(",")
    printed = [fields for fields in sample.of("pids_cgroups") if fields[0] == "at"]
    assert len(printed) + int(sample.end["cut.pids_cgroups"]) == 64
    assert facts["pids_cgroups"].limited.partial.startswith(f"{sample.end['cut.pids_cgroups']} more are not in the answer")
    assert facts["process_groups"].groups.items
    assert int(sample.end["suppressed"]) > 10


def test_those_who_fill_a_limit_are_named_however_small(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.name(1000, "alice")
    for pid in range(2000, 2040):
        host.process(pid, f"large-{pid}", threads=50, rss_kb=90_000, cgroup="/large.service")
    host.process(3000, "leaker", cgroup="/small.slice/inner/deep")
    host.pids("/small.slice", 10, 10)
    host.process(3001, "alices", uid=1000, nproc=(1, 1), rss_kb=1)
    host.process(3002, "reaped", uid=1000, state="Z (zombie)", cgroup="/small.slice/inner/deep")
    groups = collect.parse(tools.kinds, tools.run(host.root, awk).samples)["process_groups"].groups  # type: ignore[attr-defined]
    assert {"leaker", "alices", "reaped"} <= {group.comm for group in groups.items}
    assert groups.counted == 43 + 1 - len(groups.items)


def test_kernel_threads_are_tasks_but_no_consumers(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(2, "kthreadd", is_kernel=True)
    (sample,) = tools.run(host.root, awk).samples
    facts: Any = collect.parse(tools.kinds, [sample])
    assert {group.comm for group in facts["process_groups"].groups.items} == {"systemd"}
    assert facts["kernel_limits"].visible_tasks == 2


def test_this_machine_reads_as_its_own_kernel_says(tools: Any, awk: str) -> None:
    ran = tools.run("", awk)
    assert (ran.status, ran.stderr) == (0, b"")
    facts: Any = collect.parse(tools.kinds, ran.samples)
    with open("/proc/sys/kernel/threads-max") as file:
        assert facts["kernel_limits"].threads_max == int(file.read())
    with open("/proc/meminfo") as file:
        assert facts["meminfo"].total_bytes == int(file.readline().split()[1]) * 1024
    assert facts["kernel_limits"].visible_tasks > 1
    assert facts["process_groups"].groups.items
    assert len(ran.answer) <= 14 * 1024
