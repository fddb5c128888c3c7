"""Checks the expressions of a runbook before a host is seen: their names against the fact dataclasses, each part by its types.

Each part of a condition is tried on a value of the right type: CEL does not coerce, and mixes of int and float fail only
when met.
"""

import re
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.expressions import FUNCTIONS, TOKEN, compile_cel, parts, paths, presences, references, run
from triagebook.runbooks.engine.facts import Collection
from triagebook.runbooks.engine.text import did_you_mean


@dataclass(frozen=True)
class NameScope:
    """Says what an expression may name: a root name to the type of its facts (a dataclass) or a mapping of further names."""

    roots: Mapping[str, Any]

    def type_of(self, path: str) -> Any:
        """Return the annotated type at a dotted path. Raises RunbookError: unknown fact, and the nearest right one."""
        first, *rest = path.split(".")
        if first not in self.roots:
            raise RunbookError(f"unknown name {first!r}{did_you_mean(first, self.roots)}")
        here = self.roots[first]
        for depth, part in enumerate(rest):
            names = here if isinstance(here, Mapping) else _fields_of(here)
            if part not in names:
                near = did_you_mean(part, names).replace("'", f"'{'.'.join([first, *rest[:depth]])}.", 1)
                raise RunbookError(f"unknown fact {path!r}{near}")
            here = names[part]
        return here


@lru_cache(maxsize=256)
def _fields_of(kind: Any) -> dict[str, Any]:
    if not is_dataclass(kind):
        return {}
    hints = typing.get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if typing.get_origin(hint) is not typing.ClassVar}


def element_type(scope: NameScope, path: str) -> Any:
    """Return the element type of the collection at `path`. Raises RunbookError when it is not a collection."""
    kind = scope.type_of(path)
    if typing.get_origin(kind) is not Collection:
        raise RunbookError(f"{path!r} is not a collection")
    return typing.get_args(kind)[0]


def check_rule(expression: str, scope: NameScope, *, is_condition: bool, may_ask_presence: bool = False) -> None:
    """Check an expression for all that can be known to be wrong before a host is seen. Raises RunbookError."""
    try:
        compile_cel(expression)
    except ValueError as error:
        raise RunbookError(f"not CEL: {str(error).splitlines()[0]}") from None
    bare = TOKEN.sub(lambda match: "''" if match["text"] else match[0], expression)
    if re.search(r"[\[\]{}]", bare):
        raise RunbookError("indexing and literals of lists and maps are not allowed; join such facts when they are parsed")
    for path, function in references(expression):
        if function and function not in FUNCTIONS:
            raise RunbookError(f"unknown function {function!r}{did_you_mean(function, FUNCTIONS)}")
        is_not = re.search(r"!\s*has\(", expression)
        if function == "has" and not (may_ask_presence if is_not else _are_asked(expression, scope)):
            raise RunbookError(
                "has() only as `!has(x) && ...` in a state of strength 'possible', or of what a program is asked for"
            )
        if path:
            scope.type_of(path)
    for part in parts(expression):
        _try_types(part, scope, is_condition=is_condition)


def _are_asked(expression: str, scope: NameScope) -> bool:
    """Say whether each has() is about the answer of a program, which is asked in the last round only: no answer clears nothing."""
    return all(getattr(scope.roots.get(path.split(".")[0]), "IS_ASKED", False) for path in presences(expression))


def _try_types(part: str, scope: NameScope, *, is_condition: bool) -> None:
    context: dict[str, Any] = {}
    for path in paths(part):
        _place(context, path.split("."), _example(scope.type_of(path)))
    try:
        value = run(part, context)
    except (TypeError, RuntimeError, ValueError) as error:
        raise RunbookError(f"{part!r}: {str(error).splitlines()[0]}") from None
    except (ArithmeticError, KeyError):
        return  # the example's value, not its type
    if is_condition and not isinstance(value, bool):
        raise RunbookError(f"{part!r} is {type(value).__name__}, not a condition")


def _place(context: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        context = context.setdefault(part, {})
    context.setdefault(parts[-1], value)


def _example(kind: Any) -> Any:
    """Return a value of the annotated type: `int | Unreadable` gives 7."""
    for option in typing.get_args(kind) or (kind,):
        for known, value in ((bool, True), (int, 7), (float, 7.5), (str, "x")):
            if option is known:
                return value
    return {}
