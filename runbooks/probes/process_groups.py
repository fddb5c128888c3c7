"""Reads who uses what: processes added up by cgroup, user and command name.

Source: proc_pid_status(5). The largest groups by tasks and by memory, and those of every cgroup and user that is
near a limit; the rest is counted.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_path import system_unit_of
from triagebook.runbooks.probes.reading import (
    because,
    counts,
    cut,
    integer,
    latest,
    names_of,
    pairs_of,
    records_of,
    why_hidden,
)
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class ProcessGroup:
    """Describes processes of one cgroup, user and command name. `pid` is the one with most threads."""

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
    """Holds the groups worth naming, most tasks first."""

    groups: Collection[ProcessGroup]
    top_tasks_pid: int | Unreadable = fact("", "Threads: of /proc/*/status")  # of the group with most tasks
    top_memory_pid: int | Unreadable = fact("", "VmRSS of /proc/*/status")  # of the group with most memory


FACTS = ProcessGroups


def parse(samples: Sequence[Sample]) -> ProcessGroups:
    """Return the groups that the last complete sample prints; the rest is counted."""
    sample = latest(samples)
    names = names_of(sample)
    records = list(records_of(sample, "process_groups", "group"))
    items = [item for fields in records if (item := _group(fields, names)) is not None]
    items.sort(key=lambda item: (-item.tasks, item.pid))
    total = integer(pairs_of(sample, "process_groups", "all").get("groups"))
    partial = because(
        cut(sample, "process_groups"),
        why_hidden(sample),
        "" if len(items) == len(records) else "a record could not be read",
    )
    unseen = Unreadable(partial or "no process was seen")
    return ProcessGroups(
        Collection(tuple(items), partial, max(0, total - len(items)) if isinstance(total, int) else 0),
        top_tasks_pid=items[0].pid if items else unseen,
        top_memory_pid=max(items, key=lambda item: item.rss_bytes).pid if items else unseen,
    )


def _group(fields: Sequence[str], names: Mapping[int, str]) -> ProcessGroup | None:
    found = counts(fields, 0, 3, 4, 5, 6)
    if found is None:
        return None
    pid, uid, tasks, processes, rss = found
    path = fields[2]
    unit, user = system_unit_of(path), names.get(uid, str(uid))
    return ProcessGroup(pid, fields[1], path, unit, uid, user, tasks, processes, rss * 1024)
