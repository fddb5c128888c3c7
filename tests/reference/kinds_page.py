"""The page of kinds and facts: what a runbook can read of a host, with type, unit and source."""

import ast
import inspect
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from types import ModuleType, UnionType
from typing import Any

from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.library.catalog import catalog as find_runbooks
from triagebook.runbooks.probes import catalog

from tests.reference.markdown import fenced, first_sentences, made_by, table

HEAD = """# Kinds and facts

A runbook names what it reads: `probes: {mem: {kind: meminfo}}`. The name on the left is yours; expressions use it as
`mem.available_bytes`. A fact that is a list is looked at one element at a time: `each: pids.limited`, then `it.current`.

- Sizes are bytes and counts are whole numbers, whatever the file says; there is no kB.
- A fact that *may be unreadable* is absent where it could not be read, never 0 or null. A rule that needs it is then unknown.
- A list of elements can be *partial*: some may be missing (a hidden process, an answer that was cut). Then no match means unknown.
- Elements that the host judged to be far from any limit are only counted there, and are not in the list.
- A fact whose name ends in `_delta` needs two samples; a state that uses it says `samples: 2`.
- `{...}` in a source stands for that fact of the same element.

"""
runbooks = find_runbooks()
DECLARED = {  # how a runbook declares what a generic kind reads
    "sysctl": "probes:\n  files:\n    kind: sysctl\n    keys:\n      used: {key: fs.file-nr, column: 1, unit: files}",
    "rlimits": "probes:\n  tables: {kind: rlimits, row: Max open files, use: FDSize, near_percent: 90}",
    "proc_table": "probes:\n  locks:\n    kind: proc_table\n    file: /proc/locks\n"
    "    columns: {id: {column: 1, type: text}, pid: {column: 5, type: text}}\n"
    "    identity: id",
}
TYPES = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def page() -> str:
    """Return the page: a list of the kinds, then each with its facts."""
    modules = {kind: catalog.load(kind) for kind in catalog.kinds()}
    index = table(
        ("Kind", "What it reads", "How"), ((f"[`{kind}`](#{kind})", says(module), how(kind)) for kind, module in modules.items())
    )
    return HEAD + made_by("`runbooks/probes`") + index + "".join(section(kind, module) for kind, module in modules.items())


def says(module: ModuleType) -> str:
    """Return what a kind is, from its module."""
    return first_sentences(module.__doc__)


def how(kind: str) -> str:
    """Say how the facts of a kind come about."""
    return "with every look at the host" if catalog.is_collected(kind) else "a program on the host, in a last round (`lookups`)"


def section(kind: str, module: Any) -> str:
    """Return a kind's heading, an example, and a table for each of its dataclasses."""
    probe = probe_names().get(kind, "facts")
    if kind in DECLARED:
        return f"## {kind}\n\n{' '.join(module.__doc__.split())}\n\n" + fenced(DECLARED[kind], "yaml")
    example = fenced(f"probes: {{{probe}: {{kind: {kind}}}}}", "yaml")
    tables = (_class(one, path, probe) for path, one in classes(module.FACTS, probe))
    return f"## {kind}\n\n{says(module)}\n\n{example}" + "".join(tables)


@cache
def probe_names() -> dict[str, str]:
    """Return the names that the product's newest runbooks give to kinds, so that the examples read like them."""
    found: dict[str, str] = {}
    for runbook in (runbooks.load(entry.name) for entry in reversed(runbooks.entries())):
        for name, kind in runbook.probes.items():
            found.setdefault(kind, name)
    return found


def classes(outer: type[Any], path: str) -> Iterator[tuple[str, type[Any]]]:
    """Yield each dataclass of facts with the path that leads to it, the outermost first."""
    yield path, outer
    for name, hint in typing.get_type_hints(outer).items():
        for part in _parts(hint):
            element = typing.get_args(part)[0] if typing.get_origin(part) in (Collection, tuple) else part
            if is_dataclass(element) and element is not Unreadable:
                yield from classes(typing.cast("type[Any]", element), f"{path}.{name}")


def _class(outer: type[Any], path: str, probe: str) -> str:
    is_element = path != probe
    title = f"Each element of `{path}`" if is_element else "The facts"
    hints, notes = typing.get_type_hints(outer), comments(outer)
    rows = (
        (
            f"`{'it' if is_element else path}.{entry.name}`",
            _type(hints[entry.name]),
            entry.metadata.get("unit", ""),
            entry.metadata.get("source", ""),
            notes.get(entry.name, ""),
        )
        for entry in fields(outer)
    )
    return f"{title}. {first_sentences(outer.__doc__)}\n\n" + table(("Fact", "Type", "Unit", "Read from", "Note"), rows)


def _parts(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (UnionType, typing.Union) else (hint,)


def _type(hint: Any) -> str:
    """Say a type in words."""
    words = [_word(part) for part in _parts(hint) if part is not Unreadable and part is not type(None)]
    return " or ".join(words) + (", may be unreadable" if Unreadable in _parts(hint) else "")


def _word(part: Any) -> str:
    origin, inner = typing.get_origin(part), typing.get_args(part)
    if origin is Collection:
        return "list of the elements below"
    if origin is tuple:
        return f"list of {'texts' if inner[0] is str else _word(inner[0])}"
    if is_dataclass(part):
        return "the facts below"
    return TYPES.get(part, getattr(part, "__name__", str(part)))


def comments(outer: type[Any]) -> dict[str, str]:
    """Return what is said beside each field in the source."""
    lines = inspect.getsource(outer).splitlines()
    tree = ast.parse(inspect.cleandoc("\n".join(lines)) if lines[0].startswith(" ") else "\n".join(lines))
    found = {}
    for node in tree.body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            rest = lines[(node.end_lineno or node.lineno) - 1][node.end_col_offset :].strip()
            if rest.startswith("#"):
                found[node.target.id] = rest.lstrip("# ")
    return found
