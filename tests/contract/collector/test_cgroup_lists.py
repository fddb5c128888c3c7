"""Where many processes stand: the list of a cgroup's threads, read once, in place of what each of them says."""

from collections.abc import Callable
from typing import Any

import pytest

POOL, OTHER, ELSEWHERE = "/system.slice/pool.service", "/system.slice/other.service", "/said/by/the/process/itself"
ASKED = 8  # after so many of one cgroup its list is read


def _crowd(host: Any, *, threads: int = 1) -> None:
    for pid in range(101, 121):
        host.process(pid, f"worker-{pid}", threads=threads, cgroup=POOL)


def _claim(host: Any, pid: int, path: str = ELSEWHERE) -> None:
    """What /proc/PID/cgroup says from now on, whatever the lists do: it tells which of them was read."""
    host.write(f"proc/{pid}/cgroup", host.cgroup_lines(path))


def _places(facts: Any) -> dict[str, str]:
    return {group.comm: group.path for group in facts["process_groups"].groups.items}


def _once(tools: Any, host: Any, awk: str) -> Any:
    paced = tools.paced(str(host.root), awk, tools.kinds)
    ended = paced.end()
    assert (ended.status, ended.stderr) == (0, b"")
    return paced.facts()


@pytest.mark.parametrize("mode", ["v1", "v2", "hybrid"])
def test_the_list_of_a_crowded_cgroup_is_read_once(tree: Callable[..., Any], tools: Any, awk: str, mode: str) -> None:
    host = tree(mode)
    _crowd(host)
    host.pids(POOL, 20, 21)
    host.memory(POOL, 990_000, 1_000_000)
    for pid in (130, 132):
        host.process(pid, f"not listed-{pid}", threads=4, cgroup=POOL)
        host.place(pid, None)
    host.process(131, "large", threads=4, cgroup=POOL)
    host.process(133, "apart", threads=4, cgroup=OTHER)
    for pid in (101, 130, 131, 132):
        _claim(host, pid)
    facts = _once(tools, host, awk)
    places = _places(facts)
    assert places["large"] == POOL
    assert places["apart"] == OTHER
    assert places["not listed-130"] == places["not listed-132"] == ELSEWHERE
    assert places["worker-101"] == ELSEWHERE  # met before the list was read
    assert [item.path for item in facts["pids_cgroups"].limited.items] == [POOL]
    assert [item.path for item in facts["memory_cgroups"].limited.items] == [POOL]


def test_two_hierarchies_have_a_list_each(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v1")
    host.pids("/p", 20, 21)
    host.memory("/m", 990_000, 1_000_000)
    _crowd(host)
    for pid in range(101, 121):
        host.write(f"proc/{pid}/cgroup", "3:pids:/p\n2:memory:/m\n1:name=systemd:/s\n")
    for file, pids in (("pids/p", range(101, 121)), ("memory/m", range(101, 120))):
        host.write(f"sys/fs/cgroup/{file}/tasks", "".join(f"{pid}\n" for pid in pids))
    for pid in (119, 120):
        host.process(pid, f"last-{pid}", threads=4, cgroup=ELSEWHERE)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.end()
    facts = paced.facts()
    assert _places(facts)["last-119"] == "/p"
    assert _places(facts)["last-120"] == ELSEWHERE  # not in the list of memory's: it is asked
    assert [item.path for item in facts["memory_cgroups"].limited.items] == ["/m"]
    entered = {"/", "/init.scope", "/m", "/said", "/said/by", "/said/by/the", "/said/by/the/process", ELSEWHERE}
    assert f"\tmemory_cgroups\tall\tmode=v1\tmount=/sys/fs/cgroup/memory\troot=/\tcgroups={len(entered)}\t" in paced.answer.decode()


def test_the_list_is_left_alone_where_processes_have_many_threads(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    _crowd(host, threads=9)
    host.process(130, "threads", threads=10, cgroup=POOL)
    _claim(host, 130)
    assert _places(_once(tools, host, awk))["threads"] == ELSEWHERE


def test_a_cgroup_of_few_processes_is_not_listed(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    for pid in range(101, 101 + ASKED):
        host.process(pid, f"worker-{pid}", threads=4, cgroup=POOL)
    _claim(host, 100 + ASKED)
    assert _places(_once(tools, host, awk))[f"worker-{100 + ASKED}"] == ELSEWHERE


def test_who_moves_between_two_samples_is_seen_where_it_is(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    _crowd(host)
    host.process(130, "moves", threads=4, cgroup=POOL)
    paced = tools.paced(str(host.root), awk, tools.kinds)
    paced.read_sample(1)
    host.process(130, "moves", threads=4, cgroup=OTHER)
    paced.ask()
    paced.read_sample(2)
    paced.end()
    assert _places(paced.facts())["moves"] == OTHER


def test_where_there_is_no_list_every_process_is_asked(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v2")
    _crowd(host)
    host.process(130, "asked", threads=4, cgroup=POOL)
    for file in host.lists(POOL):
        file.unlink()
    assert _places(_once(tools, host, awk))["asked"] == POOL
