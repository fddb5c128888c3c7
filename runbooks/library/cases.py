"""Reads and runs cases: facts of a host and what a runbook must say about them. They prove a runbook, and anybody can replay them.

about: what broke, in a sentence
recorded: {from: debian-12, scenario: unit-tasksmax}     # or absent: written by hand
like: other-case                                         # start from its facts
samples: 2                                               # readings taken (1 or 2)
inputs: {symptom: "..."}
facts: {pids: {...}}                                     # merged over those of `like`; lists replace
first: {pids: {...}}                                     # what differed in the first sample
expect: {status, cause, active, strength, culprit, explains, also: [...], checks: {id: outcome}, offers: [...], says: text,
         next: text}                                     # `says` is part of the headline, `next` of one piece of advice
"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.conclude import Conclusion, conclude
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.plain_data import from_plain
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.catalog import RunbookVersion
from triagebook.runbooks.library.document import Document, read_document

KEYS = ("about", "recorded", "like", "samples", "inputs", "facts", "first", "expect", "accept")
EXPECTATIONS = (
    "status", "cause", "active", "strength", "culprit", "explains", "also", "checks", "offers", "says", "next", "needs_sample",
)  # fmt: skip
MAX_LIKE = 8


@dataclass(frozen=True)
class Case:
    """Describes one recorded or written host. `history` holds the facts after each sample."""

    name: str
    about: str
    recorded: Mapping[str, str]
    inputs: Mapping[str, object]
    history: tuple[Facts, ...]
    expect: Mapping[str, Any]
    accept: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class CaseResult:
    """Says what came out, and each way in which it differs from what the case expects."""

    case: Case
    conclusion: Conclusion | None
    failures: tuple[str, ...]


def read_case(entry: RunbookVersion, name: str, facts_types: Mapping[str, Any], runbook: model.Runbook) -> Case:
    """Return the case of that name. Raises RunbookError naming file and path."""
    return _case(name, _chain(entry, name, {}), facts_types, runbook)


def read_cases(entry: RunbookVersion, facts_types: Mapping[str, Any], runbook: model.Runbook) -> tuple[Case, ...]:
    """Return all cases of a version, by name. A file that many cases are `like` is read once."""
    read: dict[str, Document] = {}
    return tuple(_case(file.stem, _chain(entry, file.stem, read), facts_types, runbook) for file in entry.cases)


def _case(name: str, documents: list[Document], facts_types: Mapping[str, Any], runbook: model.Runbook) -> Case:
    document = documents[0]
    data = document.data
    facts: Any = {}
    first: Any = {}
    for ancestor in reversed(documents):
        facts, first = merge(facts, ancestor.data.get("facts", {})), merge(first, ancestor.data.get("first", {}))
    samples = next((item.data["samples"] for item in documents if "samples" in item.data), 1)
    if samples not in (1, 2):
        raise document.error(("samples",), "1 or 2")
    steps = [merge(facts, first), facts] if samples == 2 else [facts]
    return Case(
        name=name,
        about=str(data.get("about", "")),
        recorded={str(key): str(value) for key, value in (data.get("recorded") or {}).items()},
        inputs=next((dict(item.data["inputs"] or {}) for item in documents if "inputs" in item.data), {}),
        history=tuple(_facts(step, runbook, facts_types, document) for step in steps),
        expect=_expectations(document),
        accept=tuple(data.get("accept") or ()),
    )


def case_file(entry: RunbookVersion, name: str) -> Path:
    """Return the file of a case. Raises RunbookError with the nearest name."""
    for file in entry.cases:
        if file.stem == name:
            return file
    known = [file.stem for file in entry.cases]
    near = did_you_mean(name, known) or f"; it has {', '.join(sorted(known)[:3])} and {len(known) - 3} more"
    raise RunbookError(f"{entry.name} has no case {name!r}{near}", reason="unknown_case")


def _chain(entry: RunbookVersion, name: str, read: dict[str, Document]) -> list[Document]:
    """Return the case's document and those it is like, nearest first. `read` keeps what was read before."""
    documents: list[Document] = []
    while name:
        document = read.get(name) or read.setdefault(name, _document(entry, case_file(entry, name)))
        documents.append(document)
        if len(documents) > MAX_LIKE:
            raise document.error(("like",), "goes around in a circle, or is too long a chain")
        name = str(document.data.get("like", ""))
    return documents


