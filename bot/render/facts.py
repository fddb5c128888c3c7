"""Renders facts for a terminal: a line a fact with its value and file, and a block for each element of a list."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from triagebook.bot.render.style import Style
from triagebook.runbooks.engine.facts import Collection, Unreadable, identity_of, source_of
from triagebook.runbooks.engine.quantities import quantity
from triagebook.runbooks.engine.text import safe_text

MOST_ELEMENTS = 40  # of a list; JSON has all
VALUE = 400
KIB = 1024


def render_facts(kind: str, facts: object, style: Style) -> str:
    """Return the facts of one kind, ending in a newline."""
    if isinstance(facts, Unreadable):
        return f"{kind}: not readable: {safe_text(facts.reason)}\n"
    return "\n".join([kind, *_lines(facts, "  ", style)]) + "\n"


def _lines(facts: object, indent: str, style: Style) -> Iterator[str]:
    names = [entry.name for entry in fields(facts)]  # type: ignore[arg-type]
    plain = [name for name in names if not isinstance(getattr(facts, name), Collection)]
    width = max((len(name) for name in plain), default=0)
    for name in plain:
        value, source = getattr(facts, name), source_of(facts, name)
        text = f"{name:<{width}}  {_value(value, source.unit)}"
        line = f"{indent}{text}{f'   {source.path}' if source.path else ''}"
        if len(line) <= style.width:
            yield line
        else:
            yield from style.wrap(text, indent, f"{indent}    ")
            yield from style.wrap(source.path, f"{indent}    ", f"{indent}    ") if source.path else ()
    for name in names:
        if isinstance(collection := getattr(facts, name), Collection):
            yield from _collection(name, collection, indent, style)


def _collection(name: str, collection: Collection[object], indent: str, style: Style) -> Iterator[str]:
    counted = f", and {collection.counted} far from any limit" if collection.counted else ""
    partial = f"; some may be missing: {safe_text(collection.partial)}" if collection.partial else ""
    yield from style.wrap(f"{name}: {len(collection.items)} listed{counted}{partial}", indent, f"{indent}    ")
    for item in collection.items[:MOST_ELEMENTS]:
        if is_dataclass(item):
            yield f"{indent}  {name} {safe_text(identity_of(item), VALUE)}"
            yield from _lines(item, f"{indent}    ", style)
    if len(collection.items) > MOST_ELEMENTS:
        yield f"{indent}  and {len(collection.items) - MOST_ELEMENTS} more (--json has them)"


def _size(value: float, unit: str) -> str:
    return f" ({quantity(value, unit)})" if unit == "bytes" and value >= KIB else ""


def _value(value: object, unit: str) -> str:
    if isinstance(value, Unreadable):
        return f"not readable: {safe_text(value.reason)}"
    if isinstance(value, tuple):
        return safe_text(", ".join(map(str, value)) or "none", VALUE)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value} {unit}{_size(value, unit)}".rstrip()  # digits that can be pasted
    return safe_text(str(value), VALUE) or "-"
