"""Evaluates the conditions of a runbook in three values: true, false, or the Unreadable that stands in the way.

The CEL library evaluates; an absent key becomes the Unreadable that caused it, and `&&` and `||` absorb what they can.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.expressions import can_absorb, compile_cel, join, run, split_paths
from triagebook.runbooks.engine.facts import Unreadable, as_context

_PLAIN = {bool, int, float, str}
_FAILURES = (KeyError, TypeError, RuntimeError, ValueError, ArithmeticError)


class RuleError(RunbookError):
    """Says that a rule failed on readable facts: a fault of the runbook, never of the host."""

    reason = "rule"


def evaluate(expression: str, facts: Mapping[str, object]) -> Any:
    """Return the value of an expression on facts, or the Unreadable that stands in its way. `&&` and `||` absorb what they can.

    Raises RuleError when it fails although every fact it names is readable.
    """
    if (found := _at_once((expression,), facts)) is not None:
        return found[0]
    context, missing = _context(expression, facts)
    if missing is not None and not can_absorb(expression):
        return missing
    try:
        return run(expression, context)
    except _FAILURES as error:
        if missing is not None:
            return missing
        raise RuleError(f"{expression!r}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from None


def evaluate_each(expressions: tuple[str, ...], facts: Mapping[str, object]) -> Iterable[Any]:
    """Return what `evaluate` gives for each: at once where nothing stands in the way of any, else one by one on demand."""
    found = _at_once(expressions, facts)
    return (evaluate(expression, facts) for expression in expressions) if found is None else found


def _at_once(expressions: tuple[str, ...], facts: Mapping[str, object]) -> list[Any] | None:
    """Return the values of them all; None where a fact is missing or something fails."""
    joined, variables = join(expressions)
    values: dict[str, Any] = {}
    for name, parts in variables:
        value = _resolve(parts, facts)
        if type(value) in _PLAIN:
            values[name] = value
        elif isinstance(value, Unreadable):
            return None
        else:
            values[name] = as_context(value)
    try:
        found: list[Any] = run(joined, values)
    except _FAILURES:
        return None
    return found


def get_ready(expressions: tuple[str, ...]) -> None:
    """Compile what `evaluate_each` will be asked for."""
    compile_cel(join(expressions)[0])


def _context(expression: str, facts: Mapping[str, object]) -> tuple[dict[str, Any], Unreadable | None]:
    """Return the facts that the expression names and the first Unreadable, whose key is left out while its parents stay."""
    context: dict[str, Any] = {}
    missing = None
    for parts in split_paths(expression):
        here = context
        for part in parts[:-1]:
            here = here.setdefault(part, {})
        value = _resolve(parts, facts)
        if type(value) in _PLAIN:
            here[parts[-1]] = value
        elif isinstance(value, Unreadable):
            missing = missing or value
        else:
            here[parts[-1]] = as_context(value)
    return context, missing


def resolve(path: str, facts: Mapping[str, object]) -> object:
    """Return the fact at a dotted path; an Unreadable on the way is the answer. KeyError when there is no such name."""
    return _resolve(tuple(path.split(".")), facts)


def _resolve(parts: tuple[str, ...], facts: Mapping[str, object]) -> object:
    first = parts[0]
    here: object = facts[first] if first in facts else Unreadable(f"{first} was not collected")
    for part in parts[1:]:
        if isinstance(here, Unreadable):
            return here
        if isinstance(here, dict):
            here = here[part] if part in here else Unreadable(f"{part} was not given")
        else:
            here = getattr(here, part)
    return here
