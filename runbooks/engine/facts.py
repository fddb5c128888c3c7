"""Defines facts: typed values read from one host, and the honest absence of one.

A probe's facts are frozen dataclasses. Every field is an int in base units (bytes, tasks, kB never), a float, a
bool, a str, a tuple of those, or `Unreadable`. A field made by `fact()` carries its unit and its source path, which
evidence shows. Rules see an unreadable fact as an absent key, never as null or zero.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from triagebook.runbooks.engine.dataclass import dataclass

T = TypeVar("T")
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Unreadable:
    """Describes a fact that could not be had, and why: 'permission denied', 'needs a second sample', 'not printed'."""

    reason: str


@dataclass(frozen=True)
class Collection(Generic[T]):
    """Holds elements of one sort on a host. `partial` says why some may be missing; empty means complete.

    `counted` elements were judged on the host to be far from any limit and are not in `items`.
    """

    items: tuple[T, ...] = ()
    partial: str = ""
    counted: int = 0


def fact(unit: str, source: str, default: object = MISSING) -> Any:
    """Return a dataclass field with the unit of its value and the file it was read from."""
    return field(default=default, metadata={"unit": unit, "source": source})


@dataclass(frozen=True)
class Source:
    """Says where a fact comes from: the unit it is in and the file, with the element's identity filled in."""

    unit: str
    path: str


def has_fact(facts: object, name: str) -> bool:
    """Say whether this is a facts dataclass with such a field."""
    return is_dataclass(facts) and name in _sources(type(facts))  # type: ignore[arg-type]


def source_of(facts: object, name: str) -> Source:
    """Return unit and source path of one field of a facts dataclass; `{field}` in the path takes that field's value."""
    known = _sources(type(facts))  # type: ignore[arg-type]
    if name not in known:
        raise AttributeError(f"{type(facts).__name__} has no fact {name!r}")
    found = known[name]
    if "{" not in found.path:
        return found
    path = _PLACE.sub(lambda place: str(getattr(facts, place[1])) if place[1] in known else place[0], found.path)
    return Source(found.unit, path)


@cache
def _sources(facts: type) -> Mapping[str, Source]:
    """Return the sources of all fields, as their class names them."""
    return {entry.name: Source(entry.metadata.get("unit", ""), entry.metadata.get("source", "")) for entry in fields(facts)}


def identity_of(element: object) -> str:
    """Return what tells this element from its siblings: the field its class names in `IDENTITY`."""
    return str(getattr(element, getattr(type(element), "IDENTITY", "id")))


def as_context(value: object) -> object:
    """Return the value as rules see it: dataclasses become dicts, collections lists; an Unreadable is left out.

    A tuple with an Unreadable in it is unreadable as a whole: a sum or a maximum over it would be wrong.
    """
    if isinstance(value, Collection):
        return [as_context(item) for item in value.items]
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((entry.name, getattr(value, entry.name)) for entry in fields(value))
        return {name: as_context(item) for name, item in pairs if not isinstance(item, Unreadable)}
    if isinstance(value, Mapping):
        return {key: as_context(item) for key, item in value.items() if not isinstance(item, Unreadable)}
    if isinstance(value, tuple):
        return [as_context(item) for item in value]
    return value
