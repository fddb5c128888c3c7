"""Remembers when a worker of each site was last heard, also between runs, so that an answer can say since when there is none."""

import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.files import write_whole
from triagebook.tools.times import rfc3339

EVERY = timedelta(seconds=15)  # the file is not written more often
MOST_BYTES = 1 << 20


class SeenSites:
    """When each site was last heard. `file` may be None: nothing is kept then."""

    def __init__(self, file: Path | None) -> None:
        self._file, self._guard = file, threading.Lock()
        self._seen: dict[str, datetime] = _read(file)
        self._written: dict[str, datetime] = {}

    def mark(self, site: str, now: datetime) -> None:
        """Note that a worker of that site was heard."""
        with self._guard:
            self._seen[site] = now
            if self._file is None or now - self._written.get(site, datetime.min.replace(tzinfo=UTC)) < EVERY:
                return
            self._written[site] = now
            kept = {**_read(self._file), **self._seen}  # another process writes it too
            content = json.dumps({name: rfc3339(moment) for name, moment in kept.items()}).encode()
            with contextlib.suppress(OSError):  # it is only for the words
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._file, content, is_synced=False)

    def last(self, site: str) -> datetime | None:
        """Return when a worker of that site was last heard, here or by another process; None: never."""
        moments = [known[site] for known in (self._seen, _read(self._file)) if site in known]
        return max(moments, default=None)

    def since(self, site: str, now: datetime) -> str:
        """Return since when a site has no worker, in words; of one that was never heard, the known one that is most like it."""
        moment = self.last(site)
        if moment is None:
            return f"(none has answered yet){did_you_mean(site, {**_read(self._file), **self._seen})}"
        return since_words(moment, now)


def since_words(moment: datetime, now: datetime) -> str:
    """Return `since 14:02`, with the day where it is another one."""
    then, today = moment.astimezone(), now.astimezone()
    return f"since {then:%H:%M}" if then.date() == today.date() else f"since {then:%Y-%m-%d %H:%M}"


def _read(file: Path | None) -> dict[str, datetime]:
    try:
        text = file.read_bytes()[:MOST_BYTES] if file is not None else b"{}"
        found = json.loads(text)
        return {str(name): datetime.fromisoformat(moment) for name, moment in found.items()} if isinstance(found, dict) else {}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
