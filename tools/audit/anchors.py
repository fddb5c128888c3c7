"""Keeps checkpoints outside the database, so that cutting the database's tail shows."""

import base64
import contextlib
import json
import os
import stat
import sys
import syslog
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.note import Checkpoint

Item = TypeVar("Item")
TAIL_BYTES = 64 * 1024  # a line takes a few hundred


class Anchor(Protocol):
    """Keeps checkpoints. It only ever grows."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep a note durably before returning. Raises TrustError `anchor` if that fails."""
        ...

    def sample(self, most: int) -> list[str] | None:
        """Return at most about so many notes, evenly spread, the newest among them; None if it cannot be read back."""
        ...

    def newest(self) -> str | None:
        """Return the newest note, quickly; empty for none, None if it cannot be read back."""
        ...


@dataclass(frozen=True)
class FileAnchor:
    """Keeps checkpoints in a file of JSON lines, 0600, appended and synced. Best on another disk, or append-only (`chattr +a`).

    Others may read it; nobody else may own or write it.
    """

    path: Path

    def keep(self, checkpoint: Checkpoint) -> None:
        """Append one line, whole, and sync it. What could not be written whole is taken back."""
        line = json.dumps({"size": checkpoint.size, "note": checkpoint.note}) + "\n"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                self._append(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise TrustError(f"anchor {self.path}: {error.strerror}: nothing runs without it", reason="anchor") from error

    def notes(self) -> list[str]:
        """Return every readable line's note. A line cut by a crash is skipped: the next checkpoint follows it."""
        return list(self.sample(sys.maxsize))

    def sample(self, most: int) -> list[str]:
        """Return the notes, at most about so many, evenly spread, the newest among them."""
        try:
            with self.path.open("rb") as file:
                self._require_ours(file.fileno())
                lines = sample(file, most)  # of a million lines, only these are parsed
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TrustError(f"anchor {self.path}: {error.strerror}", reason="anchor") from error
        notes = [note for line in lines if (note := _note(line.decode("utf-8", "replace")))]
        newest = self.newest()  # the last line may have been cut by a crash
        return notes if not newest or newest in notes[-1:] else [*notes, newest]

    def newest(self) -> str:
        """Return the newest note without reading the whole file; empty for none."""
        try:
            with self.path.open("rb") as file:
                self._require_ours(file.fileno())
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                notes = [note for line in file.read().decode("utf-8", "replace").splitlines() if (note := _note(line))]
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise TrustError(f"anchor {self.path}: {error.strerror}", reason="anchor") from error
        return notes[-1] if notes else ""

    def _append(self, descriptor: int, line: bytes) -> None:
        self._require_ours(descriptor)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # a line that was cut: ours begins a new one
            line = b"\n" + line
        try:
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])  # a full disk takes a part first, and fails then
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # an append-only file keeps its half line
                os.ftruncate(descriptor, size)
            raise

    def _require_ours(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise TrustError(f"anchor {self.path}: it is no plain file", reason="anchor")
        if found.st_uid != os.geteuid():
            whose = f"it belongs to uid {found.st_uid}, not to uid {os.geteuid()} of this server"
            raise TrustError(f"anchor {self.path}: {whose}; chown {os.geteuid()} {self.path}", reason="anchor")
        if found.st_mode & 0o022:
            raise TrustError(f"anchor {self.path}: others may write it; chmod go-w {self.path}", reason="anchor")


def sample(items: Iterable[Item], most: int) -> list[Item]:
    """Return at most about `most` of the items, evenly spread, the newest among them; memory does not grow with their number."""
    kept: list[Item] = []
    stride = 1
    for number, item in enumerate(items):
        newest = item
        if number % stride == 0:
            kept.append(item)
            if len(kept) > most:
                kept, stride = kept[::2], stride * 2
    return kept if not kept or kept[-1] == newest else [*kept, newest]


@dataclass(frozen=True)
class SyslogAnchor:
    """Writes checkpoints to the system log, one line of base64 each. An auditor reads them by hand; nothing here does."""

    write: Callable[[int, str], None] = syslog.syslog

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write one line; syslog(3) reports no failure."""
        encoded = base64.b64encode(checkpoint.note.encode()).decode()
        self.write(syslog.LOG_AUTHPRIV | syslog.LOG_NOTICE, f"triagebook audit checkpoint {checkpoint.size} {encoded}")

    def sample(self, most: int) -> None:
        """Return None: the system log is not read."""
        return

    def newest(self) -> None:
        """Return None: the system log is not read."""
        return


def _note(line: str) -> str:
    try:
        found = json.loads(line)["note"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
