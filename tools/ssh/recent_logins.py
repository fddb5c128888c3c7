"""Remembers of each host the key it took, the key exchange it knows, and whether one flight works there.

A file of JSON lines, the last line of a host counts: appending one line is atomic, so many processes may share it.
No secret is in it. Without a file the memory lasts as long as the object.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.files import write_whole

ONE_FLIGHT, STOCK = "one-flight", "stock"
REMEMBERED_S = {ONE_FLIGHT: 14 * 86400.0, STOCK: 86400.0}  # then a login in the other order is tried again
MAX_FILE_BYTES = 8 << 20


@dataclass(frozen=True)
class RecentLogin:
    """How one account of one host was reached last. `at` is epoch seconds."""

    kind: str  # one-flight | stock
    key: str  # SHA256 fingerprint of the user's key or certificate
    kex: str = ""  # the key exchange to send ahead
    at: float = 0.0

    def is_same(self, other: "RecentLogin") -> bool:
        return (self.kind, self.key, self.kex) == (other.kind, other.key, other.kex)


class RecentLogins:
    """Keeps the last login at each host; safe for many threads."""

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, RecentLogin] = {}
        if file is not None:
            self._known = _read(file)

    def get(self, user: str, name: str) -> RecentLogin | None:
        """What is known of `user` at `name` (as known_hosts calls the host); None where it is too old."""
        login = self._known.get(f"{user}@{name}")
        return login if login is not None and self._clock() - login.at < REMEMBERED_S.get(login.kind, 0.0) else None

    def remember(self, user: str, name: str, kind: str, key: str, kex: str) -> None:
        """Keep it; a file that cannot be written is no failure."""
        login = RecentLogin(kind, key, kex, round(self._clock()))
        account = f"{user}@{name}"
        with self._lock:
            before = self._known.get(account)
            self._known[account] = login
            if self._file is not None and not (before and before.is_same(login) and login.at - before.at < REMEMBERED_S[kind] / 2):
                with contextlib.suppress(OSError):
                    _append(self._file, json.dumps({"host": account, **asdict(login)}) + "\n")

    def forget(self, user: str, name: str) -> None:
        """The key was refused, or what was remembered did not work."""
        if self.get(user, name) is not None:
            self.remember(user, name, STOCK, "", "")


def _read(file: Path) -> dict[str, RecentLogin]:
    """Lines that do not parse are skipped: half a line is what a full disk leaves."""
    known: dict[str, RecentLogin] = {}
    with contextlib.suppress(OSError), file.open("rb") as lines:
        for line in lines.read(MAX_FILE_BYTES).splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                entry = json.loads(line)
                login = RecentLogin(str(entry["kind"]), str(entry["key"]), str(entry["kex"]), float(entry["at"]))
                known[str(entry["host"])] = login
    return known


def _append(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file.exists() and file.stat().st_size > MAX_FILE_BYTES // 2:
        _compact(file)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def _compact(file: Path) -> None:
    lines = (json.dumps({"host": account, **asdict(login)}) + "\n" for account, login in _read(file).items())
    write_whole(file, "".join(lines).encode(), is_synced=False)
