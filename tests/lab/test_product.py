"""Broken guests of one release, diagnosed by the product's command line: four in `make test`, eight in `make lab-long`.

`make lab` runs all scenarios, on all releases.
"""

from collections.abc import Iterator

import pytest

from tests import lab
from tests.lab.judgement import judge, verdicts_of, wrong_with

FOUR = ("healthy", "unit-tasksmax", "user-nproc", "two-at-once")
MORE = ("slice-tasksmax", "threads-max", "overcommit-ratio", "max-map-count")


@pytest.fixture(scope="module")
def guest() -> Iterator[list[lab.Machine]]:
    """A guest, in a list so that a test may put a fresh one in its place."""
    try:
        machine = lab.up("debian-12", "product")
    except lab.NotAvailable as why:
        pytest.skip(str(why))
    kept = [machine]
    yield kept
    lab.down(kept[0].name)


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", [*FOUR, *(pytest.param(name, marks=pytest.mark.long) for name in MORE)])
def test_a_real_broken_guest_is_diagnosed_rightly(guest: list[lab.Machine], scenario: str) -> None:
    guest[0] = lab.reset(guest[0])
    judgements = judge(guest[0], scenario, lab.SCENARIOS[scenario])
    assert judgements
    assert [wrong for judgement in judgements for wrong in judgement.wrong] == []


def test_the_judge_tells_a_wrong_answer_from_a_right_one() -> None:
    scenario = lab.SCENARIOS["unit-tasksmax"]
    culprit = {"id": "/system.slice/worker.service", "unit": "worker.service", "user": ""}
    right = {
        "cause": "pids_cgroup",
        "active": "now",
        "strength": "certain",
        "culprit": culprit,
        "limit": {"value": 24},
        "consumers": [],
    }
    answer = {"status": "cause_found", "verdict": right, "also": []}
    assert wrong_with(answer, scenario) == []
    assert verdicts_of(answer) == [right]
    for wrong in (
        {**right, "cause": "pid_max"},
        {**right, "active": "past"},
        {**right, "limit": {"value": 25}},
        {**right, "culprit": {**culprit, "unit": "other.service"}},
    ):
        assert wrong_with({**answer, "verdict": wrong}, scenario)
    assert wrong_with({**answer, "also": [{**right, "cause": "overcommit", "active": "at_limit"}]}, scenario)
    assert wrong_with({"status": "healthy", "verdict": None, "also": []}, scenario)
    assert wrong_with(answer, lab.SCENARIOS["healthy"])
    unseen = lab.SCENARIOS["dead-pid-namespace"]
    said = {"status": "inconclusive", "headline": f"Nothing is full; {unseen.unseen_says}.", "verdict": None, "also": []}
    assert wrong_with(said, unseen) == []
    assert wrong_with({**said, "status": "healthy"}, unseen)
    assert wrong_with({**said, "headline": "Nothing is full."}, unseen)
