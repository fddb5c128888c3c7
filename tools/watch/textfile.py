"""Writes a watch as metrics for node_exporter's textfile collector: limits, their use, refusals, trends.

Series are capped: of each host the limits that refused or are fullest, and how many were left out.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.heading import Use
from triagebook.tools.files import write_whole
from triagebook.tools.own_file import require_own
from triagebook.tools.watch.observation import HeadingLimit, WatchUpdate

MOST_USES = 40  # a host
LEAST_S = 1.0  # between two writings
FIRST_LINE = "# HELP triagebook_"  # how it begins

HELP = {
    "watch_up": ("gauge", "1 while the host has a session and its sample came"),
    "watch_sample_timestamp_seconds": ("gauge", "When the last look was taken"),
    "watch_cpu_seconds_total": ("counter", "CPU the watch has used on the host"),
    "status": ("gauge", "1 for the status the runbook gives the host"),
    "limit": ("gauge", "A limit, in its base unit"),
    "used": ("gauge", "What is used of it"),
    "refusals_total": ("counter", "Forks refused by this limit since its cgroup was made"),
    "seconds_to_limit": ("gauge", "Until it is full at the present rate; only where a trend is sure"),
    "series_dropped": ("gauge", "Limits left out to keep the number of series bounded"),
}


class Textfile:
    """The file; `put` as observations come, `close` at the end. Raises UsageError: a file of somebody else's is there."""

    def __init__(self, path: Path) -> None:
        require_own(path, FIRST_LINE)
        self._path = path
        self._hosts: dict[str, WatchUpdate] = {}
        self._stamps: dict[str, float] = {}
        self._written = 0.0

    def put(self, seen: WatchUpdate, now_s: float) -> None:
        """One more observation. Raises UsageError: the file cannot be written."""
        self._hosts[seen.observation.host] = seen
        self._stamps[seen.observation.host] = now_s
        if time.monotonic() - self._written >= LEAST_S:
            self._write()

    def close(self) -> None:
        """Write what is left."""
        if self._hosts:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        text = metrics(tuple(self._hosts.values()), self._stamps)
        try:
            write_whole(self._path, text.encode(), mode=0o644, is_synced=False)  # node_exporter is another user
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror or error}") from None


def metrics(hosts: Sequence[WatchUpdate], stamps: Mapping[str, float]) -> str:
    """The text exposition format, the series of one metric together."""
    lines: dict[str, list[str]] = {name: [] for name in HELP}
    for seen in hosts:
        for name, labels, value in _series(seen, stamps.get(seen.observation.host, 0.0)):
            inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
            lines[name].append(f"triagebook_{name}{{{inner}}} {value:.17g}")
    text = []
    for name, (kind, about) in HELP.items():
        if lines[name]:
            text += [f"# HELP triagebook_{name} {about}", f"# TYPE triagebook_{name} {kind}", *lines[name]]
    return "\n".join(text) + "\n"


def _series(seen: WatchUpdate, stamp: float) -> Iterator[tuple[str, dict[str, str], float]]:
    host = {"host": seen.observation.host}
    yield "watch_up", host, float(bool(seen.uses))
    yield "watch_sample_timestamp_seconds", host, stamp
    yield "status", {**host, "status": seen.observation.status}, 1.0
    if seen.observation.cost.cpu_ms is not None:
        yield "watch_cpu_seconds_total", host, seen.observation.cost.cpu_ms / 1000
    kept = sorted(seen.uses, key=_urgency)[:MOST_USES]
    for use in kept:
        labels = {**host, "check": use.key[0], "what": use.label, "element": use.key[1], "limit": use.limit.name}
        yield "limit", labels, float(use.limit.value)
        yield "used", labels, float(use.used)
        if use.refused is not None:
            yield "refusals_total", labels, float(use.refused)
    for item in seen.observation.trends[:MOST_USES]:
        yield "seconds_to_limit", {**host, **_labels(item)}, item.trend.seconds_to_limit
    yield "series_dropped", host, float(len(seen.uses) - len(kept))


def _labels(item: HeadingLimit) -> dict[str, str]:
    return {"check": item.check, "what": item.what, "limit": item.limit.name}


def _urgency(use: Use) -> tuple[bool, float]:
    return not use.refused, -use.used / use.limit.value


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
