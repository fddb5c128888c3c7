"""Reads PID namespaces seen from outside: groups of processes in a nested namespace, and whether its init lives.

Source: pid_namespaces(7), NSpid of proc_pid_status(5). A namespace whose init died refuses every fork ("Cannot allocate memory").
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_path import system_unit_of
from triagebook.runbooks.probes.cgroup_records import elements_of
from triagebook.runbooks.probes.reading import because, cut, integer, latest, names_of, number, pairs_of, why_hidden
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class NestedGroup:
    """Describes processes of one cgroup that live in a nested PID namespace. `has_init`: one of them is PID 1 in there."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    unit: str
    pid: int  # the lowest PID of the group, as this host numbers it
    comm: str
    processes: int = fact("processes", "NSpid of /proc/*/status in {path}")
    has_init: bool = fact("", "NSpid of /proc/*/status in {path}")
    is_init_zombie: bool = fact("", "State of /proc/*/status in {path}")


@dataclass(frozen=True)
class PidNamespaces:
    """Describes the nested groups without a living init; the healthy ones are counted."""

    orphaned: Collection[NestedGroup]
    orphans: int | Unreadable = fact("groups", "NSpid of /proc/*/status")
    orphan_path: str | Unreadable = fact("", "/proc/*/cgroup")  # of the first such group
    orphan_unit: str | Unreadable = fact("", "/proc/*/cgroup")
    orphan_pid: int | Unreadable = fact("", "/proc/*/status")
    orphan_processes: int | Unreadable = fact("processes", "NSpid of /proc/*/status")
    unsure_processes: int | Unreadable = fact("processes", "NSpid of /proc/*/status")  # their init may be one of another cgroup


FACTS = PidNamespaces


def parse(samples: Sequence[Sample]) -> PidNamespaces:
    """Return the groups without a living init, as the last complete sample prints them."""
    sample = latest(samples)
    pairs, names = pairs_of(sample, "pid_namespaces", "all"), names_of(sample)
    records = list(elements_of(sample, "pid_namespaces", "gone"))
    items = tuple(item for fields in records if (item := _group(fields, names)) is not None)
    partial = because(
        cut(sample, "pid_namespaces"),
        why_hidden(sample),
        "" if len(items) == len(records) else "a record could not be read",
    )
    healthy = integer(pairs.get("inits"))
    first = items[0] if items else None
    none = Unreadable(partial or "there is none")
    return PidNamespaces(
        Collection(items, partial, healthy if isinstance(healthy, int) else 0),
        orphans=Unreadable(partial) if partial and not items else len(items),
        orphan_path=first.path if first else none,
        orphan_unit=first.unit if first else none,
        orphan_pid=first.pid if first else none,
        orphan_processes=first.processes if first else none,
        unsure_processes=integer(pairs.get("unsure")),
    )


def _group(fields: Sequence[str], names: Mapping[int, str]) -> NestedGroup | None:
    pid, processes, zombie = number(fields, 1), number(fields, 3), number(fields, 4)
    if isinstance(pid, Unreadable) or isinstance(processes, Unreadable) or isinstance(zombie, Unreadable):
        return None
    return NestedGroup(
        path=fields[0],
        unit=system_unit_of(fields[0]),
        pid=pid,
        comm=fields[2],
        processes=processes,
        has_init=zombie == 1,
        is_init_zombie=zombie == 1,
    )
