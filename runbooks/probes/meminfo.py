"""Reads memory, swap, commit accounting and pressure of the host.

Source: proc_meminfo(5), kernel documentation vm/overcommit-accounting and accounting/psi.
"""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    NOT_PRINTED,
    complete,
    decimal,
    integer,
    minus,
    pairs_of,
    rise,
)
from triagebook.runbooks.probes.records import Sample

_KB = 1024
_IN_KB = {
    "total_bytes": "MemTotal",
    "available_bytes": "MemAvailable",
    "swap_total_bytes": "SwapTotal",
    "swap_free_bytes": "SwapFree",
    "commit_limit_bytes": "CommitLimit",
    "committed_bytes": "Committed_AS",
    "huge_pages_bytes": "Hugetlb",
    "kernel_stack_bytes": "KernelStack",
    "page_tables_bytes": "PageTables",
    "shared_bytes": "Shmem",
    "overcommit_bytes": "overcommit_kbytes",
    "admin_reserve_bytes": "admin_reserve_kbytes",
    "user_reserve_bytes": "user_reserve_kbytes",
}
_COUNTERS = {"oom_kills": "oom_kill", "stalls": "stalls", "swapped_in": "pswpin", "swapped_out": "pswpout"}


@dataclass(frozen=True)
class Memory:
    """Describes the host's memory, in bytes. `commit_room` is what an unprivileged small process may still commit in strict mode:
    CommitLimit - admin_reserve - Committed_AS; larger processes have less, by min(VmSize / 32, user_reserve).
    """

    total_bytes: int | Unreadable = fact("bytes", "/proc/meminfo MemTotal")
    available_bytes: int | Unreadable = fact("bytes", "/proc/meminfo MemAvailable")
    swap_total_bytes: int | Unreadable = fact("bytes", "/proc/meminfo SwapTotal")
    swap_free_bytes: int | Unreadable = fact("bytes", "/proc/meminfo SwapFree")
    commit_limit_bytes: int | Unreadable = fact("bytes", "/proc/meminfo CommitLimit")
    committed_bytes: int | Unreadable = fact("bytes", "/proc/meminfo Committed_AS")
    commit_room_bytes: int | Unreadable = fact("bytes", "/proc/meminfo CommitLimit less reserves and Committed_AS")
    huge_pages_bytes: int | Unreadable = fact("bytes", "/proc/meminfo Hugetlb")
    kernel_stack_bytes: int | Unreadable = fact("bytes", "/proc/meminfo KernelStack")
    page_tables_bytes: int | Unreadable = fact("bytes", "/proc/meminfo PageTables")
    shared_bytes: int | Unreadable = fact("bytes", "/proc/meminfo Shmem")  # tmpfs too
    overcommit_memory: int | Unreadable = fact("mode", "/proc/sys/vm/overcommit_memory")
    overcommit_ratio: int | Unreadable = fact("percent", "/proc/sys/vm/overcommit_ratio")
    overcommit_bytes: int | Unreadable = fact("bytes", "/proc/sys/vm/overcommit_kbytes")  # 0: the ratio holds
    admin_reserve_bytes: int | Unreadable = fact("bytes", "/proc/sys/vm/admin_reserve_kbytes")
    user_reserve_bytes: int | Unreadable = fact("bytes", "/proc/sys/vm/user_reserve_kbytes")
    huge_pages_total: int | Unreadable = fact("pages", "/proc/meminfo HugePages_Total")
    huge_pages_room: int | Unreadable = fact("pages", "/proc/meminfo HugePages_Free less HugePages_Rsvd")
    huge_page_size_bytes: int | Unreadable = fact("bytes", "/proc/meminfo Hugepagesize")
    pressure_some_avg10: float | Unreadable = fact("percent", "/proc/pressure/memory some avg10")
    pressure_full_avg10: float | Unreadable = fact("percent", "/proc/pressure/memory full avg10")
    oom_kills: int | Unreadable = fact("kills", "/proc/vmstat oom_kill")
    oom_kills_delta: int | Unreadable = fact("kills", "/proc/vmstat oom_kill")
    allocation_stalls: int | Unreadable = fact("stalls", "/proc/vmstat allocstall_*")
    allocation_stalls_delta: int | Unreadable = fact("stalls", "/proc/vmstat allocstall_*")
    swapped_in_delta: int | Unreadable = fact("pages", "/proc/vmstat pswpin")
    swapped_out_delta: int | Unreadable = fact("pages", "/proc/vmstat pswpout")


FACTS = Memory


def parse(samples: Sequence[Sample]) -> Memory:
    """Return the last complete sample's figures; deltas between the first and the last complete one."""
    whole = complete(samples)
    pairs = pairs_of(whole[-1] if whole else None, "meminfo", "is")
    figures = {name: integer(pairs.get(key), _KB) for name, key in _IN_KB.items()}
    counters = {name: [integer(pairs_of(sample, "meminfo", "is").get(key)) for sample in whole] for name, key in _COUNTERS.items()}
    last = {name: values[-1] if values else NOT_PRINTED for name, values in counters.items()}
    delta = {name: rise(values[0], values[-1]) if len(values) > 1 else NEEDS_SECOND for name, values in counters.items()}
    return Memory(
        **figures,
        commit_room_bytes=minus(figures["commit_limit_bytes"], figures["admin_reserve_bytes"], figures["committed_bytes"]),
        overcommit_memory=integer(pairs.get("overcommit_memory")),
        overcommit_ratio=integer(pairs.get("overcommit_ratio")),
        huge_pages_total=integer(pairs.get("HugePages_Total")),
        huge_pages_room=minus(integer(pairs.get("HugePages_Free")), integer(pairs.get("HugePages_Rsvd"))),
        huge_page_size_bytes=integer(pairs.get("Hugepagesize"), _KB),
        pressure_some_avg10=decimal(pairs.get("some")),
        pressure_full_avg10=decimal(pairs.get("full")),
        oom_kills=last["oom_kills"],
        oom_kills_delta=delta["oom_kills"],
        allocation_stalls=last["stalls"],
        allocation_stalls_delta=delta["stalls"],
        swapped_in_delta=delta["swapped_in"],
        swapped_out_delta=delta["swapped_out"],
    )