def _document(entry: RunbookVersion, file: Path) -> Document:
    document = read_document(file.read_text(), f"{entry.id}/{entry.version}/cases/{file.name}")
    if not isinstance(document.data, dict):
        raise document.error((), f"expected the keys {', '.join(KEYS)}")
    for key in document.data:
        if key not in KEYS:
            raise document.error((key,), f"unknown key{did_you_mean(key, KEYS)}")
    return document


def merge(base: Any, change: Any) -> Any:
    """Merge mappings and replace all else (lists too). A mapping that says `unreadable` replaces whole."""
    if not isinstance(base, dict) or not isinstance(change, dict) or "unreadable" in change or "unreadable" in base:
        return change
    return {**base, **{key: merge(base[key], value) if key in base else value for key, value in change.items()}}


def _facts(data: Any, runbook: model.Runbook, facts_types: Mapping[str, Any], document: Document) -> Facts:
    if not isinstance(data, dict):
        raise document.error(("facts",), "expected a mapping of probe names")
    for name in data:
        if name not in runbook.probes:
            raise document.error(("facts", name), f"no such probe{did_you_mean(name, runbook.probes)}")
    try:
        return {name: from_plain(facts_types[runbook.probes[name]], value, name) for name, value in data.items()}
    except ValueError as error:
        raise document.error(("facts",), str(error)) from None


def _expectations(document: Document) -> Mapping[str, Any]:
    expect = document.data.get("expect") or {}
    if not isinstance(expect, dict) or "status" not in expect:
        raise document.error(("expect",), "at least `status` is expected")
    for key in expect:
        if key not in EXPECTATIONS:
            raise document.error(("expect", key), f"unknown key{did_you_mean(key, EXPECTATIONS)}")
    return expect


def run_case(runbook: model.Runbook, case: Case) -> CaseResult:
    """Conclude on the case's facts and compare. A rule that fails on readable facts is a failure of the case."""
    try:
        conclusion = conclude(runbook, case.history, case.inputs, accepted=case.accept)
    except RunbookError as error:
        return CaseResult(case, None, (str(error),))
    return CaseResult(case, conclusion, tuple(_differences(case.expect, conclusion)))


def _differences(expect: Mapping[str, Any], conclusion: Conclusion) -> list[str]:
    verdict = conclusion.verdict
    outcomes = {result.id: result.outcome for result in conclusion.checks}
    said = {
        "status": conclusion.status,
        "cause": verdict.cause if verdict else None,
        "active": verdict.active if verdict else None,
        "strength": verdict.strength if verdict else None,
        "culprit": verdict.culprit.id if verdict else None,
        "explains": verdict.explains_symptom if verdict else None,
        "also": [item.cause for item in conclusion.also],
        "offers": [item.id for item in conclusion.remediations],
    }
    wrong = [f"{key}: expected {expect[key]!r}, got {said[key]!r}" for key in said if key in expect and expect[key] != said[key]]
    for check, outcome in (expect.get("checks") or {}).items():
        if outcomes.get(check) != outcome:
            wrong.append(f"checks.{check}: expected {outcome!r}, got {outcomes.get(check)!r}")
    if "says" in expect and expect["says"] not in conclusion.headline:
        wrong.append(f"says: {expect['says']!r} is not in {conclusion.headline!r}")
    if "next" in expect and not any(expect["next"] in advice for advice in conclusion.next):
        wrong.append(f"next: {expect['next']!r} is in none of {conclusion.next!r}")
    return wrong
