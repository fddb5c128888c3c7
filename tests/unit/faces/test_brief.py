"""What an assistant reads of a diagnosis says its figures with their units, each on a line, and nothing twice."""

from dataclasses import replace

import pytest
from triagebook.runbooks.engine.diagnosis import Culprit, Diagnosis
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.mcp_server.brief import answer_of, section_of, text_of
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG

SERVICE = Service(CATALOG, lambda _target: LocalTransport())


def diagnosis_of(case: str) -> Diagnosis:
    return SERVICE.diagnose(Question(parse_target(f"replay:{case}"), "enomem")).diagnosis


def test_a_check_comes_with_the_figures_it_was_judged_by() -> None:
    checks = [str(text) for _name, text in section_of(diagnosis_of("unit-tasksmax"), "checks")]
    (threads,) = [text for text in checks if text.startswith("threads_max ")]
    assert "cleared: cleared" not in threads
    assert threads.startswith("threads_max cleared: 114 of 3682 tasks; kernel.tasks = 114 tasks; ")


def test_notes_are_one_by_one_and_no_python() -> None:
    cost = section_of(diagnosis_of("unit-tasksmax"), "cost")
    assert not [value for _name, value in cost if isinstance(value, list)]
    assert [name for name, _value in cost].count("notes") >= 1


@pytest.mark.parametrize(("case", "unit"), [("unit-tasksmax", "24 tasks by worker"), ("shortage-pressure", "iB by ")])
def test_what_is_used_has_its_unit(case: str, unit: str) -> None:
    used = [str(value) for name, value in section_of(diagnosis_of(case), "brief") if name == "used_by"]
    assert used
    assert all(unit in value for value in used[:1]), used


def test_a_parameter_without_a_choice_is_not_offered_as_a_range() -> None:
    text = text_of(answer_of(diagnosis_of("overcommit-full")))
    assert "0 to 0" not in text
    assert "(no other value)" in text


def test_what_has_no_name_and_what_is_empty_are_said_so() -> None:
    found = diagnosis_of("unit-tasksmax")
    assert found.verdict is not None
    nameless = replace(found, verdict=replace(found.verdict, culprit=Culprit("container", "")))
    assert ("culprit", "container (its name could not be read)") in section_of(nameless, "brief")
    (entry, *_rest) = found.facts
    empty = replace(entry, readings=(replace(entry.readings[0], value=""),))
    assert ("evidence", f"{entry.id} = none") in section_of(replace(found, facts=(empty, *found.facts[1:])), "brief")
