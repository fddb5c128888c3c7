import json
from collections.abc import Mapping
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.canonical import canonical_json, plan_digest
from triagebook.runbooks.engine.errors import PlanError
from triagebook.runbooks.engine.plan import (
    DIGEST_FIELDS,
    ISSUED_FIELDS,
    ORDER_FIELDS,
    CitedFact,
    Plan,
    PlannedValue,
    Rendering,
    make_plan,
)
from triagebook.runbooks.engine.plan_codec import as_mapping, decode, digest, encode

from tests.system.fixes import samples


def _other(value: object) -> object:
    """Some other value of the same type."""
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, tuple):
        return (*value, {PlannedValue: PlannedValue("a", "b", "c"), CitedFact: CitedFact("a", "b", "c"), str: "x"}[type(value[0])])
    assert isinstance(value, Mapping)
    return {**value, "another": "x"}


@pytest.mark.parametrize("name", [entry.name for entry in fields(Plan)])
def test_changing_any_field_changes_the_digest(name: str) -> None:
    plan = samples.plan()
    changed = replace(plan, **{name: _other(getattr(plan, name))})
    assert digest(changed) != digest(plan)


@pytest.mark.parametrize("name", ["changes", "facts"])
def test_changing_any_part_of_a_change_or_a_fact_changes_the_digest(name: str) -> None:
    plan = samples.plan()
    first, *rest = getattr(plan, name)
    for part in fields(first):
        changed = replace(first, **{part.name: getattr(first, part.name) + "x"})
        assert digest(replace(plan, **{name: (changed, *rest)})) != digest(plan), part.name


def test_the_digest_covers_exactly_the_fields_of_a_plan() -> None:
    assert sorted(DIGEST_FIELDS) == sorted(entry.name for entry in fields(Plan))
    assert set(as_mapping(samples.plan())) == set(DIGEST_FIELDS)


def test_no_line_of_an_order_is_uncovered() -> None:
    plan = samples.plan()
    assert set(ORDER_FIELDS) <= set(plan.order)
    for name in plan.order:
        tampered = replace(plan, order={**plan.order, name: "other"})
        assert digest(tampered) != digest(plan)


@pytest.mark.parametrize("name", [*ORDER_FIELDS, *ISSUED_FIELDS])
def test_an_action_cannot_set_the_lines_that_bind_an_order_to_its_host_and_plan(name: str) -> None:
    rendering = replace(samples.rendering(), order={name: "mine"})
    with pytest.raises(PlanError, match=name):
        make_plan(samples.diagnosis(), samples.request(), rendering)


def test_a_plan_survives_storing() -> None:
    plan = samples.plan()
    assert decode(encode(plan)) == plan


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw | {"approved": "true"},
        lambda raw: {name: value for name, value in raw.items() if name != "undo"},
        lambda raw: raw | {"schema": "triagebook/plan/v2"},
        lambda raw: raw | {"risk": 1},
        lambda raw: raw | {"changes": [{"what": "a", "now": "b", "then": "c", "also": "d"}]},
        lambda raw: raw | {"parameters": {"limit": 1.5}},
    ],
)
def test_a_stored_plan_with_an_odd_field_is_refused(edit: object) -> None:
    raw = json.loads(encode(samples.plan()))
    content = json.dumps(edit(raw), sort_keys=True, separators=(",", ":")).encode()  # type: ignore[operator]
    with pytest.raises(PlanError):
        decode(content)


def test_a_stored_plan_in_another_spelling_is_refused() -> None:
    with pytest.raises(PlanError, match="canonical"):
        decode(json.dumps(json.loads(encode(samples.plan()))).encode())


@given(st.binary(max_size=200))
def test_decoding_raises_nothing_but_plan_errors(content: bytes) -> None:
    with pytest.raises(PlanError):
        decode(content)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"limit": 1001}, "outside 101 to 1000"),
        ({"limit": 100}, "outside 101 to 1000"),
        ({"limit": "200"}, "expected an integer"),
        ({"limit": True}, "expected an integer"),
        ({"limt": 200}, "unknown parameter 'limt'"),
        ({"unit": "sshd.service"}, "cannot be changed"),
    ],
)
def test_a_parameter_outside_what_the_facts_allow_is_refused(parameters: dict[str, int | str], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        make_plan(samples.diagnosis(), samples.request(parameters=parameters), samples.rendering())


def test_what_is_not_offered_cannot_be_planned() -> None:
    with pytest.raises(
        PlanError, match=r"'raise_task_max' is not offered.*CAUSE FOUND: .*It offers: raise_tasks_max \(did you mean"
    ):
        make_plan(samples.diagnosis(), samples.request(remediation="raise_task_max"), samples.rendering())


@pytest.mark.parametrize("status", ["healthy", "unreachable", "inconclusive"])
def test_a_refusal_to_plan_says_what_the_diagnosis_found(status: str) -> None:
    nothing = {"verdict": None, "remediations": (), "status": status, "headline": "So it stands.."}
    with pytest.raises(PlanError) as refused:
        make_plan(replace(samples.diagnosis(), **nothing), samples.request(), samples.rendering())
    found = f"The host was diagnosed just now: {status.upper()}: So it stands"
    assert str(refused.value) == f"web-01: 'raise_tasks_max' is not offered. {found}. It offers no change"


def test_a_cause_that_is_not_established_cannot_be_planned() -> None:
    with pytest.raises(PlanError, match="not established"):
        make_plan(replace(samples.diagnosis(), verdict=None), samples.request(), samples.rendering())


def test_an_unreadable_fact_is_shown_as_such() -> None:
    assert samples.plan().facts[1] == CitedFact("pids[worker].refused", "unreadable: permission denied", "pids.events")


def test_a_long_reason_is_cut() -> None:
    plan = make_plan(samples.diagnosis(), samples.request(reason="r" * 1000), samples.rendering())
    assert len(plan.reason) == 300


def test_an_empty_rendering_still_names_host_and_action() -> None:
    plan = make_plan(samples.diagnosis(), samples.request(), Rendering((), (), (), {}))
    assert set(plan.order) == set(ORDER_FIELDS)


def test_canonical_json_follows_rfc_8785() -> None:
    # the sorting example of RFC 8785, 3.2.3
    value = {"\u20ac": "Euro", "\r": "CR", "\ufb33": "Dalet", "1": "One", "\U0001f600": "Face", "\u0080": "C", "ö": "O"}
    assert [*json.loads(canonical_json(value))] == ["\r", "1", "\u0080", "ö", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical_json({"b": ['\x1f"\\\n/', -1], "a": {}}) == rb'{"a":{},"b":["\u001f\"\\\n/",-1]}'


@pytest.mark.parametrize("value", [1.0, True, None, 2**53, -(2**53), {1: "x"}, "\ud800", b"x", [[[[None]]]]])
def test_canonical_json_refuses_what_has_no_one_spelling(value: object) -> None:
    with pytest.raises(PlanError):
        canonical_json(value)


@given(
    st.recursive(
        st.text() | st.integers(-(2**53) + 1, 2**53 - 1),
        lambda leaf: st.lists(leaf) | st.dictionaries(st.text(), leaf),
        max_leaves=8,
    )
)
def test_canonical_json_reads_back(value: object) -> None:
    assert json.loads(canonical_json(value)) == value
    assert plan_digest(value) == plan_digest(json.loads(canonical_json(value)))
