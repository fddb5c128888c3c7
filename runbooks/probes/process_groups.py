"""Who uses what: processes added up by cgroup, user and command name.

Source: proc_pid_status(5). The largest groups by tasks and by memory, and those of every cgroup and user that is
near a limit; the rest is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from triagebook.runbooks.engine.facts import Collection, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class ProcessGroup:
    """Processes of one cgroup, user and command name. `pid` is the one with most threads."""

    IDENTITY: ClassVar[str] = "pid"

    pid: int
    comm: str
    path: str
    unit: str
    uid: int
    user: str
    tasks: int = fact("tasks", "Threads: of /proc/*/status, {comm} in {path}")
    processes: int = fact("processes", "/proc/*/status, {comm} in {path}")
    rss_bytes: int = fact("bytes", "VmRSS of /proc/*/status, {comm} in {path}")


@dataclass(frozen=True)
class ProcessGroups:
    """Groups worth naming, most tasks first."""

    groups: Collection[ProcessGroup]


FACTS = ProcessGroups


def parse(samples: Sequence[Sample]) -> ProcessGroups:
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
