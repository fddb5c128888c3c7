"""Healthy is not said to somebody who named an error, a unit, a user or a process that nothing found explains."""

from dataclasses import replace
from typing import Any

import pytest
from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.conclude import Conclusion, conclude
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.judge import needs
from triagebook.runbooks.engine.symptoms import largest_size, rule_inputs
from triagebook.runbooks.library.cases import read_case
from triagebook.runbooks.probes.catalog import facts_types

from tests.runbooks import CATALOG

DRAFT = CATALOG.load("enomem@1.1.0")
LOOSE = CATALOG.load("enomem@1.0.0")
MATTER = model.Symptom("(?i)too many open files", "other", "files", "This text is about open files.")
STRICT = replace(
    LOOSE,
    symptoms=(MATTER, *LOOSE.symptoms),
    unexplained=model.Unexplained(
        "Nothing is at a limit at this instant.",
        (model.Advice("Keep a watch on it."),),
        {"log": "'kernel'", "units": "inputs.unit"},
    ),
)


def concluded(case: str, runbook: model.Runbook = STRICT, **inputs: Any) -> Conclusion:
    found = read_case(CATALOG.find("enomem@1.0.0"), case, facts_types(), runbook)
    return conclude(runbook, found.history, inputs)


@pytest.mark.parametrize(
    "named", [{"symptom": "bash: fork: retry: Resource temporarily unavailable"}, {"unit": "a.service"}, {"pid": 7}]
)
def test_a_healthy_host_is_inconclusive_to_somebody_who_named_something(named: dict[str, Any]) -> None:
    found = concluded("healthy", **named)
    assert (found.status, found.headline) == ("inconclusive", "Nothing is at a limit at this instant.")
    assert "Keep a watch on it." in found.next
    assert concluded("healthy").status == "healthy"
    assert concluded("healthy", LOOSE, **named).status == "healthy", "a runbook that does not say so is judged as before"


def test_a_text_of_another_matter_is_called_by_its_name() -> None:
    assert concluded("healthy", symptom="accept: Too many open files").headline.startswith(
        "This text is about open files. Nothing is"
    )


def test_a_text_that_nobody_knows_is_said() -> None:
    assert concluded("healthy", symptom="asdf").headline.startswith("The error text is none that this runbook knows")


@pytest.mark.parametrize(("case", "status"), [("unit-tasksmax", "cause_found"), ("max-map-count-unreadable", "inconclusive")])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("asdf", "The error text is none that this runbook knows; the host was judged without it."),
        ("accept: Too many open files", "This text is about open files."),
        ("bash: fork: retry: Resource temporarily unavailable", ""),
    ],
)
def test_what_an_error_text_is_is_said_beside_whatever_was_found(case: str, status: str, text: str, said: str) -> None:
    found, without = concluded(case, symptom=text), concluded(case)
    assert found.status == status
    assert said in found.headline
    assert ("error text" in found.headline, "open files" in found.headline) == ("error text" in said, "open files" in said)
    assert "text" not in without.headline


def test_a_cause_that_explains_the_error_is_a_cause_as_ever() -> None:
    found = concluded("unit-tasksmax", symptom="bash: fork: retry: Resource temporarily unavailable")
    assert found.status == "cause_found"
    assert "Keep a watch on it." not in found.next


def test_a_cause_of_another_unit_is_said_to_concern_somebody_else() -> None:
    assert "does not concern unit other.service" in concluded("unit-tasksmax", unit="other.service").headline


def test_what_cannot_produce_the_error_does_not_leave_the_answer_open_by_being_unreadable() -> None:
    fork, mapping = "bash: fork: retry: Resource temporarily unavailable", "mmap: Cannot allocate memory"
    assert "Not judged: max_map_count" in concluded("max-map-count-unreadable", symptom=mapping).headline
    assert concluded("max-map-count-unreadable").status == "inconclusive"
    assert [item.check for item in concluded("max-map-count-unreadable", symptom=fork).unknown] == ["max_map_count"], (
        "it is still said"
    )


