"""Further samples from the same awk: processes born and gone, counters between samples, suspects, bad pace lines."""

from collections.abc import Callable
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.tools.collector import program
from triagebook.tools.ssh.opening import AHEAD_DATA_BYTES


@pytest.mark.parametrize("mode", ["v1", "v2", "hybrid"])
def test_a_process_born_after_the_first_sample_is_seen_in_the_second(
    tree: Callable[..., Any], tools: Any, awk: str, mode: str
) -> None:
    host = tree(mode)
    host.process(90, "stays", threads=2)
    host.process(95, "goes")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    host.remove(95)
    host.process(140, "born", threads=7, cgroup="/system.slice/new.service")
    host.process(141, "thread of 140", threads=7, cgroup="/system.slice/new.service")
    status = (host.root / "proc/141/status").read_text().replace("Tgid:\t141", "Tgid:\t140")
    host.write("proc/141/status", status)
    host.pids("/system.slice/new.service", 7, 8)
    host.loadavg(10)
    paced.ask()
    paced.read_sample(2)
    paced.ask("sample\n")
    paced.read_sample(3)
    assert paced.end().status == 0
    facts = paced.facts()
    assert {group.comm for group in facts["process_groups"].groups.items} == {"systemd", "stays", "born"}
    assert facts["kernel_limits"].visible_tasks == 10
    assert [item.path for item in facts["pids_cgroups"].limited.items] == ["/system.slice/new.service"]
    assert facts["process_groups"].groups.partial == ""


def test_the_first_answer_is_pushed_out_of_the_hosts_last_segment_and_later_ones_are_not(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    first, _, second = paced.answer.decode().partition("\n" + paced.answer.decode().split()[1] + "\t2\t")
    segment, packet = 1460, AHEAD_DATA_BYTES
    assert len(first) - len(first.rstrip()) > segment + packet
    assert second.rstrip("\n") == second.rstrip()


def test_numbers_that_wrapped_are_scanned_from_300(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/kernel/pid_max", "900\n")
    host.process(880, "late")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    host.process(899, "last number")
    host.process(310, "after the wrap")
    host.newest_pid = 320
    host.loadavg(host.tasks)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    groups = paced.facts()["process_groups"].groups
    assert {"last number", "after the wrap", "late"} <= {group.comm for group in groups.items}


def test_more_new_numbers_than_are_scanned_make_it_partial(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    bounds = program.HostBounds(scanned_pids=50)
    paced = tools.paced(str(host.root), awk, tools.kinds, bounds)
    paced.read_sample(1)
    host.process(190, "missed")
    host.process(299, "seen")
    paced.ask()
    paced.read_sample(2)
    paced.end()
    facts = paced.facts()
    assert "seen" in {group.comm for group in facts["process_groups"].groups.items}
    for kind, field in (("process_groups", "groups"), ("tasks_by_uid", "limited"), ("pids_cgroups", "limited")):
        assert "149 PIDs given out since" in getattr(facts[kind], field).partial


def test_refusals_between_two_samples_are_counted(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    """The cgroup that forks is not printed in the first sample: its counter was 0, its limit is its parent's."""
    host = tree("v2")
    host.process(500, "forker", cgroup="/acme.slice/child.service")
    host.pids("/acme.slice", 10, 10)
    host.pids("/acme.slice/child.service", 10, 1000)
    host.process(510, "quiet", cgroup="/acme.slice/quiet.service")
    host.pids("/acme.slice/quiet.service", 1, "max")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    first = paced.facts()["pids_cgroups"].limited.items
    assert [(item.path, item.refused, item.refused_delta) for item in first] == [
        ("/acme.slice", 0, Unreadable("needs a second sample"))
    ]
    host.pids("/acme.slice/child.service", 10, 1000, refused=4)
    host.pids("/acme.slice/quiet.service", 1, "max", refused=1)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    slice_, child = paced.facts()["pids_cgroups"].limited.items
    assert (slice_.path, slice_.refused, slice_.refused_delta) == ("/acme.slice", 5, 5)
    assert (child.path, child.refused, child.refused_delta, child.least_room_above) == ("/acme.slice/child.service", 0, 0, 0)


def test_a_counter_that_fell_is_not_a_delta(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(500, "forker", cgroup="/a.service")
    host.pids("/a.service", 10, 10, refused=7)
    host.memory("/a.service", 99, 100, hits=9, kills=3)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    host.pids("/a.service", 10, 10, refused=2)
    host.memory("/a.service", 99, 100, hits=2, kills=0)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    facts = paced.facts()
    (item,) = facts["pids_cgroups"].limited.items
    assert (item.refused, item.refused_delta) == (2, Unreadable("the counter went backwards between the samples"))
    (group,) = facts["memory_cgroups"].limited.items
    assert group.limit_hits_delta == group.oom_kills_delta == Unreadable("the counter went backwards between the samples")


def test_a_cgroup_first_seen_in_the_second_sample_has_no_delta(tree: Callable[..., Any], tools: Any) -> None:
    host = tree("v2")
    paced = tools.paced(str(host.root), tools.awks[0], tools.kinds)
    paced.read_sample(1)
    host.process(200, "forker", cgroup="/a.service")
    host.pids("/a.service", 10, 10, refused=7)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    (item,) = paced.facts()["pids_cgroups"].limited.items
    assert (item.refused, item.refused_delta) == (7, Unreadable("first seen in this sample"))


def test_host_counters_have_deltas(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    host.write("proc/vmstat", "pswpin 5\npswpout 10\nallocstall_normal 9\nallocstall_movable 8\noom_kill 3\n")
    host.write("proc/stat", "cpu 1\nbtime 1700000000\nprocesses 4400\n")
    paced.ask()
    paced.read_sample(2)
    paced.end()
    facts = paced.facts()
    memory = facts["meminfo"]
    assert (memory.oom_kills, memory.oom_kills_delta, memory.allocation_stalls_delta) == (3, 1, 2)
    assert (memory.swapped_in_delta, memory.swapped_out_delta) == (0, 4)
    assert facts["kernel_limits"].forks_delta == 79


def test_suspects_are_read_however_far_from_a_limit(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.name(1000, "alice")
    host.process(500, "calm", uid=1000, cgroup="/calm.service", space=(10**12, 10**12), maps=12, nproc=(3790, 3790), size_kb=5000)
    host.pids("/calm.service", 1, 1137)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    first = paced.facts()
    assert not first["tasks_by_uid"].limited.items
    assert not first["address_spaces"].mapped.items
    assert not first["pids_cgroups"].limited.items
    paced.ask("sample 500 99999 12x34 -5 ../1 500\n")
    paced.read_sample(2)
    paced.end()
    facts = paced.facts()
    assert [(item.user, item.room) for item in facts["tasks_by_uid"].limited.items] == [("alice", 3789)]
    assert [(item.pid, item.maps) for item in facts["address_spaces"].mapped.items] == [(500, 12)]
    assert [item.pid for item in facts["address_spaces"].limited.items] == [500]
    assert [item.path for item in facts["pids_cgroups"].limited.items] == ["/calm.service"]


def test_lines_that_are_no_pace_are_ignored(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    paced = tools.paced(str(host.root), awk, ("meminfo",))
    paced.read_sample(1)
    paced.ask("\nexit\nsamples\n sample \n" + "x" * 9000 + "\n")
    paced.read_sample(2)
    ran = paced.end()
    assert ran.status == 0
    assert [sample.n for sample in ran.samples] == [1, 2]
