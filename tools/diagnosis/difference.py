"""Compares two answers about a host, as before and after a fix: status, causes, outcomes of checks, and the figures that moved."""

from collections.abc import Iterator, Mapping

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import FactEntry, Verdict
from triagebook.runbooks.engine.quantities import quantity
from triagebook.runbooks.engine.triage import Found, diagnoses_of

ABSENT = "-"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same: what, and what it was before and after."""

    what: str
    before: str
    after: str


def differences(before: Found, after: Found) -> tuple[Difference, ...]:
    """Return what differs, the most telling first. Times, costs and ids always differ and are left out."""
    pairs = [
        ("host", before.host.name, after.host.name),
        ("boot", before.host.boot_id, after.host.boot_id),
        ("runbooks", _runbooks(before), _runbooks(after)),
        ("status", before.status, after.status),
        ("says", before.headline, after.headline),
        ("cause", _cause(before.verdict), _cause(after.verdict)),
    ]
    found = [*pairs, *_checks(before, after), *_figures(before, after)]
    return tuple(Difference(what, one or ABSENT, other or ABSENT) for what, one, other in found if one != other)


def _runbooks(found: Found) -> str:
    return ", ".join(sorted(f"{one.runbook.id}@{one.runbook.version}" for one in diagnoses_of(found)))


def _cause(verdict: Verdict | None) -> str:
    return f"{verdict.cause}, {verdict.active}, {verdict.strength}: {verdict.culprit.id}" if verdict else ""


def _checks(before: Found, after: Found) -> Iterator[tuple[str, str, str]]:
    one, other = _outcomes(before), _outcomes(after)
    for name in dict.fromkeys((*one, *other)):
        yield f"check {name}", one.get(name, ""), other.get(name, "")


def _outcomes(found: Found) -> Mapping[str, str]:
    """Return the outcome of each check, by its id, which is that of the runbook too where several were asked."""
    several = diagnoses_of(found)
    return {
        f"{one.runbook.id}.{check.id}" if len(several) > 1 else check.id: check.outcome for one in several for check in one.checks
    }


def _figures(before: Found, after: Found) -> Iterator[tuple[str, str, str]]:
    one, other = _values(before), _values(after)
    for name in dict.fromkeys((*one, *other)):
        yield name, one.get(name, ""), other.get(name, "")


def _values(found: Found) -> Mapping[str, str]:
    entries = [
        entry for one in diagnoses_of(found) for entry in (*one.facts, *(item for check in one.checks for item in check.figures))
    ]
    return {entry.id: _value(entry) for entry in entries}


def _value(entry: FactEntry) -> str:
    return quantity(entry.readings[-1].value, entry.unit) if entry.readings else f"not readable: {entry.unreadable}"
