"""CEL rules: paths and types checked at load, three values at run time."""

from dataclasses import dataclass
from typing import Any, cast

import pytest
from triagebook.runbooks.engine import rules
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.expressions import compile_cel, matches, run
from triagebook.runbooks.engine.facts import Collection, Unreadable, as_context
from triagebook.runbooks.engine.rule_check import NameScope, check_rule


@dataclass(frozen=True)
class Group:
    path: str
    room: int | Unreadable
    load: float | Unreadable
    is_hot: bool


@dataclass(frozen=True)
class Groups:
    limited: Collection[Group]
    total: int | Unreadable


SCOPE = NameScope({"groups": Groups, "it": Group, "inputs": {"unit": str}})


def group(room: int | Unreadable = 3, load: float | Unreadable = 0.5) -> Group:
    return Group("/a", room, load, is_hot=True)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("it.rom <= 0", "unknown fact 'it.rom' (did you mean 'it.room'?)"),
        ("its.room <= 0", "unknown name 'its' (did you mean 'it'?)"),
        ("it.room <= 0.5 * it.room", "'it.room <= 0.5 * it.room': Unsupported operation"),
        ("it.room", "'it.room' is int, not a condition"),
        ("it.room <=", "not CEL: "),
        ("it.path.matches('a')", "unknown function 'matches'"),
        ("groups.limited.exists(g, g.room < 1)", "unknown function 'exists'"),
        ("groups.limited[0].room < 1", "indexing and literals of lists and maps are not allowed"),
        ("has(it.room)", "has() only as `!has(x) && ...`"),
        ("it.is_hot && it.path == 3 + 1.5", "'it.path == 3 + 1.5': "),
    ],
)
def test_a_wrong_rule_is_refused_before_a_host_is_seen(expression: str, message: str) -> None:
    with pytest.raises(RunbookError) as caught:
        check_rule(expression, SCOPE, is_condition=True)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "it.room <= 0 && it.path.startsWith('/a')",
        "min(it.room, groups.total) < 7",
        "it.load > 5.0",
        "it.is_hot || inputs.unit == 'x'",
    ],
)
def test_a_right_rule_is_accepted(expression: str) -> None:
    check_rule(expression, SCOPE, is_condition=True)


def test_presence_may_be_asked_only_in_its_one_form() -> None:
    check_rule("!has(it.room) && groups.total > 3", SCOPE, is_condition=True, may_ask_presence=True)
    with pytest.raises(RunbookError, match="only as"):
        check_rule("has(it.room) && groups.total > 3", SCOPE, is_condition=True, may_ask_presence=True)


def test_values_are_computed_from_readable_facts() -> None:
    assert rules.evaluate("it.room * 2 + 1", {"it": group(3)}) == 7
    assert rules.evaluate("max(it.room, 9)", {"it": group(3)}) == 9


def test_an_unreadable_fact_makes_the_rule_unreadable_with_its_reason() -> None:
    facts = {"it": group(Unreadable("permission denied"))}
    assert rules.evaluate("it.room <= 0", facts) == Unreadable("permission denied")
    assert rules.evaluate("inputs.unit == 'x'", {"inputs": {}}) == Unreadable("unit was not given")


def test_logic_absorbs_what_it_can_without_the_unreadable_fact() -> None:
    facts = {"it": group(Unreadable("gone"))}
    assert rules.evaluate("it.room <= 0 || it.is_hot", facts) is True
    assert rules.evaluate("it.room <= 0 && !it.is_hot", facts) is False
    assert rules.evaluate("it.room <= 0 && it.is_hot", facts) == Unreadable("gone")
    assert rules.evaluate("!has(it.room) && it.is_hot", facts) is True


def test_a_rule_that_fails_on_readable_facts_is_a_fault_of_the_runbook() -> None:
    with pytest.raises(rules.RuleError, match="division by zero"):
        rules.evaluate("10 / (it.room - 3) > 1", {"it": group(3)})


def test_patterns_run_in_linear_time() -> None:
    assert not matches("(a+)+$", "a" * 40000 + "b")
    with pytest.raises(RunbookError, match="not a regular expression"):
        matches("(", "x")


@pytest.mark.parametrize(
    "expression",
    [
        "it.room * 2 + 1 > limits . most && !it.is_hot",
        "it.name == 'it.room' || it.name.startsWith('ro') || 'has(it.room)' == it.name",
        "!has(it.room) && limits.most > 3",
        "has( it.room ) && it.room > 2",
        "min(it.room, limits.most) + max(1, it.room)",
        "size(it.name) > 2 ? it.name : string(it.room)",
        "it.name in it.names && true",
        "it.share * 2.0 < 1.5",
        "it.room > 2 && it.is_hot",
        "it.is_hot && it.room > 2",
        "it.room > 2 || !it.is_hot",
        "!it.is_hot || it.room > 2",
        "it.share < 0.1 && (it.room * 2 > 7 || it.room == limits.most)",
        "(it.room > 1 || it.share < 1.0) && !(it.room > 5 && it.is_hot)",
        "!has(it.room) || it.room == 9",
        "has(it.room) ? it.room : 4",
        "it.is_hot ? it.room : limits.most",
        "limits.most",
        "it.room",
        "it.names",
        "true",
    ],
)
@pytest.mark.parametrize("room", [0, 3, 9, Unreadable("gone")])
def test_an_expression_means_the_same_over_variables_and_over_mappings(expression: str, room: object) -> None:
    it = {"room": room, "is_hot": False, "name": "root", "names": ("root", "x"), "share": 0.5}
    facts = {"it": it, "limits": {"most": 7}}
    try:
        over_mappings = run(expression, cast(dict[str, Any], as_context(facts)))
    except (KeyError, RuntimeError, TypeError, ValueError):
        over_mappings = room
    assert rules.evaluate(expression, facts) == over_mappings
    assert list(rules.evaluate_each((expression, "limits.most == 7"), facts)) == [over_mappings, True]
    groups = ((expression,), ("limits.most == 7", expression), ("limits.most < 7",))
    assert [list(values) for values in rules.evaluate_groups(groups, facts)] == [[over_mappings], [True, over_mappings], [False]]


def test_a_missing_fact_costs_no_run_for_each_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def count(expression: str, context: dict[str, Any]) -> Any:
        ran.append(expression)
        return run(expression, context)

    monkeypatch.setattr(rules, "run", count)
    facts = {"it": group(Unreadable("gone")), "limits": {"most": 7}}
    groups = (("limits.most > 7", "it.room > 3"), ("has(it.room) && it.room > 3", "limits.most == 7"), ("it.load > 5.0",))
    values = [list(found) for found in rules.evaluate_groups(groups, facts)]
    assert values == [[False, Unreadable("gone")], [False, True], [False]]
    assert len(ran) == 1


def test_what_is_compiled_beforehand_is_what_a_sample_without_those_facts_is_judged_by() -> None:
    groups = (("prepared.a > 1 && has(program.b) && program.b > 2",), ("prepared.a < 4",))
    rules.get_ready(groups, {"program"})
    before = compile_cel.cache_info().misses
    assert [list(found) for found in rules.evaluate_groups(groups, {"prepared": {"a": 3}})] == [[False], [True]]
    assert compile_cel.cache_info().misses == before
