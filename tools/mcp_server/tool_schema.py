"""Writes a tool's schema in few tokens: a model reads the schemas of all tools before its first question.

Left out is what says nothing more: titles made of names, docstrings of our classes, defaults that are empty. A definition
stands where it is used, and apart only when it is used more than once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

NAMES = ("properties", "$defs")  # of these the keys are names, not keywords
EMPTY: tuple[object, ...] = ("", 0, {}, [])
REFERENCE = "#/$defs/"


def slim_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that accepts the same values. It may not refer to itself."""
    definitions = schema.get("$defs", {})
    uses = Counter(_references(schema))
    inlined = _inline(_strip(schema), {name: _strip(made) for name, made in definitions.items() if uses[name] == 1})
    kept = {name: made for name, made in inlined.pop("$defs", {}).items() if uses[name] > 1}
    return {**({"$defs": kept} if kept else {}), **inlined}


def _strip(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without noise, at all depths."""
    found: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in NAMES:
            found[keyword] = {name: _strip(inner) for name, inner in value.items()}
        elif not _is_noise(schema, keyword):
            found[keyword] = _each(value, _strip)
    return found


def _is_noise(schema: Mapping[str, Any], keyword: str) -> bool:
    if keyword == "default":
        return schema[keyword] in EMPTY
    return keyword == "title" or (keyword == "description" and "properties" in schema)


def _inline(schema: Mapping[str, Any], once: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with the definitions that are used once in the places where they are used."""
    reference = schema.get("$ref", "").removeprefix(REFERENCE) if isinstance(schema.get("$ref"), str) else ""
    if reference in once:
        return _inline({**once[reference], **{name: value for name, value in schema.items() if name != "$ref"}}, once)
    return {
        keyword: {name: _inline(inner, once) for name, inner in value.items()}
        if keyword in NAMES
        else _each(value, lambda inner: _inline(inner, once))
        for keyword, value in schema.items()
    }


def _each(value: Any, change: Any) -> Any:
    """Return the value of a keyword with its schemas changed."""
    if isinstance(value, Mapping):
        return change(value)
    return [change(item) if isinstance(item, Mapping) else item for item in value] if isinstance(value, list) else value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix(REFERENCE)
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
