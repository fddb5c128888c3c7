"""Knows the closed vocabulary of kinds: what stands in this package as a pair of files (or one with `command`)."""

import hashlib
import importlib
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import triagebook.runbooks.probes as package
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.probes.generic_kinds import Parameters, base_of, parameters_of
from triagebook.runbooks.probes.records import Sample

ALL_KINDS = "; all kinds: triagebook runbook kinds"  # said where no kind has a name near the one that was written


class ProbeKind(Protocol):
    """Describes a kind whose facts awk reads. `FACTS` is the outermost dataclass that `parse` makes."""

    FACTS: type[Any]

    def parse(self, samples: Sequence[Sample]) -> object:
        """Return the facts of the samples; never raises: what is missing is Unreadable, or makes a collection partial."""
        ...


class RunKind(Protocol):
    """Describes a kind whose facts a program on the host prints, asked about one subject in the last round."""

    FACTS: type[Any]

    def command(self, subject: str) -> tuple[str, ...]:
        """Return the fixed argv for a subject. Raises ValueError when the subject is not one."""
        ...

    def parse(self, stdout: str) -> object:
        """Return the facts of what the program printed, or one Unreadable; never raises."""
        ...


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds, sorted."""
    return tuple(sorted(name for name in _modules() if is_collected(name) or hasattr(_import(name), "command")))


def is_collected(kind: str) -> bool:
    """Say whether the collector's program reads this kind; else it needs a program of its own."""
    return _awk_path(kind) is not None


def load(kind: str) -> Any:
    """Return the module of a kind: a `ProbeKind` when it is collected, else a `RunKind`. Raises RunbookError: no such kind."""
    if is_declared(kind):
        return _load_declared(tuple(package.__path__), kind)
    module = _import(kind) if kind in _modules() else None
    if not hasattr(module, "FACTS"):
        raise RunbookError(f"unknown kind of probe {kind!r}{did_you_mean(kind, kinds()) or ALL_KINDS}")
    return module


def is_declared(kind: str) -> bool:
    """Say whether this is a generic kind with the parameters that a runbook gives it: `KIND {...}`."""
    return " " in kind


def takes_declaration(kind: str) -> bool:
    """Say whether a kind reads nothing but what a runbook declares. Raises RunbookError: there is no such kind."""
    return hasattr(load(kind), "bind")


def kinds_to_collect(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of them that the collector's program reads, each once."""
    return _kinds_to_collect_in(tuple(package.__path__), kinds)


def are_loaded(kinds: Sequence[str]) -> bool:
    """Say whether their modules are imported already."""
    return all(f"{package.__name__}.{base_of(kind)}" in sys.modules for kind in kinds)


def facts_types() -> Mapping[str, type[Any]]:
    """Return the outermost fact dataclass of each kind, and of a declared one by its whole name."""
    return _FactsTypes({kind: load(kind).FACTS for kind in kinds()})


class _FactsTypes(dict[str, type[Any]]):
    """Makes the fact dataclass of a declared kind when it is asked for."""

    def __getitem__(self, kind: str) -> type[Any]:
        if not is_declared(kind):
            return super().__getitem__(kind)
        found: type[Any] = load(kind).FACTS
        return found


def stamp() -> bytes:
    """Return what changes whenever a module of this package does, and so with any fact dataclass. Read once: so is the code."""
    return _stamp_of(tuple(package.__path__))


@lru_cache(maxsize=8)
def _stamp_of(folders: tuple[str, ...]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(_modules_in(folders)):
        for path in (path for folder in folders if (path := Path(folder) / f"{name}.py").is_file()):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()


def awk_parts(kinds: Sequence[str]) -> dict[str, str]:
    """Return the awk of these kinds, by their names without parameters: a generic kind is one part for all declarations.

    Raises RunbookError: an unknown kind.
    """
    declared: dict[str, list[Parameters]] = {}
    for kind in kinds:
        known = declared.setdefault(base_of(kind), [])
        if is_declared(kind) and (parameters := parameters_of(kind)) is not None:
            known.append(parameters)
    parts = {kind: awk_of(kind) for kind in declared}
    for kind, text in parts.items():
        if "_list()" in text or "_keys()" in text:  # spares other kinds the import of their module
            parts[kind] = text + load(kind).awk(declared[kind])
    return parts


def awk_of(kind: str) -> str:
    """Return the awk of a kind. Raises RunbookError: there is no such kind."""
    path = _awk_path(kind)
    if path is None:
        raise RunbookError(f"{kind!r} is no kind that the collector reads{did_you_mean(kind, kinds())}")
    return path.read_text(encoding="ascii")


def _modules() -> frozenset[str]:
    return _modules_in(tuple(package.__path__))


@lru_cache(maxsize=8)
def _modules_in(folders: tuple[str, ...]) -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(folders))


def _import(name: str) -> ModuleType:
    return _import_from(tuple(package.__path__), name)


@lru_cache(maxsize=256)
def _import_from(folders: tuple[str, ...], name: str) -> ModuleType:
    """Import a kind's module. With other folders it may be another."""
    return importlib.import_module(f"{package.__name__}.{name}")


@lru_cache(maxsize=64)
def _load_declared(folders: tuple[str, ...], kind: str) -> Any:
    """Return a generic kind bound to its parameters; its fact dataclass is made once. With other folders it may be another."""
    parameters = parameters_of(kind)
    return _import_from(folders, base_of(kind)).bind(parameters)


def _awk_path(kind: str) -> Path | None:
    return _awk_path_in(tuple(package.__path__), base_of(kind))


@lru_cache(maxsize=32)
def _kinds_to_collect_in(folders: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(kind for kind in dict.fromkeys(kinds) if _awk_path_in(folders, base_of(kind)))


@lru_cache(maxsize=256)
def _awk_path_in(folders: tuple[str, ...], kind: str) -> Path | None:
    return next((path for folder in folders if (path := Path(folder) / f"{kind}.awk").is_file()), None)
