"""Describes the words that a runbook may use: kinds of probes and their facts, read off the dataclasses themselves."""

import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.probes import catalog

WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class FactDescription:
    """Describes one fact. `path` is written after the probe's name; the facts of a list's elements are `LIST.FACT`."""

    path: str
    type: str
    unit: str
    source: str
    may_be_unreadable: bool
    about: str  # of a list: what its elements are


@dataclass(frozen=True)
class KindDescription:
    """Describes one kind of probe: what it is about, how it is read, and its facts."""

    kind: str
    about: str
    how: str
    facts: tuple[FactDescription, ...]

    def below(self, path: str) -> tuple[FactDescription, ...]:
        """Return the fact of that path, and those of its elements where it is a list."""
        return tuple(fact for fact in self.facts if fact.path == path or fact.path.startswith(f"{path}."))


def describe_kind(kind: str) -> KindDescription:
    """Return what a kind is. Raises RunbookError with the nearest name."""
    module = catalog.load(kind)
    how = "read by the collector, at every sample" if catalog.is_collected(kind) else "asked of a program, in the last round"
    return KindDescription(kind, _text_of(module), how, tuple(_facts_of(module.FACTS, "")))


def _facts_of(record: type[Any], prefix: str) -> Iterator[FactDescription]:
    hints = typing.get_type_hints(record)
    for entry in fields(record):
        options = _options(hints[entry.name])
        value = next(option for option in options if option not in (Unreadable, types.NoneType))
        element = _element(value)
        about = _text_of(element) if element else ""
        yield _description(entry, f"{prefix}{entry.name}", _words(value), Unreadable in options, about)
        if element:
            yield from _facts_of(element, f"{prefix}{entry.name}.")


def _description(entry: "Field[Any]", path: str, words: str, is_optional: bool, about: str) -> FactDescription:
    return FactDescription(path, words, entry.metadata.get("unit", ""), entry.metadata.get("source", ""), is_optional, about)


def _options(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    return typing.get_args(hint) if is_union else (hint,)


def _element(value: Any) -> type[Any] | None:
    """Return the dataclass of a list's elements, or of a fact that has facts of its own."""
    inner = typing.get_args(value)[0] if typing.get_origin(value) in (Collection, tuple) else value
    return inner if is_dataclass(inner) and isinstance(inner, type) else None


def _words(value: Any) -> str:
    if typing.get_origin(value) in (Collection, tuple):
        inner = typing.get_args(value)[0]
        return "list" if is_dataclass(inner) else f"list of {WORDS.get(inner, 'text')}"
    return "facts" if is_dataclass(value) else WORDS.get(value, str(getattr(value, "__name__", value)))


def _text_of(documented: Any) -> str:
    return " ".join((inspect.getdoc(documented) or "").split())
