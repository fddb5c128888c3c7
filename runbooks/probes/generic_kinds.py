"""Serves the generic kinds, whose facts a runbook declares: their name in a runbook is `KIND {parameters as JSON}`.

A declared kind has its own fact dataclass, made of what it declares, so that lint, cases and evidence treat it as any other.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.records import Sample

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class DeclaredKind:
    """A generic kind with its parameters: a `ProbeKind` as any other. `FACTS` is the dataclass that `parse` makes."""

    FACTS: type[Any]
    parse: Callable[[Sequence[Sample]], object]


@dataclass(frozen=True)
class FieldDeclaration:
    """One declared fact: its name in expressions, unit and source, and whether it is a count or a text."""

    name: str
    unit: str
    source: str
    is_text: bool = False


def spec_of(kind: str, parameters: Parameters) -> str:
    """Return the name of a declared kind: the same parameters give the same name."""
    return f"{kind} {json.dumps(parameters, sort_keys=True, separators=(',', ':'))}"


def base_of(spec: str) -> str:
    """Return the kind of a name, without parameters."""
    return spec.partition(" ")[0]


def parameters_of(spec: str) -> Parameters | None:
    """Return the parameters of a name; None where it has none. Raises ValueError: they are no JSON object."""
    _kind, has, text = spec.partition(" ")
    if not has:
        return None
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"{spec[:80]!r}: no parameters")
    return found


def id_of(parameters: Parameters) -> str:
    """Return what records call these parameters by: a few digits of their digest."""
    return hashlib.sha256(spec_of("", parameters).encode()).hexdigest()[:8]


def make_facts(name: str, doc: str, declared: Sequence[FieldDeclaration], **more: tuple[Any, Any]) -> type[Any]:
    """Return a frozen fact dataclass with the declared fields; `more` are (type, default) of further ones."""
    members: dict[str, Any] = {"__doc__": doc, "__module__": __name__, "__annotations__": {}}
    for entry in declared:
        members["__annotations__"][entry.name] = str if entry.is_text else int | Unreadable
        members[entry.name] = fact(entry.unit, entry.source)
    for key, (kind, default) in more.items():
        members["__annotations__"][key] = kind
        members[key] = default
    return dataclass(frozen=True)(type(name, (), members))
