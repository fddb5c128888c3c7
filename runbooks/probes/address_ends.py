"""Reads which processes are near the end of what their addresses can name, and whose threads get large stacks.

Source: proc_pid_status(5) (VmSize), proc_pid_maps(5), elf(5) (EI_CLASS), pthread_create(3) (the soft limit of the stack is the
size of each thread's). A 32-bit process has 4 GiB on a 64-bit kernel, a 64-bit one 128 TiB as a rule.
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

_KIND = "address_ends"
_KB = 1024
_NARROW = 1 << 32
_WIDE = 1 << 47


@dataclass(frozen=True)
class NarrowProcess(NamedProcess):
    """Describes a process of nearly 4 GiB, which is the end where its addresses have 32 bits."""

    vm_size_bytes: int = fact("bytes", "/proc/{pid}/status VmSize")
    address_bits: int | Unreadable = fact("bits", "/proc/{pid}/maps, or the ELF header of its program")
    room_bytes: int = fact("bytes", "/proc/{pid}/status VmSize, of 4 GiB")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class LargeStack(NamedProcess):
    """Describes a process whose threads get at least 64 MiB of stack each; of a user's processes with one limit the first."""

    vm_size_bytes: int = fact("bytes", "/proc/{pid}/status VmSize")
    stack_bytes: int = fact("bytes", "/proc/{pid}/limits Max stack size (soft)")
    room_bytes: int = fact("bytes", "128 TiB less VmSize and one stack of {pid}")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class AddressEnds:
    """Holds the processes that may be near; all others are counted as clear."""

    narrow: Collection[NarrowProcess]
    stacks: Collection[LargeStack]


FACTS = AddressEnds


def parse(samples: Sequence[Sample]) -> AddressEnds:
    """Return the processes that the last complete sample prints, least room first."""
    sample = latest(samples)
    pairs, names = pairs_of(sample, _KIND, "all"), names_of(sample)
    narrow = [item for fields in elements_of(sample, _KIND, "narrow") if (item := _narrow(fields, names)) is not None]
    stacks = [one for fields in elements_of(sample, _KIND, "stack") if (one := _stack(fields, names)) is not None]
    seen, unread = integer(pairs.get("processes")), integer(pairs.get("unread"))
    gaps = (cut(sample, _KIND), why_hidden(sample))
    unsized = f"limits of {unread} processes could not be read" if isinstance(unread, int) and unread else ""
    total = seen if isinstance(seen, int) else 0
    return AddressEnds(
        Collection(tuple(sorted(narrow, key=lambda item: item.room_bytes)), because(*gaps), max(0, total - len(narrow))),
        Collection(tuple(sorted(stacks, key=lambda item: item.room_bytes)), because(*gaps, unsized), max(0, total - len(stacks))),
    )


def _narrow(fields: Sequence[str], names: Mapping[int, str]) -> NarrowProcess | None:
    head, found = head_of(fields, names), counts(fields, 4)
    if head is None or found is None:
        return None
    size = found[0] * _KB
    return NarrowProcess(**vars(head), vm_size_bytes=size, address_bits=number(fields, 5), room_bytes=_NARROW - size)


def _stack(fields: Sequence[str], names: Mapping[int, str]) -> LargeStack | None:
    head, found = head_of(fields, names), counts(fields, 4, 5)
    if head is None or found is None:
        return None
    size, stack = found[0] * _KB, found[1]
    return LargeStack(**vars(head), vm_size_bytes=size, stack_bytes=stack, room_bytes=_WIDE - size - stack)
