"""Checks that each remediation of a runbook asks for an action that exists, and for what that action takes.

This package knows no action: the caller passes what they accept. A runbook is valid without it, and a host is diagnosed
by one that fails it; but its offer could not be carried out, so `runbook lint` refuses it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, PathKey

_LITERAL = re.compile(r"""'(?P<single>[^'\\]*)'|"(?P<double>[^"\\]*)"|(?P<number>-?\d+)""")


class ParameterTerms(Protocol):
    """Says what one parameter of an action accepts."""

    def check(self, name: str, value: object) -> str:
        """Return the value as text. Raises UsageError saying what is wrong, and the nearest right word."""
        ...


class ActionTerms(Protocol):
    """Says what an action accepts, as far as a runbook can ask for it."""

    @property
    def parameters(self) -> Mapping[str, ParameterTerms]:
        """Return every parameter, by name."""
        ...

    @property
    def optional(self) -> frozenset[str]:
        """Return the names of those that may be left out."""
        ...

    @property
    def undo(self) -> str:
        """Return how it is taken back: captured | none."""
        ...


def misfits(runbook: model.Runbook, document: Document, actions: Mapping[str, ActionTerms]) -> tuple[str, ...]:
    """List what no action would accept: `file:line: path: what, and the nearest right word`.

    Values are judged where they are written down as text or number. What is computed from facts is known only on a host.
    """
    found: list[str] = []
    for index, remediation in enumerate(runbook.remediations.values()):
        path: PathKey = ("remediations", index)
        action = actions.get(remediation.action)
        if action is None:
            what = f"unknown action {remediation.action!r}{did_you_mean(remediation.action, actions)}"
            found.append(str(document.error((*path, "action"), what)))
            continue
        found += [str(document.error((*path, *part), what)) for part, what in _parameter_misfits(remediation, action)]
        found += [str(document.error(part, what)) for part, what in _offer_misfits(runbook, remediation, action)]
        if remediation.undo != action.undo:
            what = f"{remediation.undo!r}, but {remediation.action} has undo: {action.undo}"
            found.append(str(document.error((*path, "undo"), what)))
    return tuple(found)


def _parameter_misfits(remediation: model.Remediation, action: ActionTerms) -> Iterator[tuple[PathKey, str]]:
    name = remediation.action
    for parameter, param in remediation.params.items():
        if parameter not in action.parameters:
            what = f"{name} has no parameter {parameter!r}{did_you_mean(parameter, action.parameters)}"
            yield ("params", parameter), what
            continue
        for part in ("default", "min", "max"):
            if why := _refusal(action.parameters[parameter], parameter, getattr(param, part)):
                yield ("params", parameter, part), why
    for parameter in action.parameters:
        if parameter not in remediation.params and parameter not in action.optional:
            yield ("params",), f"{name} needs the parameter {parameter!r}"


def _offer_misfits(runbook: model.Runbook, remediation: model.Remediation, action: ActionTerms) -> Iterator[tuple[PathKey, str]]:
    """Judge the values that findings fix: `with` of the checks that offer it."""
    for place, check in enumerate(runbook.checks):
        for index, offer in enumerate(check.offers):
            for parameter, text in offer.bind.items() if offer.id == remediation.id else ():
                terms = action.parameters.get(parameter)
                if terms is not None and (why := _refusal(terms, parameter, text)):
                    yield ("checks", place, "offers", index, "with", parameter), why


def _refusal(terms: ParameterTerms, name: str, expression: str) -> str:
    """Say why the action would refuse a value that is written down; empty when it would not, or when a host must tell."""
    literal = _LITERAL.fullmatch(expression.strip())
    if literal is None:
        return ""
    try:
        terms.check(name, next(value for value in literal.groups() if value is not None))
    except UsageError as error:
        return str(error)
    return ""
