"""Address spaces of processes: map counts beside vm.max_map_count, sizes beside RLIMIT_AS and RLIMIT_DATA.

Source: proc_sys_vm(5), getrlimit(2), proc_pid_status(5). Each mapping covers at least a page, so a process with
VmSize / page size < max_map_count cannot be at the map limit: it is counted as clear without reading its maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class MappedProcess:
    """A process large enough to hold max_map_count mappings. `maps` is readable for its owner or CAP_SYS_PTRACE only."""

    IDENTITY: ClassVar[str] = "pid"

    pid: int
    comm: str
    uid: int
    user: str
    unit: str
    vm_size_bytes: int = fact("bytes", "/proc/{pid}/status VmSize")
    maps: int | Unreadable = fact("maps", "/proc/{pid}/maps (lines, [vsyscall] not counted)")
    max_map_count: int | Unreadable = fact("maps", "/proc/sys/vm/max_map_count")
    room: int | Unreadable = fact("maps", "/proc/sys/vm/max_map_count")


@dataclass(frozen=True)
class SizedProcess:
    """A process under a finite RLIMIT_AS or RLIMIT_DATA; the tighter of the two."""

    IDENTITY: ClassVar[str] = "pid"

    pid: int
    comm: str
    uid: int
    user: str
    unit: str
    resource: str  # "as" | "data"
    used_bytes: int = fact("bytes", "/proc/{pid}/status VmSize or VmData")
    soft_bytes: int = fact("bytes", "/proc/{pid}/limits Max address space or Max data size (soft)")
    hard_bytes: int | Unreadable = fact("bytes", "/proc/{pid}/limits (hard)")  # Unreadable: unlimited
    room_bytes: int = fact("bytes", "/proc/{pid}/limits")


@dataclass(frozen=True)
class LargeProcess:
    """One of the five processes with the largest private writable memory: what its fork would commit again."""

    IDENTITY: ClassVar[str] = "pid"

    pid: int
    comm: str
    uid: int
    user: str
    unit: str
    vm_size_bytes: int = fact("bytes", "/proc/{pid}/status VmSize")
    vm_data_bytes: int = fact("bytes", "/proc/{pid}/status VmData")  # an upper estimate of what fork charges


@dataclass(frozen=True)
class Spaces:
    """`mapped`, `limited`: elements that could be near; the rest is counted as clear."""

    max_map_count: int | Unreadable = fact("maps", "/proc/sys/vm/max_map_count")
    page_size_bytes: int | Unreadable = fact("bytes", "/proc/self/smaps KernelPageSize")
    mapped: Collection[MappedProcess] = Collection()
    limited: Collection[SizedProcess] = Collection()
    largest: Collection[LargeProcess] = Collection()


FACTS = Spaces


def parse(samples: Sequence[Sample]) -> Spaces:
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
