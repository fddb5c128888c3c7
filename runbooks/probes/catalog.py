"""The closed vocabulary of kinds: what stands in this package as a pair of files (or one with `command`)."""

import hashlib
import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import triagebook.runbooks.probes as package
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.probes.records import Sample


class ProbeKind(Protocol):
    """A kind whose facts awk reads. `FACTS` is the outermost dataclass that `parse` makes."""

    FACTS: type[Any]

    def parse(self, samples: Sequence[Sample]) -> object:
        """The facts of the samples; never raises: what is missing is Unreadable, or makes a collection partial."""
        ...


class RunKind(Protocol):
    """A kind whose facts a program on the host prints, asked about one subject in the last round."""

    FACTS: type[Any]

    def command(self, subject: str) -> tuple[str, ...]:
        """The fixed argv for a subject. Raises UsageError when the subject is not one."""
        ...

    def parse(self, stdout: str) -> object:
        """The facts of what the program printed; never raises."""
        ...


def kinds() -> tuple[str, ...]:
    """The names of all kinds that awk reads, sorted."""
    return tuple(sorted(name for name in _modules() if _awk_path(name) is not None))


def run_kinds() -> tuple[str, ...]:
    """The names of all kinds that a program prints, sorted."""
    return tuple(name for name in sorted(_modules()) if hasattr(_import(name), "command"))


def load(kind: str) -> ProbeKind:
    """The module of a kind that awk reads. Raises RunbookError: there is no such kind."""
    if kind not in kinds():
        raise RunbookError(f"unknown kind of probe {kind!r}; known are {', '.join(kinds())}")
    return cast(ProbeKind, _import(kind))


def load_run(kind: str) -> RunKind:
    """The module of a kind that a program prints. Raises RunbookError: there is no such kind."""
    if kind not in run_kinds():
        raise RunbookError(f"unknown kind of run probe {kind!r}; known are {', '.join(run_kinds())}")
    return cast(RunKind, _import(kind))


def facts_types() -> dict[str, type[Any]]:
    """Kind to the outermost dataclass of its facts, for the checks of a runbook's expressions."""
    return {name: module.FACTS for name in sorted(_modules()) if hasattr(module := _import(name), "FACTS")}


def is_collected(kind: str) -> bool:
    """Whether awk reads this kind on the host; else a program is asked about a subject."""
    return _awk_path(kind) is not None


def stamp() -> bytes:
    """A digest of the vocabulary: what a runbook was checked against changes with it."""
    found = hashlib.sha256()
    for folder in package.__path__:
        for file in sorted(Path(folder).glob("*.py")):
            found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.digest()


def awk_of(kind: str) -> str:
    """The awk of a kind. Raises RunbookError: there is no such kind."""
    path = _awk_path(kind)
    if path is None:
        raise RunbookError(f"unknown kind of probe {kind!r}; known are {', '.join(kinds())}")
    return path.read_text(encoding="ascii")


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(package.__path__)]


def _import(name: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.{name}")


def _awk_path(kind: str) -> Path | None:
    return next((path for folder in package.__path__ if (path := Path(folder) / f"{kind}.awk").is_file()), None)
