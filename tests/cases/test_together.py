"""A runbook judges its own cases the same whether it is asked alone or with every other runbook: one question changes no answer.

What a case does not record of other runbooks' kinds is taken from a healthy case of theirs.
"""

import time
from datetime import UTC, datetime
from functools import cache

import pytest
from triagebook.runbooks.engine.conclude import conclude
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.library.cases import Case
from triagebook.tools.diagnosis.assemble import DiagnosisRun
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.runbook_choice import DefaultRunbooks, choose_many
from triagebook.tools.diagnosis.triage_run import TriageRun
from triagebook.tools.inventory.target import parse_target

from tests.cases.test_runbooks import cases as recorded
from tests.runbooks import CATALOG

EVERY = 9  # of the cases, and further ones in long runs: each is concluded by every runbook, twice
NAMES = tuple(dict.fromkeys(entry.id for entry in CATALOG.entries()))


def cases(name: str) -> dict[str, Case]:
    return recorded(CATALOG.find(name).name)


def by_kind(name: str, facts: Facts) -> dict[str, object]:
    probes = CATALOG.load(name).probes
    return {probes[probe]: value for probe, value in facts.items()}


@cache
def healthy() -> dict[str, object]:
    """Facts by kind of healthy hosts, whatever runbook recorded them."""
    found: dict[str, object] = {}
    for name in NAMES:
        if (case := cases(name).get("healthy")) is not None:
            found |= by_kind(name, case.history[-1])
    return found


def ask_together(name: str, case: Case) -> tuple[Diagnosis, bool]:
    """The diagnosis of that runbook among all of them, and whether it was told the error text."""
    question = Question(parse_target("localhost"), inputs=case.inputs, accepted=case.accept)
    asked = choose_many(DefaultRunbooks(NAMES), CATALOG, CATALOG.load, question, ())
    run = TriageRun(question, asked, datetime(2026, 1, 2, tzinfo=UTC), time.perf_counter())
    own_kinds = CATALOG.load(name).probes.values()
    others = {kind: value for kind, value in healthy().items() if kind not in own_kinds}
    steps = [others | by_kind(name, facts) for facts in case.history]
    names = [item.runbook.probes.items() for item in asked]
    run.histories = tuple([tuple([{probe: step[kind] for probe, kind in one if kind in step} for step in steps]) for one in names])
    answer = run._join(DiagnosisRun.replay)
    assert answer.triage is not None
    own = next(found for found in answer.triage.diagnoses if found.runbook.id == name)
    route = next(item.route for item in asked if item.runbook.id == name)
    return own, route.is_given or not case.inputs.get("symptom")


@pytest.mark.parametrize("first", [0, pytest.param(3, marks=pytest.mark.long), pytest.param(6, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", NAMES)
def test_its_cases_are_judged_the_same_alone_and_together(name: str, first: int) -> None:
    told = 0
    some = list(cases(name).values())[first::EVERY]
    for case in some:
        alone = conclude(CATALOG.load(name), case.history, case.inputs, accepted=case.accept)
        together, is_told = ask_together(name, case)
        if not is_told:  # the text belongs to another runbook, which leads; this one is asked about the host alone
            continue
        told += 1
        assert (together.verdict, together.also, together.checks) == (alone.verdict, alone.also, alone.checks), case.name
        if together.status != alone.status:  # what nothing explained here, another runbook explains
            assert alone.is_open, case.name
        else:
            assert together.remediations or not alone.remediations, case.name
    assert told > len(some) // 2
