"""Further samples from the same awk: processes born and gone, counters between samples, suspects, bad pace lines."""

from collections.abc import Callable
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.records import parse_samples
from triagebook.tools.collector import collect, program
from triagebook.tools.transport.opening import AHEAD_DATA_BYTES


def _facts(paced: Any, tools: Any) -> Any:
    return collect.parse(tools.kinds, parse_samples(paced.answer.decode()))


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
    facts = _facts(paced, tools)
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
    groups = _facts(paced, tools)["process_groups"].groups
    assert {"last number", "after the wrap", "late"} <= {group.comm for group in groups.items}


def test_more_new_numbers_than_are_scanned_make_it_partial(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    bounds = program.Bounds(scanned_pids=50)
    paced = tools.paced(str(host.root), awk, tools.kinds, bounds)
    paced.read_sample(1)
    host.process(190, "missed")
    host.process(299, "seen")
    paced.ask()
    paced.read_sample(2)
    paced.end()
    facts = _facts(paced, tools)
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
    first = _facts(paced, tools)["pids_cgroups"].limited.items
    assert [(item.path, item.refused, item.refused_delta) for item in first] == [
        ("/acme.slice", 0, Unreadable("needs a second sample"))
    ]
    host.pids("/acme.slice/child.service", 10, 1000, refused=4)
    host.pids("/acme.slice/quiet.service", 1, "max", refused=1)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    slice_, child = _facts(paced, tools)["pids_cgroups"].limited.items
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
    facts = _facts(paced, tools)
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
    (item,) = _facts(paced, tools)["pids_cgroups"].limited.items
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
    facts = _facts(paced, tools)
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
    first = _facts(paced, tools)
    assert not first["tasks_by_uid"].limited.items
    assert not first["address_spaces"].mapped.items
    assert not first["pids_cgroups"].limited.items
    paced.ask("sample 500 99999 12x34 -5 ../1 500\n")
    paced.read_sample(2)
    paced.end()
    facts = _facts(paced, tools)
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


def _path_of(paced: Any, n: int, comm: str) -> str:
    """The cgroup that sample `n` says a process is in."""
    found = [record for sample in parse_samples(paced.answer.decode()) if sample.n == n for record in sample.of("process_groups")]
    return str(next(fields[3] for fields in found if fields[0] == "group" and fields[2] == comm))


def test_a_brief_sample_keeps_the_cgroup_of_a_process_for_six_at_most_and_a_full_one_reads_it(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(90, "moves", cgroup="/system.slice/old.service")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    for n in (2, 3):
        paced.ask("sample brief\n")
        paced.read_sample(n)
    host.process(90, "moves", cgroup="/system.slice/new.service")
    for n in range(4, 10):
        paced.ask("sample brief\n")
        paced.read_sample(n)
    host.process(90, "moves", cgroup="/system.slice/third.service")
    paced.ask("sample brief\n")
    paced.read_sample(10)
    paced.ask("sample\n")
    paced.read_sample(11)
    paced.end()
    seen = [_path_of(paced, n, "moves").rpartition("/")[2] for n in range(1, 12)]
    assert seen == ["old.service"] * 5 + ["new.service"] * 5 + ["third.service"]


def test_a_brief_sample_counts_tasks_anew_and_reads_all_of_a_process_of_another_name_or_user(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(91, "stays", threads=2, uid=1000, nproc=(100, 100))
    host.process(93, "goes", threads=2, cgroup="/system.slice/old.service")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    for n in (2, 3):
        paced.ask("sample brief\n")
        paced.read_sample(n)
    host.process(91, "stays", threads=90, uid=1000, nproc=(100, 100))
    host.remove(93)
    host.process(93, "comes", threads=3, cgroup="/system.slice/new.service")
    paced.ask("sample brief\n")
    paced.read_sample(4)
    paced.end()
    facts = _facts(paced, tools)
    groups = {group.comm: (group.tasks, group.path) for group in facts["process_groups"].groups.items}
    assert groups["comes"] == (3, "/system.slice/new.service")
    assert groups["stays"][0] == 90
    (user,) = facts["tasks_by_uid"].limited.items
    assert (user.tasks, user.soft) == (90, 100)


def test_a_brief_sample_keeps_limits_and_a_suspect_is_read_in_full(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(93, "raised", threads=90, uid=1000, nproc=(100, 100))
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    for n in (2, 3):
        paced.ask("sample brief\n")
        paced.read_sample(n)
    host.process(93, "raised", threads=90, uid=1000, nproc=(120, 120))
    softs = []
    for n, line in ((4, "sample brief\n"), (5, "sample brief 93\n")):
        paced.ask(line)
        paced.read_sample(n)
        (user,) = _facts(paced, tools)["tasks_by_uid"].limited.items
        softs.append(user.soft)
    paced.end()
    assert softs == [100, 120]


def test_a_brief_sample_goes_on_counting_the_threads_of_the_kernel_and_finds_in_time_which_have_ended(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    for pid in (20, 21):
        host.process(pid, "kworker/0:1", is_kernel=True)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    for n in range(2, 10):
        paced.ask("sample brief\n")
        paced.read_sample(n)
        if n == 3:
            host.remove(21)
    paced.end()
    walks = [dict(field.split("=") for field in sample.of("walk")[0]) for sample in parse_samples(paced.answer.decode())]
    assert [walk["kernel_threads"] for walk in walks] == ["2"] * 8 + ["1"]  # 21 has its turn in the ninth


def _brief(paced: Any, samples: range) -> None:
    for n in samples:
        paced.ask("sample brief\n")
        paced.read_sample(n)


def _groups(paced: Any, n: int) -> dict[str, tuple[str, ...]]:
    """What sample `n` says of each command: PID, command, cgroup, UID, tasks, processes, memory."""
    (sample,) = (sample for sample in parse_samples(paced.answer.decode()) if sample.n == n)
    return {fields[2]: fields[1:] for fields in sample.of("process_groups") if fields[0] == "group"}


def test_a_brief_sample_takes_a_process_that_has_not_run_for_what_it_was(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(93, "sleeps", threads=1, uid=1000)
    host.process(94, "serves", threads=8, uid=1000)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 7))
    for has_run, n in ((False, 7), (True, 8)):
        host.process(93, "sleeps", uid=1001, has_run=has_run)
        if has_run:
            host.process(94, "serves", threads=8, uid=1001)
        _brief(paced, range(n, n + 1))
    paced.end()
    users = [[_groups(paced, n)[comm][3] for n in (6, 7, 8)] for comm in ("sleeps", "serves")]
    assert users == [["1000", "1000", "1001"], ["1000", "1000", "1001"]]


def test_a_user_that_changes_unseen_by_the_clock_of_a_process_of_many_threads_is_read_in_six_samples(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(93, "serves", threads=8, uid=1000)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 5))
    host.process(93, "serves", threads=8, uid=1001, has_run=False)
    _brief(paced, range(5, 11))
    paced.end()
    assert [_groups(paced, n)["serves"][3] for n in range(4, 11)] == ["1000"] * 5 + ["1001"] * 2


def test_every_brief_sample_sees_threads_come_and_processes_end(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    odd = "a) S 1 (b\nc \x01"
    host.process(92, "one", threads=1)
    host.process(93, odd, threads=3)
    host.process(94, "ends", threads=1)
    host.process(95, "ends too", threads=5)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 6))
    host.process(92, "one", threads=2)
    host.process(93, odd, threads=4, has_run=False)
    host.remove(94)
    host.remove(95, threads=5)
    host.process(96, "rests")
    _brief(paced, range(6, 7))
    paced.end()
    before, after = ({comm: group[4] for comm, group in _groups(paced, n).items()} for n in (5, 6))
    shown = r"a) S 1 (b\nc \x01"
    assert before == {"systemd": "1", "one": "1", shown: "3", "ends": "1", "ends too": "5"}
    assert after == {"systemd": "1", "one": "2", shown: "4"}
    last = parse_samples(paced.answer.decode())[-1]
    assert "gone=2" in last.of("walk")[0]


def test_a_number_that_was_given_out_anew_is_read_anew_though_the_process_bears_the_same_name(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(93, "worker", cgroup="/system.slice/old.service")
    host.process(94, "server", cgroup="/system.slice/old.service", threads=4)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 6))
    for pid, comm, threads in ((93, "worker", 1), (94, "server", 4)):
        host.remove(pid, threads)
        host.process(pid, comm, threads=threads, cgroup="/system.slice/new.service")
    host.newest_pid = 95  # around
    host.loadavg(host.tasks)
    _brief(paced, range(6, 8))
    paced.end()
    for comm in ("worker", "server"):
        seen = [_path_of(paced, n, comm).rpartition("/")[2] for n in (5, 6, 7)]
        assert seen == ["old.service", "new.service", "new.service"]


def test_a_brief_sample_keeps_the_cgroup_and_memory_of_a_process_that_has_not_run_for_twelve_at_most(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(91, "moved", cgroup="/system.slice/old.service", rss_kb=1800)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 6))  # its turn is in the fifth
    host.process(91, "moved", cgroup="/system.slice/new.service", rss_kb=400, has_run=False)
    _brief(paced, range(6, 19))
    paced.end()
    seen = [(group[2].rpartition("/")[2], group[6]) for group in (_groups(paced, n)["moved"] for n in range(5, 19))]
    assert seen == [("old.service", "1800")] * 12 + [("new.service", "400")] * 2


