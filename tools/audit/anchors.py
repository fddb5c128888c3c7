"""Keeps checkpoints outside the database, so that cutting the database's tail shows."""

import base64
import json
import os
import syslog
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.note import Checkpoint


class Anchor(Protocol):
    """Keeps checkpoints. It only ever grows."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep a note durably before returning. Raises TrustError `anchor` if that fails."""
        ...

    def notes(self) -> list[str] | None:
        """Return every note kept; None for an anchor that cannot be read back."""
        ...


@dataclass(frozen=True)
class FileAnchor:
    """Keeps checkpoints in a file of JSON lines, 0600, appended and synced. Best on another disk, or append-only (`chattr +a`)."""

    path: Path

    def keep(self, checkpoint: Checkpoint) -> None:
        """Append one line and sync it."""
        line = json.dumps({"size": checkpoint.size, "note": checkpoint.note}) + "\n"
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise TrustError(f"anchor {self.path}: {error.strerror}: nothing runs without it", reason="anchor") from error

    def notes(self) -> list[str]:
        """Return every readable line's note. A line cut by a crash is skipped: the next checkpoint follows it."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TrustError(f"anchor {self.path}: {error.strerror}", reason="anchor") from error
        return [note for note in map(_note, lines) if note]


@dataclass(frozen=True)
class SyslogAnchor:
    """Writes checkpoints to the system log, one line of base64 each. An auditor reads them by hand; nothing here does."""

    write: Callable[[int, str], None] = syslog.syslog

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write one line; syslog(3) reports no failure."""
        encoded = base64.b64encode(checkpoint.note.encode()).decode()
        self.write(syslog.LOG_AUTHPRIV | syslog.LOG_NOTICE, f"triagebook audit checkpoint {checkpoint.size} {encoded}")

    def notes(self) -> None:
        """Return None: the system log is not read."""
        return


def _note(line: str) -> str:
    try:
        found = json.loads(line)["note"]
    except (ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""
