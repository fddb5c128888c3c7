"""Turns records into plain data and back: what JSON, a case file, the cache of checked runbooks and a stored plan hold.

An unreadable fact is `{unreadable: why}`; a collection is `{items: [...], partial: why, counted: n}`, without what is
empty. A field that is left out of comparison (`digest`, `source` of a runbook) is left out here too, and so is an unused
one that came after the first release (`later`).
"""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar, cast

from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.text import did_you_mean

T = TypeVar("T")
Reader = Callable[[Any], Any]


def member(name: str) -> Any:
    """Return a dataclass field whose name in plain data is another: one that Python reserves."""
    return field(metadata={"member": name})


def later(default: Any) -> Any:
    """Return a dataclass field that came after the first release: a runbook that does not use it keeps its digest."""
    given: Any = {"default_factory": dict} if default == {} else {"default": default}
    return field(**given, metadata={"unused": default})


_PLAIN = frozenset({str, int, float, bool, type(None)})


def to_plain(value: Any) -> Any:
    """Return dicts and lists for dataclasses, mappings and tuples, in field order (`schema` leads); all else stays as it is."""
    if value.__class__ in _PLAIN:
        return value
    if isinstance(value, Unreadable):
        return {"unreadable": value.reason}
    if isinstance(value, Collection):
        items = [to_plain(item) for item in value.items]
        partial = {"partial": value.partial} if value.partial else {}
        return {"items": items, **partial, **({"counted": value.counted} if value.counted else {})}
    if is_dataclass(value) and not isinstance(value, type):
        members = {}
        for name, written, unused in _members_to_write(value.__class__):
            item = getattr(value, name)
            if unused is MISSING or item != unused:  # digests of older runbooks do not know a field that came later
                members[written] = to_plain(item)
        return members
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


@lru_cache(maxsize=256)
def _members_to_write(kind: type[Any]) -> list[tuple[str, str, Any]]:
    """List the name of each field, its name in plain data, and the value at which it is left out (MISSING: never)."""
    written = [entry for entry in fields(kind) if entry.compare]
    written.sort(key=lambda entry: _member(entry) != "schema")
    return [(entry.name, _member(entry), entry.metadata.get("unused", MISSING)) for entry in written]


class _MisfitError(ValueError):
    """Data of another type. Each reader that it passes adds where it stood."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.says = says
        self.where: list[str] = []


def from_plain(kind: type[T], data: Any, path: str = "") -> T:
    """Return the value of the annotated type. An absent fact is unreadable where it may be; else its default, else an error.

    Raises ValueError, which names the path: another type, an unknown member, a missing one.
    """
    try:
        return cast(T, _reader(kind)(data))
    except _MisfitError as misfit:
        raise ValueError(f"{path or kind.__name__}{''.join(reversed(misfit.where))}: {misfit.says}") from None


def _reader(kind: Any) -> Reader:
    """Return what reads a value of the annotated type. It is made once for each field: to look at types anew costs most."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _option_reader(arguments)
    if origin is Collection:
        return _collection_reader(arguments[0])
    if is_dataclass(kind):
        return partial(_read_record, kind)
    if origin is tuple:
        return partial(_read_tuple, kind, _reader(arguments[0]))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return partial(_read_mapping, kind, *map(_reader, arguments))
    if origin is typing.Literal:
        return partial(_read_literal, kind, arguments)
    return partial(_read_float if kind is float else _read_exactly, kind)


def _read_exactly(kind: Any, data: Any) -> Any:
    """Return a value that is exactly of that type: True is no integer here."""
    if data.__class__ is not kind:
        raise _misfit(kind, data)
    return data


def _read_float(kind: Any, data: Any) -> float:
    return float(data) if data.__class__ is int else cast(float, _read_exactly(kind, data))


def _read_literal(kind: Any, words: tuple[Any, ...], data: Any) -> Any:
    if data not in words:
        raise _misfit(kind, data)
    return data


def _read_tuple(kind: Any, read: Reader, data: Any) -> tuple[Any, ...]:
    if not isinstance(data, (list, tuple)):
        raise _misfit(kind, data)
    found: list[Any] = []
    try:
        for item in data:
            found.append(read(item))  # noqa: PERF401 - its length says where one does not fit
    except _MisfitError as misfit:
        misfit.where.append(f"[{len(found)}]")
        raise
    return tuple(found)


def _read_mapping(kind: Any, read_name: Reader, read: Reader, data: Any) -> dict[Any, Any]:
    if not isinstance(data, Mapping):
        raise _misfit(kind, data)
    found = {}
    for name, item in data.items():
        key = read_name(name)
        try:
            found[key] = read(item)
        except _MisfitError as misfit:
            misfit.where.append(f".{name}")
            raise
    return found


def _option_reader(options: tuple[Any, ...]) -> Reader:
    """Return what reads one of several types: none and unreadable by their look, a plain type by its own, else the first."""
    may_be_unreadable = Unreadable in options
    plain = frozenset(option for option in options if isinstance(option, type))
    read = _reader(next(option for option in options if option not in (Unreadable, types.NoneType)))

    def read_option(data: Any) -> Any:
        if data.__class__ in plain:
            return data
        if may_be_unreadable and isinstance(data, Mapping) and set(data) == {"unreadable"}:
            return Unreadable(str(data["unreadable"]))
        return read(data)

    return read_option


def _collection_reader(element: Any) -> Reader:
    read = partial(_read_tuple, tuple, _reader(element))

    def read_collection(data: Any) -> Collection[Any]:
        if not isinstance(data, Mapping) or set(data) - {"items", "partial", "counted"}:
            raise _MisfitError("expected items, partial, counted")
        try:
            items = read(data.get("items", ()))
        except _MisfitError as misfit:
            misfit.where.append(".items")
            raise
        return Collection(items, str(data.get("partial", "")), int(data.get("counted", 0)))

    return read_collection


def _read_record(kind: Any, data: Any) -> Any:
    known = _members(kind)
    if not isinstance(data, Mapping):
        raise _MisfitError(f"expected {', '.join(known)}")
    if not data.keys() <= known.keys():
        name = next(name for name in data if name not in known)
        raise _MisfitError(f"unknown key {str(name)!r}{did_you_mean(str(name), known)}")
    values = {}
    name = ""
    try:
        for name, member in known.items():
            if name in data:
                values[member.field_name] = member.read(data[name])
            elif member.may_be_unreadable:
                values[member.field_name] = Unreadable("not recorded")
            elif not member.has_default:
                raise _MisfitError("missing")
    except _MisfitError as misfit:
        misfit.where.append(f".{name}")
        raise
    return kind(**values)


class _Member(NamedTuple):
    """One member of a record in plain data."""

    field_name: str
    read: Reader
    may_be_unreadable: bool
    has_default: bool


@lru_cache(maxsize=256)
def _members(kind: type[Any]) -> Mapping[str, _Member]:
    """Map each name in plain data to what is read there."""
    hints = typing.get_type_hints(kind)
    return {
        _member(entry): _Member(
            entry.name,
            _reader(hints[entry.name]),
            Unreadable in typing.get_args(hints[entry.name]),
            entry.default is not MISSING or entry.default_factory is not MISSING,
        )
        for entry in fields(kind)
    }


def _member(entry: "Field[Any]") -> str:
    return str(entry.metadata.get("member", entry.name))


def _misfit(kind: Any, data: Any) -> _MisfitError:
    options = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
    words = ", ".join(map(str, options)) or str(getattr(kind, "__name__", kind))
    return _MisfitError(f"expected {words}, got {str(data)[:60]!r}")
