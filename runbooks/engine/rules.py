"""Evaluates the conditions of a runbook in three values: true, false, or the Unreadable that stands in the way.

The CEL library evaluates; an absent key becomes the Unreadable that caused it, and `&&` and `||` absorb what they can.
"""

from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from itertools import chain, compress, islice
from typing import Any

from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.expressions import can_absorb, compile_cel, join, path_parts, paths, presences, run
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
    if parts := path_parts(expression):
        value = _resolve(parts, facts)
        return value if type(value) in _PLAIN or isinstance(value, Unreadable) else as_context(value)
    return _run_one(expression, *_values((expression,), facts))


def evaluate_each(expressions: tuple[str, ...], facts: Mapping[str, object]) -> Iterable[Any]:
    """Return what `evaluate` gives for each: at once where none of them fails, else one by one on demand."""
    values, missing = _values(expressions, facts)
    found = _run_all(expressions, values, missing)
    return found if found is not None else (_run_one(expression, values, missing) for expression in expressions)


def evaluate_groups(groups: tuple[tuple[str, ...], ...], facts: Mapping[str, object]) -> Iterable[Iterable[Any]]:
    """Return what `evaluate_each` gives for each group: in one run for all groups that no missing fact can make fail."""
    values, missing = _values(tuple(chain.from_iterable(groups)), facts)
    is_sure, together = _sure_of(groups, frozenset(missing))
    found = _run_all(together, values, missing)
    if found is None:
        return (evaluate_each(group, facts) for group in groups)
    rest = iter(found)
    return (
        list(islice(rest, len(group))) if sure else evaluate_each(group, facts) for group, sure in zip(groups, is_sure, strict=True)
    )


def get_ready(groups: tuple[tuple[str, ...], ...], unread: Container[str]) -> None:
    """Compile what `evaluate_groups` will run where the facts of these names are missing."""
    variables = join(tuple(chain.from_iterable(groups)))[1]
    missing = frozenset(path for _name, path, parts in variables if parts[0] in unread)
    compile_cel(_plan(_sure_of(groups, missing)[1], missing)[0])


def _run_all(expressions: tuple[str, ...], values: dict[str, Any], missing: Mapping[str, Unreadable]) -> list[Any] | None:
    """Return the values of all, run as one list; None where one of them fails."""
    joined, undecided = _plan(expressions, frozenset(missing))
    try:
        found: list[Any] = run(joined, values)
    except _FAILURES:
        return None
    for index, path in undecided:
        found.insert(index, missing[path])
    return found


@lru_cache(maxsize=1024)
def _sure_of(groups: tuple[tuple[str, ...], ...], missing: frozenset[str]) -> tuple[tuple[bool, ...], tuple[str, ...]]:
    """Say of each group whether none of its conditions may fail for what is missing, and return the conditions of those."""
    is_sure = tuple(not any(_may_fail(expression, missing) for expression in group) for group in groups)
    return is_sure, tuple(chain.from_iterable(compress(groups, is_sure)))


def _may_fail(expression: str, missing: frozenset[str]) -> bool:
    """Say whether it names a missing fact that neither decides it alone nor is only asked for by `has()` first."""
    asked = presences(expression)
    return can_absorb(expression) and any(path in missing and path not in asked for path in paths(expression))


@lru_cache(maxsize=4096)
def _plan(expressions: tuple[str, ...], missing: frozenset[str]) -> tuple[str, tuple[tuple[int, str], ...]]:
    """Return the list of those that may have a value without the missing facts, and beside it where which fact decides another."""
    undecided = []
    for index, expression in enumerate(expressions):
        path = next((path for path in paths(expression) if path in missing), "")
        if path and not can_absorb(expression):
            undecided.append((index, path))
    left_out = {index for index, _path in undecided}
    asked = tuple([expression for index, expression in enumerate(expressions) if index not in left_out])
    return join(asked, tuple(sorted(missing)))[0], tuple(undecided)


def _run_one(expression: str, values: dict[str, Any], missing: Mapping[str, Unreadable]) -> Any:
    """Return the value of one expression. `values` and `missing` may be of more facts than it names."""
    of_this = [path for path in paths(expression) if path in missing] if missing else []
    if of_this and not can_absorb(expression):
        return missing[of_this[0]]
    try:
        absent = tuple(path for path in presences(expression) if path in missing) if of_this else ()
        return run(join((expression,), absent)[0], values)[0]
    except _FAILURES as error:
        if of_this:
            return missing[of_this[0]]
        raise RuleError(f"{expression!r}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from None


def _values(expressions: tuple[str, ...], facts: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Unreadable]]:
    """Return the value of each variable of `join`, and by their paths the facts that have none."""
    values: dict[str, Any] = {}
    missing: dict[str, Unreadable] = {}
    for name, path, parts in join(expressions)[1]:
        value = _resolve(parts, facts)
        if type(value) in _PLAIN:
            values[name] = value
        elif isinstance(value, Unreadable):
            missing[path] = value
        else:
            values[name] = as_context(value)
    return values, missing


def resolve(path: str, facts: Mapping[str, object]) -> object:
    """Return the fact at a dotted path; an Unreadable on the way is the answer. KeyError when there is no such name."""
    return _resolve(path_parts(path), facts)


def value_of(owner: object, name: str) -> object:
    """Return a field of facts, or a value of a mapping; an Unreadable owner is the answer. AttributeError: no such field."""
    if isinstance(owner, Unreadable):
        return owner
    if isinstance(owner, dict):
        return owner[name] if name in owner else Unreadable(f"{name} was not given")
    return getattr(owner, name)


def _resolve(parts: tuple[str, ...], facts: Mapping[str, object]) -> object:
    first = parts[0]
    here: object = facts[first] if first in facts else Unreadable(f"{first} was not collected")
    for part in parts[1:]:
        here = value_of(here, part)
    return here
