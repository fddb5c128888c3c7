"""Reads tables of the kernel that a request may not fit into: asynchronous I/O, options of a socket, memory cgroups.

Source: proc_sys_fs(5) (aio-nr, aio-max-nr), kernel documentation sysctl/net (optmem_max), cgroups(7) (/proc/cgroups),
OpenVZ user_beancounters(5): held, maxheld, barrier, limit, failcnt of each resource.
"""

import re
from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    NOT_PRINTED,
    NOT_READABLE,
    complete,
    integer,
    latest,
    minus,
    pairs_of,
    rise,
    text,
)
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
    provider: str | Unreadable = fact("", "/proc/vz, /proc/lve, /proc/sys/kernel/osrelease")  # openvz | cloudlinux | ""
    provider_refusals: int | Unreadable = fact("refusals", "/proc/user_beancounters failcnt")
    provider_refusals_delta: int | Unreadable = fact("refusals", "/proc/user_beancounters failcnt")
    provider_resources: str | Unreadable = fact("", "/proc/user_beancounters resource")  # of which refusals are counted


FACTS = KernelTables


def parse(samples: Sequence[Sample]) -> KernelTables:
    """Return the figures of the last complete sample."""
    whole = complete(samples)
    pairs = pairs_of(latest(samples), "kernel_tables", "are")
    provider = _provider(pairs, pairs_of(latest(samples), "host", "is"))
    refused = [_refusals(provider, sample) for sample in whole]
    used, most = integer(pairs.get("fs/aio-nr")), integer(pairs.get("fs/aio-max-nr"))
    return KernelTables(
        aio_used=used,
        aio_max=most,
        aio_room=minus(most, used),
        optmem_max_bytes=integer(pairs.get("net/core/optmem_max")),
        memory_cgroups=integer(pairs.get("memory_cgroups")),
        contiguous_blocks=integer(pairs.get("blocks")),
        provider=provider,
        provider_refusals=refused[-1] if refused else NOT_READABLE,
        provider_refusals_delta=rise(refused[0], refused[-1]) if len(refused) > 1 else NEEDS_SECOND,
        provider_resources=text(pairs.get("provider_names")),
    )


def _refusals(provider: str | Unreadable, sample: Sample) -> int | Unreadable:
    """Return what the provider counted as refused: nothing where nobody limits the host from outside."""
    return 0 if provider in {"", "cloudlinux"} else integer(pairs_of(sample, "kernel_tables", "are").get("provider_refused"))


def _provider(pairs: Mapping[str, str | Unreadable], host: Mapping[str, str | Unreadable]) -> str | Unreadable:
    """Say by whom this host is limited from outside, as its files or its kernel's name tell."""
    named, release = pairs.get("provider"), host.get("kernel")
    if isinstance(named, str):
        return named
    if not isinstance(release, str):
        return NOT_PRINTED
    if host.get("container") == "openvz" or re.search(r"stab[0-9]|[.-]vz[0-9]", release):
        return "openvz"
    return "cloudlinux" if re.search(r"[.-]lve[0-9.]", release) else ""
