"""Writes sentences for people: Jinja2 in a sandbox, strict about names, bounded in size. Nothing here ever becomes a command.

An unreadable fact renders as `unknown`, or as what `unknown_figures` makes of it; what is left of something is never less than
nothing. Values that a host made are escaped before they get here (`text.safe_text`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.quantities import as_bytes_in_a_sentence, as_count, as_duration, as_percent
from triagebook.runbooks.engine.unknown_figures import AMOUNT, NUMBER, word_unknown

MAX_TEMPLATE = 2000
MAX_OUTPUT = 2000
# what a sentence needs; no loops, calls, sets, macros or arithmetic on text ('x' * 10**9 fits any sandbox)
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Filter, nodes.If,
    nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Test,
)  # fmt: skip


class _Unknown:
    """Stands for an unreadable fact in a sentence; every attribute of it is unknown too."""

    def __str__(self) -> str:
        return "unknown"

    def __getattr__(self, name: str) -> "_Unknown":
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __bool__(self) -> bool:
        return False

    def __lt__(self, _other: object) -> bool:
        return False

    __le__ = __gt__ = __ge__ = __lt__  # whatever it is compared with, nobody knows


UNKNOWN = _Unknown()


class _Overdrawn(int):
    """Stands for what is left where more is used than there is: below zero in a comparison, nothing in a sentence."""


def _bytes(value: object) -> str:
    return AMOUNT if isinstance(value, _Unknown) else as_bytes_in_a_sentence(value)


def _word(value: object) -> object:
    """Return what stands in the sentence for a value."""
    return NUMBER if isinstance(value, _Unknown) else 0 if isinstance(value, _Overdrawn) else value


_FILTERS = {"bytes": _bytes, "count": as_count, "percent_of": as_percent, "duration": as_duration}


class _View:
    """Read-only attribute access to facts and mappings, with unreadable ones shown as unknown."""

    __slots__ = ("_target",)

    def __init__(self, target: object) -> None:
        object.__setattr__(self, "_target", target)

    def __getattr__(self, name: str) -> Any:
        target = object.__getattribute__(self, "_target")
        if name.startswith("_"):
            raise AttributeError(name)
        value = target[name] if isinstance(target, dict) and name in target else getattr(target, name)
        return _Overdrawn(value) if _is_overdrawn(name, value) else _view(value)


def _is_overdrawn(name: str, value: object) -> bool:
    """Say whether a remainder is below zero."""
    return isinstance(value, int) and value < 0 and "room" in name.split("_")


def _view(value: object) -> Any:
    if isinstance(value, Unreadable):
        return UNKNOWN
    return value if isinstance(value, (str, int, float, bool, _Unknown)) or value is None else _View(value)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Trusts a view: its attributes are what it gives away, so each need not be asked whether it is safe."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, _View):
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


@lru_cache(maxsize=1)
def _environment() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False, optimized=False, finalize=_word)
    environment.globals.clear()
    environment.filters.clear()
    environment.filters.update(_FILTERS)
    environment.tests = {name: environment.tests[name] for name in ("defined",)}
    return environment


@lru_cache(maxsize=512)
def _compile(template: str) -> tuple[Any, tuple[str, ...]]:
    """Return the compiled template and the dotted paths it names. What it may hold is looked at first: Jinja folds constants
    when it compiles, so `'x' * 10**9` would already do its harm there."""
    if len(template) > MAX_TEMPLATE:
        raise RunbookError(f"a template longer than {MAX_TEMPLATE} characters")
    try:
        tree = _environment().parse(template)
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, _ALLOWED):
                raise RunbookError(f"{type(node).__name__} is not allowed in a template; it is for sentences only")
            if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
                raise RunbookError(f"a template may not reach {node.attr!r}")
        named = tuple(_paths(tree))  # before the compiler, which may change the tree
        return _environment().from_string(tree), named
    except (TemplateError, RecursionError) as error:
        raise RunbookError(f"not a template: {error}") from None


@lru_cache(maxsize=512)
def _constant(template: str) -> str:
    """Return a sentence that names no fact: it is the same for every host."""
    return str(_compile(template)[0].render())


@lru_cache(maxsize=512)
def _roots(named: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path.partition(".")[0] for path in named))


def check(template: str) -> tuple[str, ...]:
    """Refuse what a sentence does not need, before any host is seen; return the dotted paths it names.

    Raises RunbookError.
    """
    return _compile(template)[1]


def _paths(tree: nodes.Node) -> list[str]:
    inner = {id(node.node) for node in tree.find_all(nodes.Getattr)}
    found = []
    for node in [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Name)]:
        if id(node) in inner:
            continue
        parts: list[str] = []
        here: nodes.Node = node
        while isinstance(here, nodes.Getattr):
            parts.append(here.attr)
            here = here.node
        if isinstance(here, nodes.Name):
            found.append(".".join([here.name, *reversed(parts)]))
    return found


def render(template: str, facts: Mapping[str, object]) -> str:
    """Return the sentence, cut where a host's own names make it too long. Raises RunbookError when the template fails."""
    try:
        compiled, named = _compile(template)
        text = (
            compiled.render({name: _view(facts[name]) for name in _roots(named) if name in facts}) if named else _constant(template)
        )
    except (TemplateError, SecurityError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RunbookError(f"template {template!r}: {error}") from None
    text = word_unknown(text)
    return text if len(text) <= MAX_OUTPUT else f"{text[: MAX_OUTPUT - 1]}…"
