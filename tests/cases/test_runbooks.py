"""The product's runbooks against their cases, and the cases against the runbooks: each state is proved by one at least."""

import json
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from triagebook.runbooks.engine import canonical
from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.model import Runbook
from triagebook.runbooks.engine.plain_data import from_plain
from triagebook.runbooks.engine.triage import needs
from triagebook.runbooks.library.cases import Case, read_cases, run_case
from triagebook.runbooks.library.catalog import RunbookVersion, catalog
from triagebook.runbooks.library.coverage import gaps, mutations
from triagebook.runbooks.probes.catalog import facts_types

CATALOG = catalog()
RUNBOOKS: list[tuple[RunbookVersion, Runbook, tuple[Case, ...]]] = [
    (entry, runbook := CATALOG.load(entry.name), read_cases(entry, facts_types(), runbook)) for entry in CATALOG.entries()
]
CASES = [pytest.param(runbook, case, id=f"{entry.name}-{case.name}") for entry, runbook, cases in RUNBOOKS for case in cases]
BY_RUNBOOK = [pytest.param(entry, runbook, cases, id=entry.name) for entry, runbook, cases in RUNBOOKS]


@pytest.mark.parametrize(("runbook", "case"), CASES)
def test_the_case_is_concluded_as_it_must_be(runbook: Runbook, case: Case) -> None:
    assert run_case(runbook, case).failures == ()


@pytest.mark.parametrize(("entry", "runbook", "cases"), BY_RUNBOOK)
def test_cases_prove_every_state_clearing_unknown_offer_and_advice(
    entry: RunbookVersion, runbook: Runbook, cases: tuple[Case, ...]
) -> None:
    assert len(cases) >= 40, entry.name
    assert gaps(runbook, cases) == ()


@pytest.mark.parametrize(("runbook", "label"), [(run, label) for _e, run, _c in RUNBOOKS for label, _m in mutations(run)])
def test_changing_one_state_of_the_runbook_makes_a_case_fail(runbook: Runbook, label: str) -> None:
    mutant = dict(mutations(runbook))[label]
    cases = next(cases for _entry, known, cases in RUNBOOKS if known is runbook)
    assert any(run_case(mutant, case).failures for case in cases), f"no case notices {label}"


@pytest.mark.parametrize(("runbook", "case"), CASES)
def test_a_healthy_host_is_never_asked_for_a_second_sample(runbook: Runbook, case: Case) -> None:
    wanted = needs(runbook, case.history[0], 1, case.inputs)
    if case.expect["status"] == "healthy":
        assert not wanted
    elif case.expect.get("active") in {"now", "at_limit", "past"}:
        assert wanted.sample


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(data=st.data())
def test_no_unreadable_fact_ever_clears_a_check(data: st.DataObject) -> None:
    _entry, runbook, cases = data.draw(st.sampled_from(RUNBOOKS))
    case = data.draw(st.sampled_from(cases))
    before = {check.id: check.outcome for check in conclude(runbook, case.history, case.inputs).checks}
    blinded = {name: blind(value, data) for name, value in case.history[-1].items()}
    after = {check.id: check.outcome for check in conclude(runbook, [*case.history[:-1], blinded], case.inputs).checks}
    assert not [name for name in before if before[name] != "cleared" and after[name] == "cleared"]


def blind(value: Any, data: st.DataObject) -> Any:
    """The facts with some of what may be unreadable made so, and some collections made partial."""
    if isinstance(value, Collection):
        items = tuple(blind(item, data) for item in value.items)
        return replace(value, items=items, partial=value.partial or data.draw(st.sampled_from(["", "cut"])))
    if not is_dataclass(value) or isinstance(value, Unreadable):
        return value
    hints = get_type_hints(type(value))
    changed = {}
    for entry in fields(value):
        if Unreadable in get_args(hints[entry.name]):
            hide = data.draw(st.booleans())
            changed[entry.name] = Unreadable("permission denied") if hide else getattr(value, entry.name)
        else:
            changed[entry.name] = blind(getattr(value, entry.name), data)
    return replace(value, **changed)  # type: ignore[type-var]


@pytest.mark.parametrize(("entry", "runbook", "cases"), BY_RUNBOOK)
def test_the_canonical_form_survives_a_round_trip(entry: RunbookVersion, runbook: Runbook, cases: tuple[Case, ...]) -> None:
    again = from_plain(Runbook, json.loads(canonical.runbook_json(runbook)))
    assert again == runbook
    assert canonical.runbook_digest(again) == runbook.digest
    assert cases, entry.name
