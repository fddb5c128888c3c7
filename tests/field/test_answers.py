"""What is thought of an answer in the laboratory of the world, and the table of those that were given."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from triagebook.bot.cli.diagnose import EXIT_STATUS

from tests.lab.field import HEADER, NO_TRACE, RECIPES, SOURCES, judge
from tests.lab.field_recipes import Recipe
from tests.lab.releases import RELEASES
from tests.runbooks import CATALOG

ROWS = [line.split("\t") for line in Path(__file__).with_name("askings.tsv").read_text().splitlines()]
REFUSED = Recipe("a limit", "", "fork: Resource temporarily unavailable", cause="pids_cgroup")
HIDDEN = Recipe("a limit", "", "fork: Resource temporarily unavailable", cause="user_nproc", leaves_no_trace="it has no counter")
SOUND = Recipe("nothing is wrong", "", "fork: Resource temporarily unavailable")


def answer(status: str, cause: str = "", explains: str = "yes", headline: str = "") -> dict[str, Any]:
    """An answer with at most one verdict."""
    verdict = {"cause": cause, "explains_symptom": explains} if cause else None
    return {"status": status, "verdict": verdict, "also": [], "headline": headline, "caveats": [], "next": []}


LOCKED = replace(REFUSED, may_refuse_logins=True)
SUSPECTING = answer("unreachable") | {"next": ["Not judged without a session, but it would fit: pids_cgroup."]}


@pytest.mark.parametrize(
    ("recipe", "given", "has_text", "thought"),
    [
        (REFUSED, answer("cause_found", "pids_cgroup"), True, "named"),
        (REFUSED, answer("cause_found", "pids_cgroup", "no"), True, "denied"),
        (REFUSED, answer("inconclusive"), True, "open"),
        (REFUSED, answer("healthy", headline=NO_TRACE), False, "healthy_while_refused"),
        (REFUSED, answer("unreachable"), True, "no_answer"),
        (REFUSED, SUSPECTING, True, "no_answer"),
        (LOCKED, SUSPECTING, True, "named"),
        (LOCKED, answer("unreachable"), False, "no_answer"),
        (HIDDEN, answer("healthy", headline=f"It {NO_TRACE}."), False, "now"),
        (HIDDEN, answer("healthy"), False, "healthy_while_refused"),
        (HIDDEN, answer("healthy", headline=NO_TRACE), True, "healthy_while_refused"),
        (SOUND, answer("cause_found", "user_nproc"), True, "found_on_healthy"),
        (SOUND, answer("inconclusive", "user_nproc"), True, "right"),
    ],
)
def test_an_answer_is_judged_by_what_is_true_in_the_guest(
    recipe: Recipe, given: dict[str, Any], has_text: bool, thought: str
) -> None:
    assert judge(recipe, given, has_text=has_text) == thought


def test_a_recipe_names_a_cause_of_the_runbook_or_a_phrase() -> None:
    checks = {name: {check.id for check in CATALOG.load(name).checks} for name in {one.runbook for one in RECIPES.values()}}
    assert [name for name, one in RECIPES.items() if not checks[one.runbook].issuperset(one.cause.split()) and not one.names] == []


def test_the_table_is_of_recipes_and_releases_that_exist_and_each_was_asked_four_ways() -> None:
    assert "\t".join(ROWS[0]) == HEADER
    assert {row[0] for row in ROWS[1:]} <= set(RELEASES)
    assert {row[1] for row in ROWS[1:]} <= set(RECIPES)
    assert [row for row in ROWS[1:] if EXIT_STATUS[row[4]] != int(row[5])] == []
    asked = {(row[0], row[1]) for row in ROWS[1:]}
    assert len({tuple(row[:4]) for row in ROWS[1:]}) == len(ROWS) - 1 == 4 * len(asked)


def test_a_recipe_has_a_name_of_its_own() -> None:
    """Two of one name: the later one is asked, and its answers take the place of the other's rows."""
    assert [name for name, count in Counter(name for source in SOURCES for name in source).items() if count > 1] == []
