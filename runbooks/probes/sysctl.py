"""Reads named settings below /proc/sys (a generic kind: a runbook declares the keys).

Source: sysctl(8), proc_sys(5). Some files hold several figures in one line: `column` chooses one.
A runbook declares `keys`: for each fact a name of its own with `key` (as sysctl writes it) and, where it helps, `unit`,
`column` and `type: text`. The facts have these names.
"""

from collections.abc import Sequence
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.generic_kinds import DeclaredKind, FieldDeclaration, Parameters, make_facts
from triagebook.runbooks.probes.reading import NOT_PRINTED, NOT_READABLE, cut, integer, latest, records_of
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class SysctlSettings:
    """Holds the settings that a runbook declares, each under the name it gives."""


FACTS = SysctlSettings


def parse(_samples: Sequence[Sample]) -> SysctlSettings:
    """Return nothing: without a declaration there is nothing to read."""
    return SysctlSettings()


def bind(parameters: Parameters) -> DeclaredKind:
    """Return the kind that reads these keys: `{keys: {NAME: {key, unit, column, type}}}`."""
    keys = parameters["keys"]
    declared = [
        FieldDeclaration(name, entry.get("unit", ""), f"/proc/sys/{path_of(entry['key'])}", entry.get("type") == "text")
        for name, entry in keys.items()
    ]
    facts = make_facts("DeclaredSettings", "Holds settings below /proc/sys.", declared)

    def read(samples: Sequence[Sample]) -> object:
        sample = latest(samples)
        printed = {fields[0]: fields[1] for fields in records_of(sample, "sysctl", "is")}
        return facts(
            **{name: _value(printed.get(path_of(entry["key"])), entry, cut(sample, "sysctl")) for name, entry in keys.items()}
        )

    return DeclaredKind(facts, read)


def awk(declared: Sequence[Parameters]) -> str:
    """Return the function with the paths that all declarations name, each once."""
    paths = dict.fromkeys(path_of(entry["key"]) for parameters in declared for entry in parameters["keys"].values())
    return f'function sysctl_keys() {{ return "{" ".join(sorted(paths))}"; }}\n'


def path_of(key: str) -> str:
    """Return the path below /proc/sys of a key as sysctl(8) writes it."""
    return key.replace(".", "/")


def _value(text: str | None, entry: Any, missing: str) -> object:
    if text is None:
        return "" if entry.get("type") == "text" else Unreadable(missing) if missing else NOT_PRINTED
    words = text.split()
    column = entry.get("column", 1)
    if entry.get("type") == "text":
        return text
    if not words:
        return NOT_READABLE
    return integer(words[column - 1]) if column <= len(words) else Unreadable(f"it has no figure {column}")
