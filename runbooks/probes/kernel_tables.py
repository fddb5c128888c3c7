"""Reads tables of the kernel that a request may not fit into: asynchronous I/O, options of a socket, memory cgroups.

Source: proc_sys_fs(5) (aio-nr, aio-max-nr), kernel documentation sysctl/net (optmem_max), cgroups(7) (/proc/cgroups).
"""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.reading import integer, latest, minus, pairs_of
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class KernelTables:
    """Describes these tables. `aio_used` counts the events that were reserved by io_setup(2), over all processes."""

    aio_used: int | Unreadable = fact("events", "/proc/sys/fs/aio-nr")
    aio_max: int | Unreadable = fact("events", "/proc/sys/fs/aio-max-nr")
    aio_room: int | Unreadable = fact("events", "/proc/sys/fs/aio-max-nr")
    optmem_max_bytes: int | Unreadable = fact("bytes", "/proc/sys/net/core/optmem_max")
    memory_cgroups: int | Unreadable = fact("cgroups", "/proc/cgroups memory num_cgroups")
    contiguous_blocks: int | Unreadable = fact("blocks", "/proc/buddyinfo Normal and DMA32, order 4 and up")  # 64 KiB each at least


FACTS = KernelTables


def parse(samples: Sequence[Sample]) -> KernelTables:
    """Return the figures of the last complete sample."""
    pairs = pairs_of(latest(samples), "kernel_tables", "are")
    used, most = integer(pairs.get("aio_nr")), integer(pairs.get("aio_max_nr"))
    return KernelTables(
        aio_used=used,
        aio_max=most,
        aio_room=minus(most, used),
        optmem_max_bytes=integer(pairs.get("optmem_max")),
        memory_cgroups=integer(pairs.get("memory_cgroups")),
        contiguous_blocks=integer(pairs.get("blocks")),
    )
