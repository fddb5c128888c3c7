"""The parts of tests/bench that judge and draw; the measuring itself is `make bench` and `make bench-guard`."""

import json
import re
from xml.etree import ElementTree

import pytest

from tests.bench import guard, guide, report
from tests.bench.full import beside_the_thriftiest, slope
from tests.bench.measure import Figures


def figures(wall_s: float) -> Figures:
    return Figures(wall_s, 0.1, 20.0, 1)


def test_a_ratio_that_got_worse_by_half_fails_the_guard() -> None:
    recorded = {"over ssh / paramiko": 1.0, "this machine / python -c pass": 8.0}
    assert guard.worse(recorded, {"over ssh / paramiko": 1.4, "this machine / python -c pass": 12.0}) == {}
    assert guard.worse(recorded, {"over ssh / paramiko": 1.6}) == {"over ssh / paramiko": 1.6}


def test_a_ratio_of_which_nothing_is_recorded_fails_the_guard() -> None:
    assert guard.worse({}, {"new": 1.0}) == {"new": float("inf")}


def test_a_ratio_is_recorded_for_each_that_the_guard_measures() -> None:
    recorded = json.loads(guard.RECORDED.read_text())
    assert len(recorded) == 6
    assert all(0 < ratio < 20 for ratio in recorded.values())


def test_the_slope_of_wall_time_is_given_in_round_trips() -> None:
    single = {0: {"ours": figures(0.1)}, 100: {"ours": figures(0.4)}, 200: {"ours": figures(0.7)}}
    assert slope(single, "ours") == pytest.approx(3.0)
    assert slope({0: {"ours": figures(0.1)}}, "ours") is None


def test_a_fleet_is_compared_with_the_peer_that_spends_least() -> None:
    fleet = {"triagebook": Figures(1, 2.0, 20, 1), "dear": Figures(1, 9.0, 20, 1), "thrifty": Figures(9, 1.6, 20, 1)}
    target = beside_the_thriftiest(500, fleet)
    assert (target.what, target.measured, target.is_met) == ("500 hosts, client CPU / the thriftiest peer, thrifty", 1.25, False)


def test_a_promise_that_is_not_met_or_not_measured_says_so() -> None:
    table = report.targets([report.Target("a", 1 / 40, 0.05), report.Target("b", 0.4, 0.3), report.Target("c", 3.6, None)])
    assert table.splitlines()[2:] == [
        "| a | <= 1/40 | 1/20 | **no** |",
        "| b | <= 0.40 | 0.30 | yes |",
        "| c | <= 3.60 | not measured | |",
    ]


def test_a_promise_below_what_nothing_can_be_below_says_so() -> None:
    target = report.Target("a", 1 / 65, 1 / 27, floor=1 / 37, floor_is="three round trips alone")
    assert target.row() == "| a | <= 1/65 | 1/27 | **no**: three round trips alone are 1/37 |"
    assert report.Target("a", 1 / 30, 1 / 33, floor=1 / 37, floor_is="three round trips alone").row().endswith("| yes |")


def test_the_chart_is_well_formed_and_its_shortest_bar_is_on_top() -> None:
    drawing = ElementTree.fromstring(report.chart("a < b & c", {"slow": 40.0, "triagebook": 0.5}, "s"))  # noqa: S314 - ours
    texts = [text for element in drawing if (text := element.text) and not text.isspace()]
    assert texts == ["a < b & c", "triagebook", "0.50 s", "slow", "40.00 s", "bars on a logarithmic scale"]


def test_the_guide_has_seventeen_commands_that_stand_in_single_quotes() -> None:
    assert len(guide.COMMANDS) == 17
    assert not any(re.search(r"[\n\"]", command) for command in guide.COMMANDS)