def test_a_brief_sample_sees_at_once_who_has_another_parent_in_a_pid_namespace(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(90, "init", nspid="90\t1", cgroup="/box/init")
    host.process(91, "shell", nspid="91\t2", parent=90, cgroup="/box/shell")
    host.process(92, "child", nspid="92\t3", parent=91, cgroup="/box/child")
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 6))
    host.remove(91)
    host.process(92, "child", nspid="92\t3", parent=90, cgroup="/box/child", has_run=False)
    _brief(paced, range(6, 7))
    paced.end()
    last = parse_samples(paced.answer.decode())[-1]
    assert last.of("pid_namespaces")[0] == ("all", "nested=2", "inits=1", "groups=0")


def test_the_maps_of_a_process_are_counted_again_when_it_has_run(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/vm/max_map_count", "50\n")
    host.process(93, "maps", size_kb=5000, maps=10)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 5))
    counted = []
    for n, has_run in ((5, False), (6, True), (7, False)):
        host.process(93, "maps", size_kb=5000, maps=49, has_run=has_run)
        _brief(paced, range(n, n + 1))
        found = _facts(paced, tools)["address_spaces"].mapped.items
        counted.append([item.maps for item in found if item.pid == 93])
    paced.end()
    assert counted == [[], [49], [49]]


def test_a_process_that_has_given_back_its_memory_is_no_thread_of_the_kernel_until_it_has_ended(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(93, "ends", uid=1000)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 4))
    host.process(93, "ends", uid=1000, state="Z (zombie)")
    host.write("proc/93/status", (host.root / "proc/93/status").read_text().replace("Z (zombie)", "R (running)"))
    _brief(paced, range(4, 6))
    host.process(93, "ends", uid=1000, state="Z (zombie)")
    _brief(paced, range(6, 7))
    paced.end()
    assert _groups(paced, 6)["ends"][3] == "1000"


def test_memory_that_another_process_made_larger_is_seen_at_the_turn_of_one_that_has_not_run(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(91, "shares", size_kb=4000, data_kb=500)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    _brief(paced, range(2, 6))  # its turn is in the fifth
    host.process(91, "shares", size_kb=8000, data_kb=4500, has_run=False)
    _brief(paced, range(6, 18))
    paced.end()
    last = parse_samples(paced.answer.decode())[-1]
    (found,) = [fields for fields in last.of("address_spaces") if fields[0] == "large" and fields[2] == "shares"]
    assert found[5:] == ("8000", "4500")
