"""Turns records into plain data and back: what JSON, a case file, the cache of checked runbooks and a stored plan hold.

An unreadable fact is `{unreadable: why}`; a collection is `{items: [...], partial: why, counted: n}`, without what is
empty. A field that is left out of comparison (`digest`, `source` of a runbook) is left out here too, and so is an unused
one that came after the first release (`later`).
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.text import did_you_mean

T = TypeVar("T")


def member(name: str) -> Any:
    """Return a dataclass field whose name in plain data is another: one that Python reserves."""
    return field(metadata={"member": name})


def later(default: Any) -> Any:
    """Return a dataclass field that came after the first release: a runbook that does not use it keeps its digest."""
    given: Any = {"default_factory": dict} if default == {} else {"default": default}
    return field(**given, metadata={"unused": default})


def to_plain(value: Any) -> Any:
    """Return dicts and lists for dataclasses, mappings and tuples, in field order (`schema` leads); all else stays as it is."""
    if isinstance(value, Unreadable):
        return {"unreadable": value.reason}
    if isinstance(value, Collection):
        items = [to_plain(item) for item in value.items]
        partial = {"partial": value.partial} if value.partial else {}
        return {"items": items, **partial, **({"counted": value.counted} if value.counted else {})}
    if is_dataclass(value) and not isinstance(value, type):
        written = [entry for entry in fields(value) if entry.compare and not _is_unused(entry, value)]
        members = {_member(entry): to_plain(getattr(value, entry.name)) for entry in written}
        return {"schema": members.pop("schema"), **members} if "schema" in members else members
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _is_unused(entry: "Field[Any]", value: Any) -> bool:
    """Say whether a field that came after the first release is at its default: digests of older runbooks do not know it."""
    return "unused" in entry.metadata and bool(getattr(value, entry.name) == entry.metadata["unused"])


def from_plain(kind: type[T], data: Any, path: str = "") -> T:
    """Return the value of the annotated type. An absent fact is unreadable where it may be; else its default, else an error.

    Raises ValueError, which names the path: another type, an unknown member, a missing one.
    """
    return cast(T, _value(kind, data, path or kind.__name__))


def _value(kind: Any, data: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _option(arguments, data, path)
    if origin is Collection:
        return _collection(arguments[0], data, path)
    if is_dataclass(kind):
        return _record(kind, data, path)
    if origin is tuple and isinstance(data, (list, tuple)):
        return tuple(_value(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(data))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(data, Mapping):
        return {_value(arguments[0], key, path): _value(arguments[1], item, f"{path}.{key}") for key, item in data.items()}
    if origin is typing.Literal and data in arguments:
        return data
    if kind is float and _is(int, data):
        return float(data)
    if not _is(kind, data):
        raise ValueError(f"{path}: expected {_words(kind)}, got {str(data)[:60]!r}")
    return data


def _is(kind: Any, data: Any) -> bool:
    """Say whether the value is exactly of that type: True is no integer here."""
    return data.__class__ is kind


def _option(options: tuple[Any, ...], data: Any, path: str) -> Any:
    """Return the value of one of several types: none and unreadable by their look, a plain type by its own, else the first."""
    if Unreadable in options and isinstance(data, Mapping) and set(data) == {"unreadable"}:
        return Unreadable(str(data["unreadable"]))
    if any(_is(option, data) for option in options):
        return data
    return _value(next(option for option in options if option not in (Unreadable, types.NoneType)), data, path)


def _collection(element: Any, data: Any, path: str) -> Collection[Any]:
    if not isinstance(data, Mapping) or set(data) - {"items", "partial", "counted"}:
        raise ValueError(f"{path}: expected items, partial, counted")
    items = tuple(_value(element, item, f"{path}.items[{index}]") for index, item in enumerate(data.get("items", ())))
    return Collection(items, str(data.get("partial", "")), int(data.get("counted", 0)))


def _record(kind: Any, data: Any, path: str) -> Any:
    known = _members(kind)
    if not isinstance(data, Mapping):
        raise ValueError(f"{path}: expected {', '.join(known)}")
    for name in data:
        if name not in known:
            raise ValueError(f"{path}: unknown key {str(name)!r}{did_you_mean(str(name), known)}")
    values = {}
    for name, (field_name, hint, has_default) in known.items():
        if name in data:
            values[field_name] = _value(hint, data[name], f"{path}.{name}")
        elif Unreadable in typing.get_args(hint):
            values[field_name] = Unreadable("not recorded")
        elif not has_default:
            raise ValueError(f"{path}.{name}: missing")
    return kind(**values)


@lru_cache(maxsize=128)
def _members(kind: type[Any]) -> Mapping[str, tuple[str, Any, bool]]:
    """Map each name in plain data to the name of the field, its type, and whether it may be absent."""
    hints = typing.get_type_hints(kind)
    return {
        _member(entry): (entry.name, hints[entry.name], entry.default is not MISSING or entry.default_factory is not MISSING)
        for entry in fields(kind)
    }


def _member(entry: "Field[Any]") -> str:
    return str(entry.metadata.get("member", entry.name))


def _words(kind: Any) -> str:
    options = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
    return ", ".join(map(str, options)) or str(getattr(kind, "__name__", kind))
