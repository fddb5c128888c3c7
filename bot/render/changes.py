"""Renders what differs between two pieces of plain data: a line for each value, with its path, as YAML would write it."""

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

_ABSENT = object()


def changes(old: Any, new: Any, path: str = "") -> list[str]:
    """Return lines that begin with `-` for what is no more and with `+` for what is new."""
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted({*old, *new}, key=str)
        return [line for name in names for line in _members(old.get(name, _ABSENT), new.get(name, _ABSENT), _below(path, name))]
    if isinstance(old, list) and isinstance(new, list):
        named_old, named_new = _by_id(old), _by_id(new)
        if named_old is not None and named_new is not None:
            return changes(named_old, named_new, path)
        if all(isinstance(item, (dict, list)) for item in (*old, *new)):
            return list(_align(old, new, path))
    return [*(f"- {line}" for line in _leaves(old, path)), *(f"+ {line}" for line in _leaves(new, path))]


def _align(old: list[Any], new: list[Any], path: str) -> Iterator[str]:
    """Yield the lines for lists whose items have no id: an item that was put in between counts as one change."""
    before, after = ([json.dumps(item, sort_keys=True) for item in items] for items in (old, new))
    for _tag, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        both = min(end - start, new_end - new_start)
        for number in range(both):
            yield from changes(old[start + number], new[new_start + number], f"{path}[{new_start + number}]")
        for place in range(start + both, end):
            yield from _members(old[place], _ABSENT, f"{path}[{place}]")
        for place in range(new_start + both, new_end):
            yield from _members(_ABSENT, new[place], f"{path}[{place}]")


def _members(old: Any, new: Any, path: str) -> list[str]:
    if old is _ABSENT or new is _ABSENT:
        sign, value = ("+", new) if old is _ABSENT else ("-", old)
        return [f"{sign} {line}" for line in _leaves(value, path)]
    return changes(old, new, path)


def _leaves(value: Any, path: str) -> Iterator[str]:
    """Yield `path: value` for each value that holds no others; a list of plain values stays one."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, _below(path, name))
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for place, item in enumerate(value):
            name = f"[{item['id']}]" if isinstance(item, dict) and "id" in item else f"[{place}]"
            yield from _leaves(item, f"{path}{name}")
    else:
        yield f"{path}: {value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)}"


def _below(path: str, name: object) -> str:
    return f"{path}.{name}".lstrip(".")


def _by_id(items: list[Any]) -> dict[str, Any] | None:
    """Return a list as a mapping by id, so that an inserted check counts as one change; None if an item has no id."""
    if items and all(isinstance(item, dict) and "id" in item for item in items):
        return {item["id"]: item for item in items}
    return None
