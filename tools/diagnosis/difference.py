"""Compares two diagnoses, as before and after a fix: status, causes, outcomes of checks, and the figures that moved."""

from collections.abc import Iterator, Mapping

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, FactEntry
from triagebook.runbooks.engine.quantities import quantity

ABSENT = "-"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same: what, and what it was before and after."""

    what: str
    before: str
    after: str


def differences(before: Diagnosis, after: Diagnosis) -> tuple[Difference, ...]:
    """Return what differs, the most telling first. Times, costs and ids always differ and are left out."""
    pairs = [
        ("host", before.host.name, after.host.name),
        ("boot", before.host.boot_id, after.host.boot_id),
        ("runbook", _runbook(before), _runbook(after)),
        ("status", before.status, after.status),
        ("says", before.headline, after.headline),
        ("cause", _cause(before), _cause(after)),
    ]
    found = [*pairs, *_checks(before, after), *_figures(before, after)]
    return tuple(Difference(what, one or ABSENT, other or ABSENT) for what, one, other in found if one != other)


def _runbook(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.runbook.id}@{diagnosis.runbook.version}"


def _cause(diagnosis: Diagnosis) -> str:
    verdict = diagnosis.verdict
    return f"{verdict.cause}, {verdict.active}, {verdict.strength}: {verdict.culprit.id}" if verdict else ""


def _checks(before: Diagnosis, after: Diagnosis) -> Iterator[tuple[str, str, str]]:
    one, other = ({check.id: check.outcome for check in diagnosis.checks} for diagnosis in (before, after))
    for name in dict.fromkeys((*one, *other)):
        yield f"check {name}", one.get(name, ""), other.get(name, "")


def _figures(before: Diagnosis, after: Diagnosis) -> Iterator[tuple[str, str, str]]:
    one, other = _values(before), _values(after)
    for name in dict.fromkeys((*one, *other)):
        yield name, one.get(name, ""), other.get(name, "")


def _values(diagnosis: Diagnosis) -> Mapping[str, str]:
    entries = (*diagnosis.facts, *(figure for check in diagnosis.checks for figure in check.figures))
    return {entry.id: _value(entry) for entry in entries}


def _value(entry: FactEntry) -> str:
    return quantity(entry.readings[-1].value, entry.unit) if entry.readings else f"not readable: {entry.unreadable}"
