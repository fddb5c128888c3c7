"""Conditions of a runbook: CEL text, checked against the fact dataclasses at load, evaluated in three values.

The library evaluates; what it does not do is done here: the dotted paths are checked against the types of the facts,
each part of a condition is tried on a value of the right type (CEL does not coerce, and mixes of int and float fail
only when met), and an absent key becomes the Unreadable that caused it. No macros, no indexing: a rule stays one line.
"""

import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.facts import Collection, Unreadable, as_context
from triagebook.runbooks.engine.text import did_you_mean

FUNCTIONS = {"has", "int", "double", "string", "size", "min", "max", "startsWith", "endsWith", "contains"}
_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<path>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)(?P<call>\s*\()?"""
)
_TOKEN_OR_PRESENCE = re.compile(rf"\bhas\s*\((?P<present>[\w\s.]*)\)|{_TOKEN.pattern}")
_IMPORTING = Lock()
_WORDS = {"true", "false", "null", "in"}
_PLAIN = {bool, int, float, str}
_FAILURES = (KeyError, TypeError, RuntimeError, ValueError, ArithmeticError)


class RuleError(RunbookError):
    """A rule failed on readable facts: a fault of the runbook, never of the host."""

    reason = "rule"


@lru_cache(maxsize=1)
def _cel() -> Any:
    """The CEL extension without its command line (`cel.cli` imports a prompt toolkit: 140 ms of every run)."""
    with _IMPORTING:  # hosts are diagnosed by several threads
        if "cel" not in sys.modules:
            sys.modules["cel.cli"] = types.ModuleType("cel.cli")
            try:
                import cel  # noqa: F401, PLC0415
            finally:
                del sys.modules["cel.cli"]
    return sys.modules["cel"]


@lru_cache(maxsize=1024)
def _program(expression: str) -> Any:
    return _cel().compile(expression)


@dataclass(frozen=True)
class NameScope:
    """What an expression may name: a root name to the type of its facts (a dataclass) or a mapping of further names."""

    roots: Mapping[str, Any]

    def type_of(self, path: str) -> Any:
        """The annotated type at a dotted path. Raises RunbookError: unknown fact, and the nearest right one."""
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
    """The element type of the collection at `path`. Raises RunbookError when it is not a collection."""
    kind = scope.type_of(path)
    if typing.get_origin(kind) is not Collection:
        raise RunbookError(f"{path!r} is not a collection")
    return typing.get_args(kind)[0]


def paths(expression: str) -> tuple[str, ...]:
    """The dotted paths an expression names, methods and functions left out."""
    return tuple(path for path, _function in _references(expression) if path)


def _references(expression: str) -> Iterator[tuple[str, str]]:
    """(path, called function) pairs; either may be empty."""
    for match in _TOKEN.finditer(expression):
        path = match["path"]
        if not path or path in _WORDS:
            continue
        path = re.sub(r"\s", "", path)
        if match["call"]:
            owner, _, function = path.rpartition(".")
            yield owner, function
        else:
            yield path, ""


def check(expression: str, scope: NameScope, *, is_condition: bool, may_ask_presence: bool = False) -> None:
    """Everything that can be known to be wrong before a host is seen. Raises RunbookError."""
    try:
        _program(expression)
    except ValueError as error:
        raise RunbookError(f"not CEL: {str(error).splitlines()[0]}") from None
    bare = _TOKEN.sub(lambda match: "''" if match["text"] else match[0], expression)
    if re.search(r"[\[\]{}]", bare):
        raise RunbookError("indexing and literals of lists and maps are not allowed; join such facts when they are parsed")
    for path, function in _references(expression):
        if function and function not in FUNCTIONS:
            raise RunbookError(f"unknown function {function!r}{did_you_mean(function, FUNCTIONS)}")
        if function == "has" and not (may_ask_presence and re.search(r"!\s*has\(", expression)):
            raise RunbookError("has() only as `!has(x) && ...` in a state of strength 'possible'")
        if path:
            scope.type_of(path)
    for part in _parts(expression):
        _try_types(part, scope, is_condition=is_condition)


def _parts(expression: str) -> list[str]:
    """The operands of && and || at the top level; the whole where parentheses or ?: make them depend on each other."""
    depth, start, parts, index = 0, 0, [], 0
    bare = _TOKEN.sub(lambda match: "x" * len(match[0]) if match["text"] else match[0], expression)
    if "?" in bare:
        return [expression]
    while index < len(bare):
        depth += (bare[index] == "(") - (bare[index] == ")")
        if depth == 0 and bare[index : index + 2] in {"&&", "||"}:
            parts.append(expression[start:index])
            start = index = index + 2
            continue
        index += 1
    return [part.strip() for part in [*parts, expression[start:]] if part.strip()]


def _try_types(part: str, scope: NameScope, *, is_condition: bool) -> None:
    context: dict[str, Any] = {}
    for path in paths(part):
        _place(context, path.split("."), _example(scope.type_of(path)))
    try:
        value = _run(part, context)
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
    """A value of the annotated type: `int | Unreadable` gives 7."""
    for option in typing.get_args(kind) or (kind,):
        for known, value in ((bool, True), (int, 7), (float, 7.5), (str, "x")):
            if option is known:
                return value
    return {}


def _run(expression: str, context: dict[str, Any]) -> Any:
    if not _has_functions(expression):
        return _program(expression).execute(context)
    return _program(expression).execute(_cel().Context(context, {"min": min, "max": max}))


@lru_cache(maxsize=1024)
def _has_functions(expression: str) -> bool:
    return any(function in {"min", "max"} for _path, function in _references(expression))


@lru_cache(maxsize=512)  # compiling the expressions of a runbook takes 30 ms; an answer asks three times
def matches(pattern: str, text: str) -> bool:
    """Whether a regular expression is found in the text, in linear time (RE2 syntax). Raises RunbookError."""
    try:
        found = _program("text.matches(pattern)").execute({"text": text, "pattern": pattern})
    except (ValueError, RuntimeError, TypeError) as error:
        raise RunbookError(f"not a regular expression: {str(error).splitlines()[0]}") from None
    return bool(found)


def evaluate(expression: str, facts: Mapping[str, object]) -> Any:
    """The value of an expression on facts, or the Unreadable that stands in its way. `&&` and `||` absorb what they can.

    Raises RuleError when it fails although every fact it names is readable.
    """
    if (found := _at_once((expression,), facts)) is not None:
        return found[0]
    context, missing = _context(expression, facts)
    if missing is not None and not _can_absorb(expression):
        return missing
    try:
        return _run(expression, context)
    except _FAILURES as error:
        if missing is not None:
            return missing
        raise RuleError(f"{expression!r}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from None


def evaluate_each(expressions: tuple[str, ...], facts: Mapping[str, object]) -> Iterable[Any]:
    """What `evaluate` gives for each: at once where nothing stands in the way of any, else one by one as they are asked for."""
    found = _at_once(expressions, facts)
    return (evaluate(expression, facts) for expression in expressions) if found is None else found


def _at_once(expressions: tuple[str, ...], facts: Mapping[str, object]) -> list[Any] | None:
    """The values of them all; None where a fact is missing or something fails."""
    joined, variables = _join(expressions)
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
        found: list[Any] = _run(joined, values)
    except _FAILURES:
        return None
    return found


@lru_cache(maxsize=1024)
def _can_absorb(expression: str) -> bool:
    """It may have a value though a fact that it names has none."""
    return any(sign in expression for sign in ("&&", "||", "?", "has("))


@lru_cache(maxsize=1024)
def _join(expressions: tuple[str, ...]) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """One list of them all and its variables, each with the path it stands for.

    The library takes four times as long for mappings in mappings as for plain variables. Where this is used nothing is
    missing, so `has()` is true.
    """
    names: dict[str, str] = {}

    def variable(path: str) -> str:
        return names.setdefault(path, f"v{len(names)}")

    def plain(match: re.Match[str]) -> str:
        if match["text"]:
            return match[0]
        if match["present"]:
            variable(re.sub(r"\s", "", match["present"]))
            return "true"
        path = re.sub(r"\s", "", match["path"])
        owner, _, function = path.rpartition(".") if match["call"] else (path, "", "")
        if not owner or owner in _WORDS:
            return match[0]
        return f"{variable(owner)}.{function}(" if match["call"] else variable(owner)

    joined = f"[{', '.join(f'({_TOKEN_OR_PRESENCE.sub(plain, expression)})' for expression in expressions)}]"
    return joined, tuple((name, tuple(path.split("."))) for path, name in names.items())


def get_ready(expressions: tuple[str, ...]) -> None:
    """Compile what `evaluate_each` will be asked for."""
    _program(_join(expressions)[0])


def _context(expression: str, facts: Mapping[str, object]) -> tuple[dict[str, Any], Unreadable | None]:
    """Only what the expression names; an Unreadable leaves its key out, its parents stay. The first of these, too."""
    context: dict[str, Any] = {}
    missing = None
    for parts in _paths_once(expression):
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


@lru_cache(maxsize=1024)
def _paths_once(expression: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in dict.fromkeys(paths(expression)))


def resolve(path: str, facts: Mapping[str, object]) -> object:
    """The fact at a dotted path; an Unreadable on the way is the answer. KeyError when there is no such name."""
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
