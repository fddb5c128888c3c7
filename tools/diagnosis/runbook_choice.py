"""Chooses the runbooks that a question is put to, and what each of them is told of the incident."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError, UsageError
from triagebook.runbooks.engine.routes import TextRoute, route_text, runbooks_pointed_to
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.engine.triage import Why
from triagebook.runbooks.library.catalog import Catalog
from triagebook.tools.diagnosis.question import Question, check_inputs, checks_to_accept


@dataclass(frozen=True)
class DefaultRunbooks:
    """The runbooks to ask where none is named. No names: every released one that is not deprecated."""

    names: tuple[str, ...] = ()
    why: Why = "installed"


@dataclass(frozen=True)
class RunbookQuestion:
    """A runbook that is asked, with the question as it is put to it."""

    runbook: model.Runbook
    question: Question
    why: Why
    route: TextRoute


Load = Callable[[str], model.Runbook]


def choose_one(runbook: model.Runbook, question: Question, accept_unknown: Sequence[str]) -> tuple[RunbookQuestion, ...]:
    """Return the one runbook that was named. Raises UsageError: an input or a check that it does not know."""
    check_inputs(runbook, question)
    accepted = checks_to_accept(runbook, question, accept_unknown)
    return (RunbookQuestion(runbook, replace(question, accepted=accepted), "named", TextRoute()),)


def choose_many(
    default: DefaultRunbooks, catalog: Catalog, load: Load, question: Question, accept_unknown: Sequence[str]
) -> tuple[RunbookQuestion, ...]:
    """Return the runbooks to ask where none is named, each with what it takes of the question.

    An error text is told to the runbooks that own it, or to all where none does. Raises UsageError: an input or a check that
    none of them knows; RunbookError: one cannot be read.
    """
    found: list[tuple[model.Runbook, Why]]
    if question.target.kind == "replay":
        found = [(load(name), "recorded") for name in (runbook_of_case(default, catalog, question.target.host),)]
    else:
        found = [(load(name), default.why) for name in runbooks_by_default(default, catalog)]
        if default.why == "installed":
            found = [(runbook, why) for runbook, why in found if runbook.status != "deprecated"]
        found += _further(catalog, load, [runbook for runbook, _why in found], question)
    found = [(runbook, why) for runbook, why in found if runbook.id not in question.left_out]
    runbooks = [runbook for runbook, _why in found]
    _refuse_unknown(runbooks, question)
    routes = route_text(runbooks, str(question.inputs.get("symptom", "")))
    return tuple(
        RunbookQuestion(runbook, _narrow(runbook, question, routes[runbook.id], accept_unknown), why, routes[runbook.id])
        for runbook, why in found
    )


def runbooks_by_default(default: DefaultRunbooks, catalog: Catalog) -> tuple[str, ...]:
    """Return the names of the runbooks asked where none is named. Raises UsageError: there is none."""
    names = default.names or catalog.release_ids()
    if not names:
        ids = " | ".join(sorted({entry.id for entry in catalog.entries()})) or "none is installed"
        raise UsageError(f"which runbook? None is released; a draft is asked when it is named: --runbook {ids}")
    return names


def runbook_of_case(default: DefaultRunbooks, catalog: Catalog, case: str) -> str:
    """Return the runbook that has a recorded case of that name: of those asked by default the first, else any released one.

    Raises RunbookError: none has it.
    """
    names = tuple(dict.fromkeys((*runbooks_by_default(default, catalog), *catalog.release_ids())))
    cases = {name: [file.stem for file in catalog.find(name).cases] for name in names}
    found = next((name for name in names if case in cases[name]), "")
    if found:
        return found
    known = sorted({stem for stems in cases.values() for stem in stems})
    some = sorted(cases[names[0]])
    near = did_you_mean(case, known) or f"; {names[0]} has {', '.join(some[:3])} and {len(some) - 3} more"
    raise RunbookError(f"no case {case!r} is recorded for any runbook{near}", reason="unknown_case")


def _further(catalog: Catalog, load: Load, asked: Sequence[model.Runbook], question: Question) -> list[tuple[model.Runbook, Why]]:
    """Return further released runbooks that the error text belongs to by the word of those asked."""
    pointed = runbooks_pointed_to(asked, str(question.inputs.get("symptom", "")))
    return [(load(name), "belongs_to") for name in pointed if name in catalog.release_ids()]


def _refuse_unknown(runbooks: Sequence[model.Runbook], question: Question) -> None:
    """Refuse an input or a check that no runbook knows. Raises UsageError."""
    for name in question.inputs:
        inputs = {name for runbook in runbooks for name in runbook.inputs}
        if name not in inputs:
            raise UsageError(f"no runbook takes an input {name!r}{did_you_mean(name, inputs)}", reason="input")
    for name in question.accepted:
        checks = {check.id for runbook in runbooks for check in runbook.checks}
        if name not in checks:
            raise UsageError(f"no runbook has a check {name!r}{did_you_mean(name, checks)}", reason="check")


def _narrow(runbook: model.Runbook, question: Question, route: TextRoute, accept_unknown: Sequence[str]) -> Question:
    """Return the question as this runbook can take it: its own inputs and checks, and the error text if it is told that."""
    told = {
        name: value for name, value in question.inputs.items() if name in runbook.inputs and (name != "symptom" or route.is_given)
    }
    known = {check.id for check in runbook.checks}
    own = tuple(name for name in question.accepted if name in known)
    narrowed = replace(question, runbook=runbook.name, inputs=told, accepted=own)
    return replace(narrowed, accepted=checks_to_accept(runbook, narrowed, accept_unknown))
