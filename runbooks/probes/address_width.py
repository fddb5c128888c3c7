"""Reads which processes are near the end of what 32-bit addresses can name.

Source: proc_pid_status(5) (VmSize), proc_pid_maps(5), elf(5) (EI_CLASS). A 32-bit process has 4 GiB on a 64-bit kernel.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_records import elements_of
from triagebook.runbooks.probes.reading import (
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

_KIND = "address_width"
_KB = 1024
_MOST = 1 << 32


@dataclass(frozen=True)
class NarrowProcess:
    """Describes a process of nearly 4 GiB, which is the end where its addresses have 32 bits."""

    IDENTITY: ClassVar[str] = "pid"

    pid: int
    comm: str
    uid: int
    user: str
    unit: str
    vm_size_bytes: int = fact("bytes", "/proc/{pid}/status VmSize")
    address_bits: int | Unreadable = fact("bits", "/proc/{pid}/maps, or the ELF header of its program")
    room_bytes: int = fact("bytes", "/proc/{pid}/status VmSize, of 4 GiB")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class AddressWidth:
    """Holds the processes of nearly 4 GiB; all others are counted as clear."""

    narrow: Collection[NarrowProcess]


FACTS = AddressWidth


def parse(samples: Sequence[Sample]) -> AddressWidth:
    """Return the processes that the last complete sample prints, least room first."""
    sample = latest(samples)
    names = names_of(sample)
    narrow = [item for fields in elements_of(sample, _KIND, "narrow") if (item := _narrow(fields, names)) is not None]
    seen = integer(pairs_of(sample, _KIND, "all").get("processes"))
    partial = because(cut(sample, _KIND), why_hidden(sample))
    clear = max(0, seen - len(narrow)) if isinstance(seen, int) else 0
    return AddressWidth(Collection(tuple(sorted(narrow, key=lambda item: item.room_bytes)), partial, clear))


def _narrow(fields: Sequence[str], names: Mapping[int, str]) -> NarrowProcess | None:
    head, found = head_of(fields, names), counts(fields, 4)
    if head is None or found is None:
        return None
    size = found[0] * _KB
    return NarrowProcess(**vars(head), vm_size_bytes=size, address_bits=number(fields, 5), room_bytes=_MOST - size)
