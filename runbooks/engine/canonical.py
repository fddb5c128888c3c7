"""The canonical form of engine data: sorted keys, no spaces, UTF-8. Digests and the cache are over these bytes."""

import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Dataclasses as dicts; fields left out of comparison (digest, source) are left out here too."""
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value) if entry.compare}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def canonical(value: Any) -> bytes:
    """The bytes that are hashed."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """`sha256:HEX` of the canonical bytes."""
    return digest_of(canonical(value))


def digest_of(content: bytes) -> str:
    """`sha256:HEX` of bytes that are canonical already."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=128)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def rebuild(kind: type[T], data: Any) -> T:
    """The dataclass that `plain` took apart. Raises KeyError, TypeError or ValueError on anything else."""
    return typing.cast(T, _rebuild(kind, data))


def _rebuild(kind: Any, data: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: _rebuild(hints[name], item) for name, item in data.items()})
    if origin in (types.UnionType, typing.Union):
        inner = next(option for option in arguments if option is not type(None))
        return None if data is None else _rebuild(inner, data)
    if origin is tuple:
        return tuple(_rebuild(arguments[0], item) for item in data)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _rebuild(arguments[1], item) for key, item in data.items()}
    return data
