"""Facts as plain data and back: what `--save` writes, what a case holds, what a replay reads.

An unreadable fact is `{unreadable: why}`; a collection is `{items: [...], partial: why, counted: n}`.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.engine.text import did_you_mean


def dump(value: object) -> Any:
    """A facts dataclass as plain data."""
    if isinstance(value, Unreadable):
        return {"unreadable": value.reason}
    if isinstance(value, Collection):
        return {
            "items": [dump(item) for item in value.items],
            **({"partial": value.partial} if value.partial else {}),
            **({"counted": value.counted} if value.counted else {}),
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: dump(getattr(value, entry.name)) for entry in fields(value)}
    return [dump(item) for item in value] if isinstance(value, tuple) else value


def load(kind: Any, data: Any, path: str = "facts") -> Any:
    """The value of the annotated type. A field left out is unreadable where it may be; else it is an error.

    Raises RunbookError naming the path.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if isinstance(data, Mapping) and set(data) == {"unreadable"}:
            return Unreadable(str(data["unreadable"]))
        return load(next(option for option in arguments if option is not Unreadable), data, path)
    if origin is Collection:
        return _collection(arguments[0], data, path)
    if origin is tuple:
        return tuple(load(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(data))
    if is_dataclass(kind):
        return _dataclass(kind, data, path)
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if type(data) is not kind:
        raise RunbookError(f"{path}: expected {kind.__name__}, got {str(data)[:60]!r}")
    return data


def _collection(element: Any, data: Any, path: str) -> Collection[Any]:
    if not isinstance(data, Mapping) or set(data) - {"items", "partial", "counted"}:
        raise RunbookError(f"{path}: expected items, partial, counted")
    items = tuple(load(element, item, f"{path}.items[{index}]") for index, item in enumerate(data.get("items", ())))
    return Collection(items, str(data.get("partial", "")), int(data.get("counted", 0)))


def _dataclass(kind: Any, data: Any, path: str) -> Any:
    hints = typing.get_type_hints(kind)
    names = [entry.name for entry in fields(kind)]
    if not isinstance(data, Mapping):
        raise RunbookError(f"{path}: expected {', '.join(names)}")
    for name in data:
        if name not in names:
            raise RunbookError(f"{path}: unknown fact {name!r}{did_you_mean(str(name), names)}")
    values = {}
    for entry in fields(kind):
        if entry.name in data:
            values[entry.name] = load(hints[entry.name], data[entry.name], f"{path}.{entry.name}")
        elif Unreadable in typing.get_args(hints[entry.name]):
            values[entry.name] = Unreadable("not recorded")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise RunbookError(f"{path}.{entry.name}: missing")
    return kind(**values)
