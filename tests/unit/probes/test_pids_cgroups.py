"""Joins over the records of task limits: blame, deltas, gaps. No unreadable value becomes a number."""

from typing import Any

from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.pids_cgroups import MOST_TASKS, LimitedCgroup, parse
from triagebook.runbooks.probes.records import Record, Sample

ALL = "all mode=v2 meaning={meaning} mount=/sys/fs/cgroup root=/ cgroups=9 finite={finite} absent=0 outside=0 whole=1 near={near}"
WALK = Record("walk", ("processes=50", "tasks=100", "total=100", "kernel_threads=20", "gone=0", "unscanned=0"))


def _sample(n: int, *elements: str, meaning: str = "forking", end: str = "truncated=", is_complete: bool = True) -> Sample:
    near = sum(" max " not in element for element in elements)
    summary = ALL.format(meaning=meaning, finite=near + 2, near=near)
    records = [Record("pids_cgroups", tuple(line.split())) for line in (summary, *(f"at {one}" for one in elements))]
    return Sample(n, (*records, WALK, Record("end", tuple(end.split()))), is_complete)


def _limits(*samples: Sample) -> dict[str, LimitedCgroup]:
    return {item.path: item for item in parse(samples).limited.items}


def test_one_element_with_all_its_facts() -> None:
    (item,) = parse([_sample(1, "/system.slice/web.service 182 180 12 ? 182")]).limited.items
    assert item == LimitedCgroup(
        path="/system.slice/web.service",
        kind="unit",
        unit="web.service",
        user="",
        manager="system",
        is_pids_meaning_local=False,
        current=180,
        max=182,
        room=2,
        refused=12,
        refused_delta=Unreadable("needs a second sample"),
        peak=182,
        least_room_above=MOST_TASKS,
        directory="/sys/fs/cgroup/system.slice/web.service",
    )


def test_least_room_comes_first_and_the_far_ones_are_counted() -> None:
    limited = parse([_sample(1, "/a.service 100 60 0 ? ?", "/b.service 100 99 0 ? ?", "/c.service 9 ? 0 ? ?")]).limited
    assert [item.path for item in limited.items] == ["/c.service", "/b.service", "/a.service"]
    assert (limited.partial, limited.counted) == ("", 2)


def test_refusals_are_blamed_on_the_least_room_of_the_path() -> None:
    limits = _limits(_sample(1, "/a.slice 10 10 0 ? ?", "/a.slice/b.service 100 10 3 ? ?", "/a.slice/c.service max ? 4 ? ?"))
    assert limits["/a.slice"].refused == 7
    assert limits["/a.slice/b.service"].refused == 0
    assert limits["/a.slice/b.service"].least_room_above == 0


def test_equal_rooms_are_all_blamed() -> None:
    limits = _limits(_sample(1, "/a.slice 20 10 0 ? ?", "/a.slice/b.service 20 10 3 ? ?"))
    assert [item.refused for item in limits.values()] == [3, 3]


def test_a_room_that_is_not_known_leaves_the_blame_open() -> None:
    limits = _limits(_sample(1, "/a.slice 10 ? 0 ? ?", "/a.slice/b.service 100 90 ? ? ?"))
    assert isinstance(limits["/a.slice"].refused, Unreadable)
    assert isinstance(limits["/a.slice/b.service"].refused, Unreadable)
    assert isinstance(limits["/a.slice/b.service"].least_room_above, Unreadable)


def test_own_counters_are_not_moved() -> None:
    limits = _limits(_sample(1, "/a.slice 10 10 8 ? ?", "/a.slice/b.service 100 90 1 ? ?", meaning="local"))
    assert {path: item.refused for path, item in limits.items()} == {"/a.slice": 8, "/a.slice/b.service": 1}


def test_deltas_add_up_over_the_samples_given() -> None:
    samples = [
        _sample(1, "/a.service 10 10 5 ? ?"),
        _sample(2, "/a.service 10 10 6 5 ?"),
        _sample(3, "/a.service 10 10 9 6 ?"),
    ]
    assert _limits(*samples)["/a.service"].refused_delta == 4
    assert _limits(*samples[1:])["/a.service"].refused_delta == 3
    assert _limits(samples[2])["/a.service"].refused_delta == Unreadable("needs a second sample")


