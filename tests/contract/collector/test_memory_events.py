"""Counters at memory limits: whose limit refused, who was killed from above, what is gone, and who would be killed next."""

from collections.abc import Callable
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable

KIND = ("host", "memory_events")
GROUPS = "sys/fs/cgroup"


def events(host: Any, path: str, *, local: dict[str, int] | None = None, **below: int) -> None:
    """A group's counters of v2: `below` with all below it, `local` its own where they differ."""
    names = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")
    for name, counted in (("memory.events", below), ("memory.events.local", below if local is None else local)):
        host.write(f"{GROUPS}{path}/{name}", "".join(f"{key} {counted.get(key, 0)}\n" for key in names))


def use(host: Any, path: str, *, current: int, maximum: object = "max", **stat: int) -> None:
    host.write(f"{GROUPS}{path}/memory.max", f"{maximum}\n")
    host.write(f"{GROUPS}{path}/memory.current", f"{current}\n")
    host.write(f"{GROUPS}{path}/memory.high", "max\n")
    host.write(f"{GROUPS}{path}/memory.swap.max", "max\n")
    host.write(f"{GROUPS}{path}/memory.swap.current", "0\n")
    host.write(f"{GROUPS}{path}/memory.stat", "".join(f"{key} {value}\n" for key, value in stat.items()))
    host.write(f"{GROUPS}{path}/memory.pressure", "some avg10=9.00 avg60=1.00 total=5\nfull avg10=7.50 avg60=1.00 total=5\n")


def read(host: Any, tools: Any, awk: str, change: Callable[[], None] | None = None) -> Any:
    """The facts of one sample, or of two with a change in between."""
    paced = tools.paced(str(host.root), awk, KIND)
    paced.read_sample(1)
    if change:
        change()
        paced.ask()
        paced.read_sample(2)
    assert paced.end().status == 0
    return paced.facts()["memory_events"]


@pytest.fixture
def host(tree: Callable[..., Any]) -> Any:
    made = tree("v2")
    made.process(90, "batch", cgroup="/system.slice/batchd.service", rss_kb=90000)
    made.write("sys/devices/system/node/online", "0\n")
    events(made, "/init.scope")
    events(made, "/system.slice", local={})
    return made


def test_the_limit_that_refused_is_named_with_what_it_holds(host: Any, tools: Any, awk: str) -> None:
    path = "/system.slice/batchd.service"
    events(host, "/system.slice", local={}, max=40, oom=2, oom_kill=2)
    events(host, path, max=40, oom=2, oom_kill=2)
    stat = {"anon": 30000000, "file": 4000000, "kernel": 6000000, "shmem": 3000000, "slab_reclaimable": 1000000}
    use(host, path, current=47000000, maximum=50331648, **stat)

    def kill() -> None:
        events(host, "/system.slice", local={}, max=44, oom=3, oom_kill=3)
        events(host, path, max=44, oom=3, oom_kill=3)

    found = read(host, tools, awk, kill)
    (owner,) = found.owners.items
    assert (owner.path, owner.unit, owner.kind, owner.ooms, owner.ooms_delta, owner.kills, owner.kills_delta) == (
        *(path, "batchd.service", "unit", 3, 1, 3, 1),
    )
    assert (owner.max_bytes, owner.current_bytes, owner.held_bytes, owner.shared_bytes) == (50331648, 47000000, 38000000, 3000000)
    assert (owner.victims, owner.is_counted, owner.pressure_full_avg10) == ("batchd.service", True, 7.5)
    assert isinstance(owner.high_bytes, Unreadable)
    assert (found.gone.items, found.kills_from_above, found.kills_mixed, found.limit_ooms_delta) == ((), 0, 0, 1)
    assert found.owners.partial == ""


def test_a_slice_without_a_process_is_known_by_the_first_level(host: Any, tools: Any, awk: str) -> None:
    events(host, "/acme.slice", local={"max": 35, "oom": 1}, max=35, oom=1, oom_kill=1)
    use(host, "/acme.slice", current=4096, maximum=67108864, anon=0)
    found = read(host, tools, awk)
    assert [(one.path, one.ooms, one.kills, one.unit) for one in found.owners.items] == [("/acme.slice", 1, 1, "acme.slice")]
    assert (found.gone.items, found.kills_counted) == ((), 1)


def test_a_victim_of_the_host_is_told_from_one_of_a_limit(host: Any, tools: Any, awk: str) -> None:
    events(host, "/system.slice", local={}, oom_kill=1)
    events(host, "/system.slice/batchd.service", oom_kill=1)
    found = read(host, tools, awk)
    assert (found.kills_from_above, found.killed_from_above, found.kills_mixed) == (1, "system.slice", 0)
    assert (found.owners.items, found.gone.items, found.has_many_nodes) == ((), (), False)


def test_a_unit_killed_from_above_shows_beside_other_limits(host: Any, tools: Any, awk: str) -> None:
    events(host, "/system.slice", local={}, oom=5, oom_kill=8)
    events(host, "/system.slice/batchd.service", oom_kill=1)
    found = read(host, tools, awk)
    assert (found.kills_from_above, found.killed_from_above, found.kills_mixed) == (1, "batchd.service", 2)
    assert [(one.path, one.ooms, one.kills) for one in found.gone.items] == [("/system.slice", 5, 7)]


