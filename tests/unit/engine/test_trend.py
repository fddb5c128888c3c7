"""Trends: what the guards let through, when a limit is reached, and where such a verdict stands among the others."""

import random
from dataclasses import replace

import pytest
from triagebook.runbooks.engine.conclude import Conclusion, conclude
from triagebook.runbooks.engine.heading import uses
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.trend import Point, Trend, trend_of
from triagebook.runbooks.library.cases import read_case
from triagebook.runbooks.probes.catalog import facts_types

from tests.runbooks import CATALOG

BOOK = CATALOG
RUNBOOK = BOOK.load("enomem")


def points(*used: float, limit: float = 1000, step_s: float = 10) -> list[Point]:
    return [Point(number * step_s, value, limit) for number, value in enumerate(used)]


def test_a_steady_rise_says_when_the_limit_is_reached() -> None:
    trend = trend_of(points(*range(100, 200, 10), limit=300))
    assert trend is not None
    assert trend.slope_per_s == pytest.approx(1.0)
    assert trend.r2 == pytest.approx(1.0)
    assert trend.seconds_to_limit == pytest.approx(110)
    assert (trend.readings, trend.span_s, trend.was_raised) == (10, 90, False)


def test_five_samples_are_too_few_and_six_are_enough() -> None:
    assert trend_of(points(10, 20, 30, 40, 50)) is None
    assert trend_of(points(10, 20, 30, 40, 50, 60)) is not None


@pytest.mark.parametrize(
    ("used", "why"),
    [
        ((50, 50, 50, 50, 50, 50, 50), "nothing moves"),
        ((70, 60, 50, 40, 30, 20, 10), "it falls"),
        ((10, 90, 10, 90, 10, 90, 10, 95), "a sawtooth"),
        ((10, 10, 10, 10, 10, 10, 10, 10, 10, 90), "a step at the end"),
        ((1000, 1005, 1010, 1015, 1020, 1025, 1030, 1035, 1040, 1045), "a rise of 4.5 %"),
    ],
)
def test_what_is_no_trend(used: tuple[float, ...], why: str) -> None:
    assert trend_of(points(*used, limit=5000)) is None, why


def test_a_rise_of_just_over_five_percent_counts() -> None:
    assert trend_of(points(1000, 1011, 1022, 1033, 1044, 1055, limit=5000)) is not None
    assert trend_of(points(1000, 1010, 1020, 1030, 1040, 1050, limit=5000)) is None


def test_noise_without_a_slope_gives_no_trend_however_often_it_is_looked_at() -> None:
    dice = random.Random(7)  # noqa: S311
    assert not [one for _ in range(300) if (one := trend_of(points(*(500 + dice.gauss(0, 40) for _ in range(60)))))]


def test_a_limit_that_was_raised_under_a_rise_is_postponed_not_cured() -> None:
    series = points(*range(100, 200, 10), limit=200)
    raised = [*series[:5], *(replace(point, limit=400) for point in series[5:])]
    trend = trend_of(raised)
    assert trend is not None
    assert trend.was_raised
    assert trend.seconds_to_limit == pytest.approx(210)


def test_times_that_stand_still_are_no_trend() -> None:
    assert trend_of([Point(5.0, float(used), 100) for used in range(10)]) is None


def facts_of(case: str) -> Facts:
    return read_case(BOOK.find("enomem"), case, facts_types(), RUNBOOK).history[-1]


def heading(seconds: float, span_s: float = 7 * 86400) -> Trend:
    return Trend(0.01, 0.95, 12, span_s, 100.0, 1000.0, seconds)


def concluded(case: str, key: tuple[str, str], seconds: float, span_s: float = 7 * 86400) -> Conclusion:
    return conclude(RUNBOOK, [facts_of(case)], {}, trends={key: heading(seconds, span_s)})


def test_a_trend_makes_a_healthy_host_a_warning_with_the_time_left() -> None:
    conclusion = concluded("healthy", ("threads_max", ""), 3600)
    assert conclusion.status == "warning"
    assert conclusion.verdict is not None
    assert (conclusion.verdict.cause, conclusion.verdict.active, conclusion.verdict.strength) == ("threads_max", "trend", "likely")
    assert "full in about 60 min" in conclusion.verdict.summary
    assert "36 tasks an hour" in conclusion.verdict.summary
    assert "The host is heading for kernel.threads-max: " in conclusion.headline


def test_what_is_full_next_week_is_no_news_and_what_is_full_in_days_is_only_possible() -> None:
    assert concluded("healthy", ("threads_max", ""), 8 * 86400).status == "healthy"
    verdict = concluded("healthy", ("threads_max", ""), 3 * 86400).verdict
    assert verdict is not None
    assert verdict.strength == "possible"


def test_a_minute_of_watching_foresees_no_day() -> None:
    assert concluded("healthy", ("threads_max", ""), 1500, span_s=60).status == "healthy"
    assert concluded("healthy", ("threads_max", ""), 1400, span_s=60).status == "warning"


def test_a_trend_ranks_behind_every_other_state() -> None:
    conclusion = concluded("pids-near", ("threads_max", ""), 60)
    assert conclusion.verdict is not None
    assert conclusion.verdict.active == "near"
    assert [verdict.active for verdict in conclusion.also] == ["trend"]


def test_what_matched_already_stays_and_is_said_to_grow() -> None:
    facts = facts_of("pids-near")
    key = next(use.key for use in uses(RUNBOOK, facts) if use.key[0] == "pids_cgroup")
    conclusion = conclude(RUNBOOK, [facts], {}, trends={key: replace(heading(600), was_raised=True)})
    assert conclusion.verdict is not None
    assert conclusion.verdict.active == "near"
    assert conclusion.also == ()
    assert "postponed, not cured" in conclusion.next[0]


def test_commit_accounting_has_no_trend_in_a_mode_where_it_refuses_nothing() -> None:
    assert not [use for use in uses(RUNBOOK, facts_of("healthy")) if use.key[0] == "overcommit"]
    assert [use for use in uses(RUNBOOK, facts_of("overcommit-near")) if use.key[0] == "overcommit"]


def test_a_matter_of_another_runbook_is_not_measured() -> None:
    assert not [use for use in uses(RUNBOOK, facts_of("memory-cgroup-near")) if use.key[0] == "cgroup_memory"]


def test_counted_refusals_come_with_the_use() -> None:
    facts = facts_of("pids-past")
    (use,) = [use for use in uses(RUNBOOK, facts) if use.key[0] == "pids_cgroup"]
    (counted,) = {group.refused for group in facts["pids"].limited.items if group.path == use.key[1]}  # type: ignore[attr-defined]
    assert counted > 1
    assert use.refused == counted
