"""One question to several runbooks: one collection, each concluded over the same facts, one answer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from triagebook.runbooks import probes
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.engine.triage import healthy_sentence
from triagebook.runbooks.library.catalog import Catalog, catalog
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.runbook_choice import DefaultRunbooks
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG

FIXTURES = Path(__file__).parents[2] / "fixtures"
ENFILE = "accept: Too many open files in system"


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder with a second runbook, a draft until `release` is called."""
    monkeypatch.setattr(probes, "__path__", [*probes.__path__, str(FIXTURES / "second_runbook_probes")])
    return copytree(FIXTURES / "second_runbook", tmp_path / "books")


def release(folder: Path) -> Catalog:
    digest = catalog([folder]).load("open-files").digest
    (folder / "runbooks.lock").write_text(f"open-files@1.0.0 {digest}\n")
    return catalog([folder])


def service(found: Catalog, **given: Any) -> Service:
    return Service(found, lambda _target: LocalTransport(), **given)


def ask(asked: Service, **inputs: object) -> Answer:
    return asked.diagnose(Question(parse_target("localhost"), inputs=inputs, samples=1))


def names(answer: Answer) -> list[str]:
    assert answer.triage is not None
    return [item.runbook.id for item in answer.triage.asked]


def test_released_runbooks_are_asked_in_one_collection_and_a_draft_only_when_it_is_named(books: Path) -> None:
    assert "open-files" not in names(ask(service(catalog([books]))))
    collected: list[Any] = []
    released = service(release(books))
    answer = replace(released, transport_for=lambda _target: collected.append(1) or LocalTransport()).diagnose(
        Question(parse_target("localhost"), samples=1)
    )
    assert {"enomem", "open-files"} <= set(names(answer))
    assert collected == [1]
    assert {found.diagnosis.target.bytes for found in (answer, *answer.others)} == {answer.diagnosis.target.bytes}


def test_the_configured_runbooks_are_asked_and_no_others(books: Path) -> None:
    asked = service(release(books), default=DefaultRunbooks(("open-files",), "configured"))
    answer = ask(asked)
    assert names(answer) == ["open-files"]
    assert answer.triage is not None
    assert answer.triage.asked[0].why == "configured"


def test_a_text_of_a_released_runbook_that_is_not_configured_is_followed_to_it(books: Path) -> None:
    text = (books / "open-files/1.0.0/runbook.yaml").read_text()
    other = "{class: other, matter: memory, says: It is about memory., belongs_to: enomem, match: '(?i)cannot allocate'}"
    (books / "open-files/1.0.0/runbook.yaml").write_text(text.replace("symptoms: [", f"symptoms: [{other}, "))
    asked = service(release(books), default=DefaultRunbooks(("open-files",), "configured"))
    answer = ask(asked, symptom="fork: Cannot allocate memory")
    assert answer.triage is not None
    assert [(item.runbook.id, item.why, item.text) for item in answer.triage.asked] == [
        ("open-files", "configured", "other_matter"),
        ("enomem", "belongs_to", "leads"),
    ]
    assert answer.triage.symptom is not None
    assert answer.triage.symptom.error_class == "fork_enomem"


def test_the_text_is_told_to_the_runbook_that_owns_it_only(books: Path) -> None:
    answer = ask(service(release(books)), symptom=ENFILE)
    told = {found.diagnosis.runbook.id: found.diagnosis.symptom is not None for found in (answer, *answer.others)}
    assert told["open-files"]
    assert not told["enomem"]


def test_a_text_that_no_runbook_knows_is_said_so_and_the_host_is_not_called_healthy(books: Path) -> None:
    # Of two runbooks, which have nothing to say of a machine that runs tests.
    answer = ask(service(release(books), default=DefaultRunbooks(("enomem", "open-files"), "configured")), symptom="banana")
    assert answer.triage is not None
    assert answer.triage.status == "inconclusive"
    assert answer.triage.headline.startswith("The error text is none that the runbooks asked here know")


def test_inputs_and_checks_that_none_of_them_knows_are_refused(books: Path) -> None:
    asked = service(release(books))
    with pytest.raises(UsageError, match=r"no runbook takes an input 'unti'.*'unit'"):
        ask(asked, unti="a.service")
    with pytest.raises(UsageError, match=r"no runbook has a check 'file_maks'.*'file_max'"):
        asked.diagnose(Question(parse_target("localhost"), accepted=("file_maks",)))
    ask(asked, unit="init.scope")  # of enomem alone: the other is asked without it


def test_a_recorded_case_is_judged_by_the_runbook_that_has_it(books: Path) -> None:
    asked = service(release(books))
    answer = asked.diagnose(Question(parse_target("replay:full")))
    assert answer.triage is not None
    assert [(item.runbook.id, item.why) for item in answer.triage.asked] == [("open-files", "recorded")]
    assert answer.triage.verdict is not None
    assert answer.triage.verdict.cause == "file_max"
    with pytest.raises(RunbookError, match=r"no case 'ful' is recorded for any runbook .did you mean 'full'"):
        asked.diagnose(Question(parse_target("replay:ful")))


def test_a_host_that_gives_no_session_is_unreachable_for_all() -> None:
    answer = service(CATALOG).diagnose(Question(parse_target("replay:healthy")))
    assert answer.triage is not None
    assert answer.triage.status == "healthy"


def test_a_named_runbook_answers_alone_as_ever(books: Path) -> None:
    answer = service(release(books)).diagnose(Question(parse_target("localhost"), "open-files", samples=1))
    assert (answer.triage, answer.others, answer.diagnosis.runbook.id) == (None, (), "open-files")


def test_a_healthy_host_is_told_the_figures_of_the_first_runbook_and_which_others_found_nothing() -> None:
    assert (
        healthy_sentence("No limit is reached: 3 of 9.", ["oom"]) == "No limit is reached: 3 of 9. Nothing was found by oom either."
    )
    assert healthy_sentence("No.", ["a", "b", "c"]) == "No. Nothing was found by a, b and c either."


def test_a_brief_answer_has_the_same_verdicts_without_what_supports_them() -> None:
    asked = service(CATALOG)
    question = Question(parse_target("replay:unit-tasksmax"))
    whole, brief = asked.diagnose(question).diagnosis, asked.diagnose(replace(question, is_brief=True)).diagnosis
    assert whole.verdict is not None
    for name in ("status", "headline", "verdict", "also", "unknown"):
        assert getattr(brief, name) == getattr(whole, name)
    assert all((whole.checks, whole.facts, whole.remediations, whole.next))
    assert not any((brief.checks, brief.facts, brief.remediations, brief.next))
