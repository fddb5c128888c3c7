"""Brief samples of a watch: what is kept of a process from sample to sample, and what is read anew, and when."""

from collections.abc import Callable
from typing import Any

from triagebook.runbooks.probes.records import parse_samples


def _watched(tools: Any, host: Any, awk: str, last: int) -> Any:
    """The program over this tree after its first sample and brief ones up to the `last`."""
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    paced.brief(*range(2, last + 1))
    return paced


def _groups(paced: Any, n: int) -> dict[str, tuple[str, ...]]:
    """What sample `n` says of each command: PID, command, cgroup, UID, tasks, processes, memory."""
    (sample,) = (sample for sample in parse_samples(paced.answer.decode()) if sample.n == n)
    return {fields[2]: fields[1:] for fields in sample.of("process_groups") if fields[0] == "group"}


def test_a_brief_sample_keeps_the_cgroup_of_a_process_for_six_at_most_and_a_full_one_reads_it(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(90, "moves", cgroup="/system.slice/old.service")
    paced = _watched(tools, host, awk, 3)
    host.process(90, "moves", cgroup="/system.slice/new.service")
    paced.brief(*range(4, 10))
    host.process(90, "moves", cgroup="/system.slice/third.service")
    paced.brief(10)
    paced.ask("sample\n")
    paced.read_sample(11)
    paced.end()
    seen = [_groups(paced, n)["moves"][2].rpartition("/")[2] for n in range(1, 12)]
    assert seen == ["old.service"] * 5 + ["new.service"] * 5 + ["third.service"]


def test_a_brief_sample_counts_tasks_anew_and_reads_all_of_a_process_of_another_name_or_user(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(91, "stays", threads=2, uid=1000, nproc=(100, 100))
    host.process(93, "goes", threads=2, cgroup="/system.slice/old.service")
    paced = _watched(tools, host, awk, 3)
    host.process(91, "stays", threads=90, uid=1000, nproc=(100, 100))
    host.remove(93)
    host.process(93, "comes", threads=3, cgroup="/system.slice/new.service")
    paced.brief(4)
    paced.end()
    facts = paced.facts()
    groups = {group.comm: (group.tasks, group.path) for group in facts["process_groups"].groups.items}
    assert groups["comes"] == (3, "/system.slice/new.service")
    assert groups["stays"][0] == 90
    (user,) = facts["tasks_by_uid"].limited.items
    assert (user.tasks, user.soft) == (90, 100)


def test_a_brief_sample_keeps_limits_and_a_suspect_is_read_in_full(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(93, "raised", threads=90, uid=1000, nproc=(100, 100))
    paced = _watched(tools, host, awk, 3)
    host.process(93, "raised", threads=90, uid=1000, nproc=(120, 120))
    softs = []
    for n, line in ((4, "sample brief\n"), (5, "sample brief 93\n")):
        paced.ask(line)
        paced.read_sample(n)
        (user,) = paced.facts()["tasks_by_uid"].limited.items
        softs.append(user.soft)
    paced.end()
    assert softs == [100, 120]


def test_a_brief_sample_goes_on_counting_the_threads_of_the_kernel_and_finds_in_time_which_have_ended(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    for pid in (20, 21):
        host.process(pid, "kworker/0:1", is_kernel=True)
    paced = _watched(tools, host, awk, 3)
    host.remove(21)
    paced.brief(*range(4, 10))
    paced.end()
    walks = [dict(field.split("=") for field in sample.of("walk")[0]) for sample in parse_samples(paced.answer.decode())]
    assert [walk["kernel_threads"] for walk in walks] == ["2"] * 8 + ["1"]  # 21 has its turn in the ninth


def test_a_brief_sample_takes_a_process_that_has_not_run_for_what_it_was(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(93, "sleeps", threads=1, uid=1000)
    host.process(94, "serves", threads=8, uid=1000)
    paced = _watched(tools, host, awk, 3)
    for has_run, n in ((False, 4), (True, 5)):
        host.process(93, "sleeps", uid=1001, has_run=has_run)
        if has_run:
            host.process(94, "serves", threads=8, uid=1001)
        paced.brief(n)
    paced.end()
    users = [[_groups(paced, n)[comm][3] for n in (3, 4, 5)] for comm in ("sleeps", "serves")]
    assert users == [["1000", "1000", "1001"], ["1000", "1000", "1001"]]


def test_a_user_that_changes_unseen_by_the_clock_of_a_process_of_many_threads_is_read_in_six_samples(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(93, "serves", threads=8, uid=1000)
    paced = _watched(tools, host, awk, 4)
    host.process(93, "serves", threads=8, uid=1001, has_run=False)
    paced.brief(*range(5, 11))
    paced.end()
    assert [_groups(paced, n)["serves"][3] for n in range(4, 11)] == ["1000"] * 5 + ["1001"] * 2


def test_every_brief_sample_sees_threads_come_and_processes_end(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    odd = "a) S 1 (b\nc \x01"
    host.process(92, "one", threads=1)
    host.process(93, odd, threads=3)
    host.process(94, "ends", threads=1)
    host.process(95, "ends too", threads=5)
    paced = _watched(tools, host, awk, 5)
    host.process(92, "one", threads=2)
    host.process(93, odd, threads=4, has_run=False)
    host.remove(94)
    host.remove(95)
    host.process(96, "rests")
    paced.brief(6)
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
    paced = _watched(tools, host, awk, 5)
    for pid, comm, threads in ((93, "worker", 1), (94, "server", 4)):
        host.remove(pid)
        host.process(pid, comm, threads=threads, cgroup="/system.slice/new.service")
    host.newest_pid = 95  # around
    host.loadavg(host.tasks)
    paced.brief(*range(6, 8))
    paced.end()
    for comm in ("worker", "server"):
        seen = [_groups(paced, n)[comm][2].rpartition("/")[2] for n in (5, 6, 7)]
        assert seen == ["old.service", "new.service", "new.service"]


def test_a_brief_sample_keeps_the_cgroup_and_memory_of_a_process_that_has_not_run_for_twelve_at_most(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(91, "moved", cgroup="/system.slice/old.service", rss_kb=1800)
    paced = _watched(tools, host, awk, 5)  # its turn is in the fifth
    host.process(91, "moved", cgroup="/system.slice/new.service", rss_kb=400, has_run=False)
    paced.brief(*range(6, 19))
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
    paced = _watched(tools, host, awk, 5)
    host.remove(91)
    host.process(92, "child", nspid="92\t3", parent=90, cgroup="/box/child", has_run=False)
    paced.brief(6)
    paced.end()
    last = parse_samples(paced.answer.decode())[-1]
    assert last.of("pid_namespaces")[0] == ("all", "nested=2", "inits=1", "groups=0", "unsure=0")


def test_the_maps_of_a_process_are_counted_again_when_it_has_run(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.write("proc/sys/vm/max_map_count", "50\n")
    host.process(93, "maps", size_kb=5000, maps=10)
    paced = _watched(tools, host, awk, 4)
    counted = []
    for n, has_run in ((5, False), (6, True), (7, False)):
        host.process(93, "maps", size_kb=5000, maps=49, has_run=has_run)
        paced.brief(n)
        found = paced.facts()["address_spaces"].mapped.items
        counted.append([item.maps for item in found if item.pid == 93])
    paced.end()
    assert counted == [[], [49], [49]]


def test_a_process_that_has_given_back_its_memory_is_no_thread_of_the_kernel_until_it_has_ended(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(93, "ends", uid=1000)
    paced = _watched(tools, host, awk, 3)
    host.process(93, "ends", uid=1000, state="Z (zombie)")
    host.write("proc/93/status", (host.root / "proc/93/status").read_text().replace("Z (zombie)", "R (running)"))
    paced.brief(*range(4, 6))
    host.process(93, "ends", uid=1000, state="Z (zombie)")
    paced.brief(6)
    paced.end()
    assert _groups(paced, 6)["ends"][3] == "1000"


def test_memory_that_another_process_made_larger_is_seen_at_the_turn_of_one_that_has_not_run(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(91, "shares", size_kb=4000, data_kb=500)
    paced = _watched(tools, host, awk, 5)  # its turn is in the fifth
    host.process(91, "shares", size_kb=8000, data_kb=4500, has_run=False)
    paced.brief(*range(6, 18))
    paced.end()
    last = parse_samples(paced.answer.decode())[-1]
    (found,) = [fields for fields in last.of("address_spaces") if fields[0] == "large" and fields[2] == "shares"]
    assert found[5:] == ("8000", "4500")


def test_a_process_that_has_slept_for_long_is_read_in_the_first_brief_sample_after_it_ran(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(94, "sleeps", uid=1000)
    paced = _watched(tools, host, awk, 8)
    for n, uid in ((9, 1001), (10, 1002)):
        host.process(94, "sleeps", uid=uid)
        paced.brief(n)
    paced.end()
    assert [_groups(paced, n)["sleeps"][3] for n in range(8, 11)] == ["1000", "1001", "1002"]


def test_a_process_that_has_not_run_for_long_still_counts(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    host.process(94, "sleeps", threads=3, uid=1000, rss_kb=1800)
    paced = _watched(tools, host, awk, 12)
    paced.end()
    assert {_groups(paced, n)["sleeps"] for n in range(2, 13)} == {_groups(paced, 1)["sleeps"]}
    (walk,) = {sample.of("walk")[0] for sample in parse_samples(paced.answer.decode())}
    assert {"processes=2", "gone=0"} <= set(walk)


def test_a_number_given_out_anew_is_read_though_its_process_has_not_run_for_long(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.process(94, "worker", cgroup="/system.slice/old.service")
    paced = _watched(tools, host, awk, 8)
    host.remove(94)
    host.process(94, "worker", cgroup="/system.slice/new.service")
    host.newest_pid = 95  # around
    host.loadavg(host.tasks)
    paced.brief(9)
    paced.end()
    assert _groups(paced, 9)["worker"][2] == "/system.slice/new.service"


def test_the_program_for_a_diagnosis_takes_a_whole_sample_for_a_brief_one_and_reads_what_that_of_a_watch_reads(
    tree: Callable[..., Any], tools: Any, awk: str
) -> None:
    host = tree("v2")
    host.pids("/system.slice/web.service", 3, 4)
    host.process(90, "moves", cgroup="/system.slice/web.service")
    read = []
    for is_watch, line in ((True, "sample\n"), (False, "sample\n"), (False, "sample brief\n")):
        paced = tools.paced(str(host.root), awk, tools.kinds, is_watch=is_watch)
        paced.read_sample(1)
        paced.ask(line)
        paced.read_sample(2)
        paced.end()
        read.append([(record.kind, record.fields) for sample in parse_samples(paced.answer.decode()) for record in sample.records])
    records = [[record for record in found if record[0] not in {"end", "core_setup"}] for found in read]
    assert records[0] == records[1] == records[2]
