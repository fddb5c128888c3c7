"""Reads memory limits of control groups: usage beside memory.max, and how often the limit was met.

Source: kernel documentation, cgroup-v2 "Memory" and cgroup-v1 "memory" (limit_in_bytes, usage_in_bytes, failcnt;
the same of memory.memsw and memory.kmem).
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_path import limit_owner_of
from triagebook.runbooks.probes.cgroup_records import (
    clear_limits,
    directory_of,
    elements_of,
    rise_between,
    why_partial,
)
from triagebook.runbooks.probes.reading import complete, minus, names_of, number, pairs_of
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class MemoryCgroup:
    """Describes a cgroup with a finite memory limit. On v1 `limit_hits` is failcnt and `oom_kills` may be unreadable."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    kind: str  # unit | user | container | cgroup
    unit: str
    user: str
    current_bytes: int | Unreadable = fact("bytes", "{directory}/memory.current")
    max_bytes: int = fact("bytes", "{directory}/memory.max")
    high_bytes: int | Unreadable = fact("bytes", "{directory}/memory.high")  # 0: none is set; v1 has none
    room_bytes: int | Unreadable = fact("bytes", "{directory}/memory.max")
    limit_hits: int | Unreadable = fact("hits", "{directory}/memory.events.local max (v1: memory.failcnt)")
    limit_hits_delta: int | Unreadable = fact("hits", "{directory}/memory.events.local max (v1: memory.failcnt)")
    oom_kills: int | Unreadable = fact("kills", "{directory}/memory.events oom_kill")
    oom_kills_delta: int | Unreadable = fact("kills", "{directory}/memory.events oom_kill")
    ooms: int | Unreadable = fact("refusals", "{directory}/memory.events oom")  # v2: nothing more could be reclaimed
    ooms_delta: int | Unreadable = fact("refusals", "{directory}/memory.events oom")
    is_kill_disabled: int | Unreadable = fact("", "{directory}/memory.oom_control oom_kill_disable")  # v1: 1 where nobody is killed
    directory: str = ""  # where its files are, "/sys/fs/cgroup/system.slice/x.service"
    counts_swap: int = fact("", "{directory}/memory.memsw.limit_in_bytes", default=0)  # v1: 1 where the limit is of memory and swap


@dataclass(frozen=True)
class KernelMemoryCgroup:
    """Describes a cgroup of v1 with a limit on the kernel's own memory (before Linux 5.16; docker run --kernel-memory)."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    kind: str  # unit | user | container | cgroup
    unit: str
    user: str
    current_bytes: int | Unreadable = fact("bytes", "{directory}/memory.kmem.usage_in_bytes")
    max_bytes: int = fact("bytes", "{directory}/memory.kmem.limit_in_bytes")
    room_bytes: int | Unreadable = fact("bytes", "{directory}/memory.kmem.limit_in_bytes")
    limit_hits: int | Unreadable = fact("refusals", "{directory}/memory.kmem.failcnt")
    limit_hits_delta: int | Unreadable = fact("refusals", "{directory}/memory.kmem.failcnt")
    directory: str = ""


@dataclass(frozen=True)
class MemoryCgroups:
    """Describes every finite memory limit of the host's cgroups that is at least half used or was ever met."""

    limited: Collection[MemoryCgroup]
    kernel: Collection[KernelMemoryCgroup] = Collection()  # every such limit


FACTS = MemoryCgroups


def parse(samples: Sequence[Sample]) -> MemoryCgroups:
    """Return the limits that the last complete sample prints; deltas as `rise_between` has them."""
    whole = complete(samples)
    sample = whole[-1] if whole else None
    pairs, names = pairs_of(sample, "memory_cgroups", "all"), names_of(sample)
    items = []
    for fields in elements_of(sample, "memory_cgroups", "at"):
        maximum = number(fields, 1)
        if isinstance(maximum, Unreadable):
            continue
        path, current = fields[0], number(fields, 2)
        owner = limit_owner_of(path, names)
        items.append(
            MemoryCgroup(
                path=path,
                kind=owner.kind,
                unit=owner.unit,
                user=owner.user,
                current_bytes=current,
                max_bytes=maximum,
                high_bytes=0 if fields[3:4] == ("max",) else number(fields, 3),
                room_bytes=minus(maximum, current),
                limit_hits=number(fields, 4),
                limit_hits_delta=rise_between(whole, "memory_cgroups", path, 4),
                oom_kills=number(fields, 6),
                oom_kills_delta=rise_between(whole, "memory_cgroups", path, 6),
                ooms=number(fields, 8),
                ooms_delta=rise_between(whole, "memory_cgroups", path, 8),
                is_kill_disabled=number(fields, 10),
                directory=directory_of(pairs, path),
                counts_swap=1 if fields[11:12] == ("1",) else 0,
            )
        )
    items.sort(key=lambda item: item.room_bytes if isinstance(item.room_bytes, int) else -1)
    partial = why_partial(sample, "memory_cgroups", "memory")
    kernel = Collection(tuple(_of_the_kernel(whole)), partial)
    return MemoryCgroups(Collection(tuple(items), partial, clear_limits(pairs)), kernel)


def _of_the_kernel(whole: Sequence[Sample]) -> Iterator[KernelMemoryCgroup]:
    sample = whole[-1] if whole else None
    pairs, names = pairs_of(sample, "memory_cgroups", "all"), names_of(sample)
    for fields in elements_of(sample, "memory_cgroups", "kernel"):
        path, maximum, current = fields[0], number(fields, 1), number(fields, 2)
        if isinstance(maximum, Unreadable):
            continue
        owner = limit_owner_of(path, names)
        yield KernelMemoryCgroup(
            path=path,
            kind=owner.kind,
            unit=owner.unit,
            user=owner.user,
            current_bytes=current,
            max_bytes=maximum,
            room_bytes=minus(maximum, current),
            limit_hits=number(fields, 3),
            limit_hits_delta=rise_between(whole, "memory_cgroups", path, 3, "kernel"),
            directory=directory_of(pairs, path),
        )
