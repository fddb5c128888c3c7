"""Finds runbooks: folders `ID/VERSION/runbook.yaml`, several versions side by side, and the lock on released ones.

A plain id means the newest released version, `id@version` pins one. A cache of checked runbooks, keyed by
the file's bytes, spares a run the YAML and schema libraries; the caller gives it (runbooks write no files) or not.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Protocol

from triagebook.runbooks.engine import canonical, model
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.plain_data import from_plain
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, read_document
from triagebook.runbooks.probes import catalog as probes

CACHE_FORMAT = "2"
_NAME = re.compile(r"(?P<id>[a-z][a-z0-9-]{0,31})(@(?P<version>\d+\.\d+\.\d+))?")


class ContentCache(Protocol):
    """Keeps content that can be made again, by name, from run to run."""

    def __hash__(self) -> int:
        """Hash the cache: equal caches keep the same content."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return the content kept under that name; None when there is none, or it cannot be trusted."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Keep the content, whole or not at all. Never raises: a cache that cannot be written is only slower."""
        ...


@dataclass(frozen=True)
class RunbookVersion:
    """Describes one version of one runbook on disk."""

    id: str
    version: str
    folder: Path

    @property
    def name(self) -> str:
        """Return `id@version`."""
        return f"{self.id}@{self.version}"

    @property
    def source(self) -> str:
        """Return what messages call its file."""
        return f"{self.id}/{self.version}/runbook.yaml"

    def document(self) -> Document:
        """Read its YAML, with the line of every value. Raises RunbookError."""
        return read_document((self.folder / "runbook.yaml").read_text("utf-8", "replace"), self.source)

    @property
    def cases(self) -> tuple[Path, ...]:
        """Return the case files, by name."""
        return tuple(sorted((self.folder / "cases").glob("*.yaml")))


@dataclass(frozen=True)
class Catalog:
    """Says where runbooks are looked for: the product's own folder first, then those of the configuration."""

    roots: tuple[Path, ...]
    cache: ContentCache | None = None
    _known: dict[tuple[str, str], model.Runbook] = field(default_factory=dict, repr=False, compare=False)  # by content

    def entries(self) -> tuple[RunbookVersion, ...]:
        """Return all versions, by id and ascending version."""
        found: dict[str, RunbookVersion] = {}
        for root in self.roots:
            for file in sorted(root.glob("*/*/runbook.yaml")):
                entry = RunbookVersion(file.parent.parent.name, file.parent.name, file.parent)
                if _NAME.fullmatch(entry.name):
                    found.setdefault(entry.name, entry)
        return tuple(sorted(found.values(), key=lambda entry: (entry.id, version_key(entry.version))))

    def find(self, name: str) -> RunbookVersion:
        """Return the entry for `id` (newest released version) or `id@version`. Raises RunbookError with the nearest name."""
        match = _NAME.fullmatch(name)
        entries = self.entries()
        if match is None:
            raise RunbookError(f"{name[:80]!r} is not a runbook name; write ID or ID@VERSION", reason="unknown_runbook")
        if match["version"]:
            for entry in entries:
                if entry.name == name:
                    return entry
        else:
            versions = [entry for entry in entries if entry.id == match["id"]]
            released = [entry for entry in versions if entry.name in self.lock()]
            if versions:
                return (released or versions)[-1]
        known = [entry.name for entry in entries] if "@" in name else [entry.id for entry in entries]
        raise RunbookError(f"no runbook {name!r}{did_you_mean(name, known)}", reason="unknown_runbook")

    def lock(self) -> dict[str, str]:
        """Return `id@version` -> digest of every released version, from the `runbooks.lock` of each root."""
        released: dict[str, str] = {}
        for root in self.roots:
            file = root / "runbooks.lock"
            for number, line in enumerate(file.read_text().splitlines() if file.is_file() else (), 1):
                if not line.strip() or line.startswith("#"):
                    continue
                name, _, value = line.partition(" ")
                if not value.startswith("sha256:"):
                    raise RunbookError(f"{file.name}:{number}: expected 'ID@VERSION sha256:HEX', got {line[:80]!r}")
                released[name] = value.strip()
        return released

    def release_ids(self) -> tuple[str, ...]:
        """Return the ids of the runbooks that have a released version there, in the order in which they were first released."""
        there = {entry.name for entry in self.entries()}
        return tuple(dict.fromkeys(name.partition("@")[0] for name in self.lock() if name in there))

    def missing_releases(self) -> tuple[str, ...]:
        """Return released versions that are not there any more: a stored diagnosis could not be replayed with them."""
        there = {entry.name for entry in self.entries()}
        return tuple(sorted(name for name in self.lock() if name not in there))

    def load(self, name: str) -> model.Runbook:
        """Return the checked runbook. Raises RunbookError, also when a released version was edited."""
        entry = self.find(name)
        runbook = self._read(entry)
        locked = self.lock().get(entry.name)
        if locked is not None and locked != runbook.digest:
            raise RunbookError(
                f"{runbook.source}:1: (top): {entry.name} is released and was changed (locked {locked[:19]}..., now "
                f"{runbook.digest[:19]}...); restore it, or make a new version folder",
                reason="locked",
            )
        return runbook

    def snapshot(self) -> "Catalog":
        """Return the catalog as it is now: folders and locks are read once for all runbooks of one question."""
        return _Snapshot(self.roots, self.cache, self._known, self.entries(), self.lock())

    def _read(self, entry: RunbookVersion) -> model.Runbook:
        file, source = entry.folder / "runbook.yaml", entry.source
        try:
            content = file.read_bytes()
        except OSError as error:
            raise RunbookError(f"{source}: {error.strerror}") from None
        key = hashlib.sha256(CACHE_FORMAT.encode() + b"\0" + content + _vocabulary_stamp()).hexdigest()
        if (key, source) not in self._known:
            self._known[key, source] = self._check(entry, content, key, source)
        return self._known[key, source]

    def _check(self, entry: RunbookVersion, content: bytes, key: str, source: str) -> model.Runbook:
        kept = self.cache.read(f"{key}.json") if self.cache else None
        if kept is not None and (cached := _from_cache(kept)) is not None:
            return replace(cached, source=source)
        runbook = load_text(content.decode("utf-8", "replace"), source)
        if (runbook.id, runbook.version) != (entry.id, entry.version):
            raise RunbookError(f"{source}:1: id: {runbook.name} stands in the folder of {entry.name}")
        if self.cache:
            self.cache.write(f"{key}.json", canonical.runbook_json(runbook))
        return runbook