def test_the_traces_of_a_victim_that_is_gone_are_asked_for_only_then() -> None:
    case = read_case(CATALOG.find("enomem@1.0.0"), "healthy", facts_types(), STRICT)
    assert needs(STRICT, case.history[0], 1, {}).lookups == ()
    asked = needs(STRICT, case.history[0], 1, {"unit": "a.service"}).lookups
    assert asked == (("log", "kernel_log", "kernel"), ("units", "unit_settings", "a.service"))


def test_root_is_told_of_the_log_where_nothing_was_named_and_nothing_found() -> None:
    case = read_case(CATALOG.find("enomem@1.1.0"), "healthy", facts_types(), DRAFT)
    facts = case.history[0]
    for uid, wanted in ((0, (("log", "kernel"),)), (1000, ())):
        host = replace(facts["host"], reader_uid=uid)  # type: ignore[type-var]
        asked = needs(DRAFT, {**facts, "host": host}, 1, {})
        assert tuple((probe, subject) for probe, _kind, subject in asked.lookups) == wanted
        assert asked.for_rules == wanted


def test_a_unit_that_the_text_names_is_asked_about() -> None:
    case = read_case(CATALOG.find("enomem@1.1.0"), "healthy", facts_types(), DRAFT)
    text = "late.service: Failed at step EXEC spawning /opt/acme/bin/fx: Resource temporarily unavailable"
    assert needs(DRAFT, case.history[0], 1, {"symptom": text}).for_rules == (("units", "late.service"), ("log", "kernel"))


@pytest.mark.parametrize(
    ("inputs", "unit"),
    [
        ({"symptom": "late.service: Failed at step EXEC"}, "late.service"),
        ({"symptom": "in /system.slice/system-x.slice/x@1.service"}, "x@1.service"),
        ({"symptom": "late.service: failed", "unit": "a.service"}, "a.service"),
        ({"symptom": "see docs.services and a.service.d/x.conf"}, ""),
        ({}, ""),
    ],
)
def test_the_unit_of_a_question_is_the_callers_or_else_the_texts(inputs: dict[str, str], unit: str) -> None:
    assert rule_inputs(DRAFT, inputs)["about_unit"] == unit


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("mmap(8589934592): Cannot allocate memory", 8589934592),
        ("os::commit_memory(0x00000000fa100000, 69206016, 0) failed", 69206016),
        ("Allocator: Cannot mmap 1.00 GiB., errno: 12", 1 << 30),
        ("runtime: out of memory: cannot allocate 4194304-byte block (66060288 in use)", 4194304),
        ("Could not reserve enough space for 2097152KB object heap", 2 << 30),
        ("PID 4242: fork: Cannot allocate memory (errno 12)", 0),
        ("", 0),
    ],
)
def test_the_largest_size_of_a_text_is_a_fact(text: str, size: int) -> None:
    assert largest_size(text) == size


def test_elements_that_a_program_would_tell_are_not_looked_at_until_it_is_asked() -> None:
    emfile = CATALOG.load("emfile@1.0.0")
    entry = CATALOG.find("emfile@1.0.0")
    found = read_case(entry, "healthy", facts_types(), emfile)
    outcomes = {result.id: result for result in conclude(emfile, found.history, {}).checks}
    assert (outcomes["nofile_counted"].outcome, outcomes["nofile_counted"].says) == (
        "skipped",
        "it rests on what a program says, and none was asked",
    )
    failed = [{**found.history[0], "counts": Unreadable("find could not be started")}]
    outcomes = {result.id: result for result in conclude(emfile, failed, {}).checks}
    assert (outcomes["nofile_counted"].outcome, outcomes["nofile_counted"].says) == ("skipped", "find could not be started")
    blind = [{name: facts for name, facts in found.history[0].items() if name != "files"}]
    assert next(result.outcome for result in conclude(emfile, blind, {}).checks if result.id == "nofile_soft") == "unknown"