def test_what_a_restarted_unit_counted_is_left_to_the_slice(host: Any, tools: Any, awk: str) -> None:
    events(host, "/system.slice", local={}, max=35, oom=1, oom_kill=1)
    events(host, "/system.slice/batchd.service")

    def again() -> None:
        events(host, "/system.slice", local={}, max=70, oom=2, oom_kill=2)

    found = read(host, tools, awk, again)
    assert [(one.path, one.unit, one.ooms, one.ooms_delta) for one in found.gone.items] == [("/system.slice", "system.slice", 2, 1)]
    assert (found.owners.items, found.kills_from_above) == ((), 0)


def test_a_limit_above_is_to_blame_for_what_is_below(host: Any, tools: Any, awk: str) -> None:
    host.process(91, "api", cgroup="/acme.slice/api.service")
    events(host, "/acme.slice", local={"max": 9, "oom": 2}, max=9, oom=2, oom_kill=2)
    events(host, "/acme.slice/api.service", local={"oom_kill": 2}, oom_kill=2)
    use(host, "/acme.slice", current=10, maximum=67108864, anon=5)
    found = read(host, tools, awk)
    assert [(one.path, one.victims) for one in found.owners.items] == [("/acme.slice", "api.service")]
    assert found.kills_from_above == 0


def test_page_cache_at_the_limit_is_read_and_a_group_far_from_it_is_not(host: Any, tools: Any, awk: str) -> None:
    for name, current in (("cache", 50000000), ("calm", 20000000)):
        path = f"/system.slice/{name}.service"
        host.process(92 + len(name), name, cgroup=path)
        events(host, path, max=7)
        use(host, path, current=current, maximum=50331648, anon=1000, file=current)
    found = read(host, tools, awk)
    assert [(one.path, one.held_bytes) for one in found.owners.items] == [
        ("/system.slice/cache.service", Unreadable("could not be read"))
    ]


def test_a_group_that_memory_high_slows_down_is_told(host: Any, tools: Any, awk: str) -> None:
    path = "/system.slice/batchd.service"
    events(host, path, high=3489)
    use(host, path, current=32714752, anon=30000000)
    host.write(f"{GROUPS}{path}/memory.high", "31457280\n")
    found = read(host, tools, awk, lambda: events(host, path, high=3500))
    assert [(one.path, one.high_bytes, one.high_hits_delta, one.pressure_full_avg10) for one in found.throttled.items] == [
        (path, 31457280, 11, 7.5)
    ]
    assert found.owners.items == ()


@pytest.mark.parametrize("tame", [0, 1])
def test_version_1_counts_the_kill_at_the_victim_only(tree: Callable[..., Any], tools: Any, awk: str, tame: int) -> None:
    host = tree("v1")
    host.process(90, "batch", cgroup="/domain/sub")
    for path, limit, failed, killed in (("/domain", 67108864, 98, 0), ("/domain/sub", 9223372036854771712, 0, 1)):
        there = f"{GROUPS}/memory{path}"
        host.write(f"{there}/memory.limit_in_bytes", f"{limit}\n")
        host.write(f"{there}/memory.usage_in_bytes", "67100000\n")
        host.write(f"{there}/memory.failcnt", f"{failed}\n")
        host.write(f"{there}/memory.oom_control", f"oom_kill_disable {tame}\nunder_oom {tame}\noom_kill {killed}\n")
    found = read(host, tools, awk, lambda: host.write(f"{GROUPS}/memory/domain/memory.failcnt", "120\n"))
    (owner,) = [one for one in found.owners.items if one.path == "/domain"]
    assert (owner.ooms, owner.kills, owner.is_counted, owner.victims, owner.is_stuck) == (1, 1, False, "/domain/sub", tame)
    assert (owner.ooms_delta, found.limit_ooms_delta, found.kills_from_above) == (0, 22, 0)


def test_a_kill_below_no_limit_of_version_1_came_from_above(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    host = tree("v1")
    host.process(90, "batch", cgroup="/system.slice/batchd.service")
    there = f"{GROUPS}/memory/system.slice/batchd.service"
    host.write(f"{there}/memory.limit_in_bytes", "9223372036854771712\n")
    host.write(f"{there}/memory.failcnt", "0\n")
    host.write(f"{there}/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    found = read(host, tools, awk)
    assert (found.kills_from_above, found.killed_from_above, found.owners.items) == (2, "batchd.service", ())


def test_the_largest_are_scored_and_programs_that_kill_are_named(host: Any, tools: Any, awk: str) -> None:
    host.write("proc/90/oom_score", "0\n")
    host.write("proc/90/oom_score_adj", "-1000\n")
    host.process(95, "earlyoom", cgroup="/system.slice/earlyoom.service")
    found = read(host, tools, awk)
    first = found.largest.items[0]
    assert (first.comm, first.rss_bytes, first.adj, first.score, found.spared) == ("batch", 92160000, -1000, 0, "batch (PID 90)")
    assert found.early_killers == "earlyoom (earlyoom.service)"
    assert isinstance(found.largest.items[1].adj, Unreadable)


def test_counters_that_cannot_be_read_are_not_zero(tree: Callable[..., Any], tools: Any, awk: str) -> None:
    found = read(tree("v2"), tools, awk)
    assert isinstance(found.kills_counted, Unreadable)
    assert isinstance(found.kills_from_above, Unreadable)
    assert found.owners.partial
