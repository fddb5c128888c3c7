"""Memory limits of control groups: usage beside memory.max, and how often the limit was met.

Source: kernel documentation, cgroup-v2 "Memory" and cgroup-v1 "memory" (limit_in_bytes, usage_in_bytes, failcnt).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class MemoryCgroup:
    """A cgroup with a finite memory limit. On v1 `limit_hits` is failcnt and `oom_kills` may be unreadable."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    kind: str  # unit | user | container | cgroup
    unit: str
    user: str
    current_bytes: int | Unreadable = fact("bytes", "/sys/fs/cgroup{path}/memory.current")
    max_bytes: int = fact("bytes", "/sys/fs/cgroup{path}/memory.max")
    high_bytes: int | Unreadable = fact("bytes", "/sys/fs/cgroup{path}/memory.high")  # Unreadable: not set
    room_bytes: int | Unreadable = fact("bytes", "/sys/fs/cgroup{path}/memory.max")
    limit_hits: int | Unreadable = fact("hits", "/sys/fs/cgroup{path}/memory.events max")
    limit_hits_delta: int | Unreadable = fact("hits", "/sys/fs/cgroup{path}/memory.events max")
    oom_kills: int | Unreadable = fact("kills", "/sys/fs/cgroup{path}/memory.events oom_kill")
    oom_kills_delta: int | Unreadable = fact("kills", "/sys/fs/cgroup{path}/memory.events oom_kill")


@dataclass(frozen=True)
class MemoryCgroups:
    """Every finite memory limit of the host's cgroups that is at least half used or was ever met."""

    limited: Collection[MemoryCgroup]


FACTS = MemoryCgroups


def parse(samples: Sequence[Sample]) -> MemoryCgroups:
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
