"""Reads locked and pinned memory of processes beside RLIMIT_MEMLOCK.

Source: mlock(2), getrlimit(2), proc_pid_status(5) (VmLck, VmPin). A holder of CAP_IPC_LOCK is exempt. io_uring, BPF, VFIO and
RDMA count what they pin against the same limit, some of them per user.
"""

from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_records import elements_of
from triagebook.runbooks.probes.reading import (
    NamedProcess,
    because,
    counts,
    cut,
    head_of,
    integer,
    latest,
    names_of,
    number,
    pairs_of,
    why_hidden,
)
from triagebook.runbooks.probes.records import Sample

_KIND = "locked_memory"
_KB = 1024


@dataclass(frozen=True)
class LockingProcess(NamedProcess):
    """Describes a process without CAP_IPC_LOCK that has locked or pinned nearly all it may."""

    locked_bytes: int = fact("bytes", "/proc/{pid}/status VmLck or VmPin, the larger")
    soft_bytes: int = fact("bytes", "/proc/{pid}/limits Max locked memory (soft)")
    hard_bytes: int | Unreadable = fact("bytes", "/proc/{pid}/limits (hard)")  # Unreadable: unlimited
    room_bytes: int = fact("bytes", "/proc/{pid}/limits Max locked memory")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class LockedMemory:
    """Holds the processes near their limit; the rest of those that lock anything is counted as clear."""

    limited: Collection[LockingProcess]
    latent: Collection[LockingProcess] = Collection()  # one for each limit that users' processes have which locked nothing


FACTS = LockedMemory


def parse(samples: Sequence[Sample]) -> LockedMemory:
    """Return the processes that the last complete sample prints, least room first."""
    sample = latest(samples)
    pairs, names = pairs_of(sample, _KIND, "all"), names_of(sample)
    records = list(elements_of(sample, _KIND, "at"))
    found = [item for fields in records if (item := _process(fields, names)) is not None]
    unread, near, clear = (integer(pairs.get(key)) for key in ("unread", "near", "clear"))
    partial = because(
        cut(sample, _KIND),
        why_hidden(sample),
        f"limits of {unread} processes could not be read" if isinstance(unread, int) and unread else "",
        "" if len(found) == len(records) else "a record could not be read",
        f"{near - len(records)} more processes near it" if isinstance(near, int) and near > len(records) else "",
    )
    found.sort(key=lambda item: item.room_bytes)
    latent = [item for fields in elements_of(sample, _KIND, "latent") if (item := _process(fields, names)) is not None]
    latent.sort(key=lambda item: item.soft_bytes)
    return LockedMemory(
        Collection(tuple(found), partial, clear if isinstance(clear, int) else 0), Collection(tuple(latent), partial)
    )


def _process(fields: Sequence[str], names: Mapping[int, str]) -> LockingProcess | None:
    head, found = head_of(fields, names), counts(fields, 4, 5, 6)
    if head is None or found is None:
        return None
    locked_kb, pinned_kb, soft = found
    used = max(locked_kb, pinned_kb) * _KB
    return LockingProcess(
        **vars(head),
        locked_bytes=used,
        soft_bytes=soft,
        hard_bytes=Unreadable("not limited") if fields[7:8] == ("unlimited",) else number(fields, 7),
        room_bytes=soft - used,
    )
