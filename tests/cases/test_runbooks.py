"""The product's runbooks against their cases, and the cases against the runbooks: each state is proved by one at least."""

import json
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from triagebook.runbooks.engine import canonical
from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.judge import needs
from triagebook.runbooks.engine.model import Runbook
from triagebook.runbooks.engine.plain_data import from_plain
from triagebook.runbooks.library.cases import Case, read_cases, run_case
from triagebook.runbooks.library.coverage import gaps, mutations
from triagebook.runbooks.probes.catalog import facts_types

from tests.runbooks import CATALOG

ENTRIES = {entry.name: entry for entry in CATALOG.entries()}
CASES = [pytest.param(entry.name, file.stem, id=f"{entry.name}-{file.stem}") for entry in ENTRIES.values() for file in entry.cases]


@cache
def runbook(name: str) -> Runbook:
    return CATALOG.load(name)


@cache
def cases(name: str) -> dict[str, Case]:
    """All cases of a runbook: read when the first test wants one, since reading them takes seconds."""
    return {case.name: case for case in read_cases(ENTRIES[name], facts_types(), runbook(name))}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_the_case_is_concluded_as_it_must_be(name: str, case: str) -> None:
    assert run_case(runbook(name), cases(name)[case]).failures == ()


@cache
def mutants(name: str) -> dict[str, Runbook]:
    return dict(mutations(runbook(name)))


def newest(name: str) -> bool:
    """Whether no later version of that runbook is here. What is superseded is locked: long runs try its proofs and mutants."""
    return ENTRIES[name] == max(
        (one for one in ENTRIES.values() if one.id == ENTRIES[name].id), key=lambda one: [*map(int, one.version.split("."))]
    )


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if newest(name) else [pytest.mark.long]) for name in ENTRIES])
def test_cases_prove_every_state_clearing_unknown_offer_and_advice(name: str) -> None:
    assert len(cases(name)) >= 40, name
    assert gaps(runbook(name), tuple(cases(name).values())) == ()


MUTANTS = [
    pytest.param(name, label, id=f"{name}-{label}", marks=[] if newest(name) else [pytest.mark.long])
    for name in ENTRIES
    for label in mutants(name)
]


@pytest.mark.parametrize(("name", "label"), MUTANTS)
def test_changing_one_state_of_the_runbook_makes_a_case_fail(name: str, label: str) -> None:
    check = label.partition(".")[0]
    likely_first = sorted(cases(name).values(), key=lambda case: case.expect.get("cause") != check)
    assert any(run_case(mutants(name)[label], case).failures for case in likely_first), f"no case notices {label}"


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_healthy_host_is_asked_for_a_second_sample_only_where_it_once_refused(name: str, case: str) -> None:
    """Whether a counter of refused connections still grows is seen in two looks only."""
    proved = cases(name)[case]
    wanted = needs(runbook(name), proved.history[0], 1, proved.inputs)
    if proved.expect["status"] == "healthy":
        assert not wanted or getattr(proved.history[0].get("net"), "overflows", 0) > 0
    elif proved.expect.get("active") in {"now", "at_limit", "past"}:
        assert wanted.sample


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(data=st.data())
def test_no_unreadable_fact_ever_clears_a_check(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(ENTRIES)))
    case = data.draw(st.sampled_from(list(cases(name).values())))
    before = {check.id: check.outcome for check in conclude(runbook(name), case.history, case.inputs).checks}
    asked = {
        name for name, value in case.history[-1].items() if getattr(type(value), "IS_ASKED", False)
    }  # no answer clears (ADR 0190)
    blinded = {name: value if name in asked else blind(value, data) for name, value in case.history[-1].items()}
    after = {check.id: check.outcome for check in conclude(runbook(name), [*case.history[:-1], blinded], case.inputs).checks}
    assert not [name for name in before if before[name] != "cleared" and after[name] == "cleared"]


@cache
def hints_of(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def blind(value: Any, data: st.DataObject) -> Any:
    """The facts with some of what may be unreadable made so, and some collections made partial."""
    if isinstance(value, Collection):
        items = tuple(blind(item, data) for item in value.items)
        return replace(value, items=items, partial=value.partial or data.draw(st.sampled_from(["", "cut"])))
    if not is_dataclass(value) or isinstance(value, Unreadable):
        return value
    hints = hints_of(type(value))
    changed = {}
    for entry in fields(value):
        if Unreadable in get_args(hints[entry.name]):
            hide = data.draw(st.booleans())
            changed[entry.name] = Unreadable("permission denied") if hide else getattr(value, entry.name)
        else:
            changed[entry.name] = blind(getattr(value, entry.name), data)
    return replace(value, **changed)  # type: ignore[type-var]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_canonical_form_survives_a_round_trip(name: str) -> None:
    again = from_plain(Runbook, json.loads(canonical.runbook_json(runbook(name))))
    assert again == runbook(name)
    assert canonical.runbook_digest(again) == runbook(name).digest
    assert cases(name), name