@dataclass(frozen=True)
class _Snapshot(Catalog):
    """A catalog whose folders and locks were read before."""

    _entries: tuple[RunbookVersion, ...] = ()
    _lock: Mapping[str, str] = field(default_factory=dict)

    def entries(self) -> tuple[RunbookVersion, ...]:
        return self._entries

    def lock(self) -> dict[str, str]:
        return dict(self._lock)


def version_key(version: str) -> tuple[int, ...]:
    """Return a key that sorts 1.10.0 after 1.9.0."""
    return tuple(int(part) for part in version.split("."))


def load_text(text: str, source: str, facts_types: Mapping[str, Any] | None = None) -> model.Runbook:
    """Parse and check a runbook from text. Raises RunbookError naming file, line and path."""
    from triagebook.runbooks.library import checking, schema  # noqa: PLC0415 - heavy; a cached runbook skips them

    document = read_document(text, source)
    runbook = schema.parse_runbook(document)
    checking.check_runbook(runbook, document, facts_types if facts_types is not None else probes.facts_types())
    return replace(runbook, digest=canonical.runbook_digest(runbook))


def _vocabulary_stamp() -> bytes:
    """Return what changes when a fact dataclass does, so that a cached check never outlives what it was checked against."""
    return probes.stamp()


def _from_cache(content: bytes) -> model.Runbook | None:
    """Read a runbook from the cache. The hash of its bytes is the digest: a changed cache is a changed runbook."""
    try:
        runbook = from_plain(model.Runbook, json.loads(content))
        return replace(runbook, digest=canonical.digest_of_bytes(content))
    except (ValueError, TypeError):
        return None


def own_root() -> Path:
    """Return the folder of the product's own runbooks."""
    return Path(__file__).resolve().parent.parent


def catalog(paths: Sequence[Path] = (), cache: ContentCache | None = None) -> Catalog:
    """Return the product's runbooks and those of further folders."""
    return Catalog((own_root(), *paths), cache)