def test_a_delta_that_is_not_known_is_not_zero() -> None:
    backwards = _limits(_sample(1, "/a.service 10 10 5 ? ?"), _sample(2, "/a.service 10 10 2 5 ?"))
    assert backwards["/a.service"].refused_delta == Unreadable("the counter went backwards between the samples")
    new = _limits(_sample(1), _sample(2, "/a.service 10 10 2 ? ?"))
    assert new["/a.service"].refused_delta == Unreadable("first seen in this sample")
    partly = _limits(
        _sample(1, "/a.slice 10 10 0 ? ?"),
        _sample(2, "/a.slice 10 10 0 0 ?", "/a.slice/b.service max ? 2 ? ?", "/a.slice/c.service max ? 4 1 ?"),
    )
    assert (partly["/a.slice"].refused, partly["/a.slice"].refused_delta) == (6, 3)
    only_new = _limits(_sample(1, "/a.slice 10 10 0 ? ?"), _sample(2, "/a.slice 10 10 0 0 ?", "/a.slice/b.service max ? 2 ? ?"))
    assert only_new["/a.slice"].refused_delta == Unreadable("first seen in this sample")


def test_a_second_sample_that_was_cut_leaves_the_first() -> None:
    samples = [_sample(1, "/a.service 10 10 5 ? ?"), _sample(2, "/a.service 10 3 5 5 ?", is_complete=False)]
    (item,) = parse(samples).limited.items
    assert (item.current, item.refused_delta) == (10, Unreadable("needs a second sample"))
    assert parse(samples).limited.partial == ""


def test_a_cut_answer_is_partial_and_its_zero_is_unknown() -> None:
    facts = parse([_sample(1, "/a.slice 10 10 0 ? ?", end="truncated=pids_cgroups cut.pids_cgroups=40")])
    assert facts.limited.partial == "40 more are not in the answer, which is bounded"
    assert isinstance(facts.limited.items[0].refused, Unreadable)
    alone = parse([_sample(1, "/a.slice 10 10 5 ? ?", is_complete=False)])
    assert alone.limited.partial == "the answer was cut"
    assert alone.limited.items[0].refused == 5


def test_a_view_of_a_part_is_partial() -> None:
    def with_walk(number: int = 1, **changes: object) -> Any:
        walk = {"processes": 50, "tasks": 100, "total": 100, "unscanned": 0, **changes}
        sample = _sample(1)
        records = [record for record in sample.records if record.kind != "walk"]
        fields = tuple(f"{key}={value}" for key, value in walk.items())
        return parse([Sample(number, (*records, Record("walk", fields)), True)]).limited.partial

    assert with_walk() == ""
    assert with_walk(tasks=91) == ""
    assert with_walk(tasks=85, total=100) == ""  # within what comes and goes
    assert with_walk(tasks=80, total=100) == "80 of 100 tasks are visible (hidepid, or a PID namespace)"
    assert with_walk(tasks=50, gone=48) == "50 of 100 tasks are visible (hidepid, or a PID namespace)"  # or they may not be read
    assert with_walk(2, tasks=50, gone=48) == "48 processes ended while we looked, so only 50 of 100 tasks were counted; ask again"
    assert with_walk(2, tasks=50, gone=3) == "50 of 100 tasks are visible (hidepid, or a PID namespace)"
    assert with_walk(unscanned=7) == "7 PIDs given out since the sample before were not looked at"
    assert with_walk(tasks="many") == "the processes were not read"


def test_limit_files_that_nobody_could_read_are_said() -> None:
    sample = _sample(1)
    summary = "all mode=v2 meaning=forking mount=/sys/fs/cgroup root=/ cgroups=5 finite=0 absent=4 outside=0 whole=1 near=0"
    facts = parse([Sample(1, (Record("pids_cgroups", tuple(summary.split())), *sample.records[1:]), True)])
    assert facts.limited.partial == "none of 4 cgroups has a limit file that could be read"
    facts = parse([Sample(1, (Record("pids_cgroups", ("all", "mode=v1", "mount=", "root=")), *sample.records[1:]), True)])
    assert "the pids controller's mount was not found" in facts.limited.partial
