"""Reads address spaces: map counts beside vm.max_map_count, sizes beside RLIMIT_AS and RLIMIT_DATA.

Source: proc_sys_vm(5), getrlimit(2), proc_pid_status(5). Each mapping covers at least a page, so a process with
VmSize / page size < max_map_count cannot be at the map limit: it is counted as clear without reading its maps.
"""

from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.reading import (
    NamedProcess,
    ProcessHead,
    because,
    counts,
    cut,
    head_of,
    integer,
    latest,
    minus,
    names_of,
    number,
    pairs_of,
    records_of,
    why_hidden,
)
from triagebook.runbooks.probes.records import Sample

_KIND = "address_spaces"
_KB = 1024


@dataclass(frozen=True)
class MappedProcess(NamedProcess):
    """Describes a process large enough to hold max_map_count mappings. `maps` is for its owner or CAP_SYS_PTRACE only."""

    vm_size_bytes: int = fact("bytes", "/proc/{pid}/status VmSize")
    maps: int | Unreadable = fact("maps", "/proc/{pid}/maps (lines, [vsyscall] not counted)")
    max_map_count: int | Unreadable = fact("maps", "/proc/sys/vm/max_map_count")
    room: int | Unreadable = fact("maps", "/proc/sys/vm/max_map_count")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")
    uncounted_threads: int = fact("threads", "/proc/{pid}/status Threads", default=0)  # 0 where its mappings are counted


@dataclass(frozen=True)
class SizedProcess(NamedProcess):
    """Describes a process under a finite RLIMIT_AS or RLIMIT_DATA; the tighter of the two."""

    resource: str  # "as" | "data"
    used_bytes: int = fact("bytes", "/proc/{pid}/status VmSize or VmData")
    soft_bytes: int = fact("bytes", "/proc/{pid}/limits Max address space or Max data size (soft)")
    hard_bytes: int | Unreadable = fact("bytes", "/proc/{pid}/limits (hard)")  # Unreadable: unlimited
    room_bytes: int = fact("bytes", "/proc/{pid}/limits")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class LargeProcess(NamedProcess):
    """Describes one of the five processes with the largest private writable memory: what its fork would commit again."""

    vm_size_bytes: int = fact("bytes", "/proc/{pid}/status VmSize")
    vm_data_bytes: int = fact("bytes", "/proc/{pid}/status VmData")  # an upper estimate of what fork charges
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class Spaces:
    """Holds in `mapped` and `limited` the elements that could be near; the rest is counted as clear."""

    mapped: Collection[MappedProcess]
    limited: Collection[SizedProcess]
    largest: Collection[LargeProcess]
    max_map_count: int | Unreadable = fact("maps", "/proc/sys/vm/max_map_count")
    page_size_bytes: int | Unreadable = fact("bytes", "/proc/self/smaps KernelPageSize")
    largest_pid: int | Unreadable = fact("", "/proc/*/status VmData")
    largest_comm: str | Unreadable = fact("", "/proc/*/status Name")
    largest_data_bytes: int | Unreadable = fact("bytes", "/proc/*/status VmData")
    latent: Collection[SizedProcess] = Collection()  # the four least limits that leave room now, one of each user and limit


FACTS = Spaces


def parse(samples: Sequence[Sample]) -> Spaces:
    """Return the processes that the last complete sample prints; the rest is counted as clear."""
    sample = latest(samples)
    pairs, names = pairs_of(sample, _KIND, "all"), names_of(sample)
    maximum, page = integer(pairs.get("max_map_count")), integer(pairs.get("page_kb"), _KB)
    gaps = (cut(sample, _KIND), why_hidden(sample))
    kinds = {name: _processes(sample, name, names) for name in ("map", "size", "latent", "large")}
    seen = [_mapped_process(head, size, fields, maximum) for head, size, fields in kinds["map"]]
    mapped = tuple(item for item in seen if not _is_too_small(item, page))  # a suspect may be printed whatever its size
    small = len(seen) - len(mapped)
    limited = [item for head, _, fields in kinds["size"] if (item := _sized_process(head, fields)) is not None]
    limited.sort(key=lambda item: item.room_bytes)
    latent = tuple(item for head, _, fields in kinds["latent"] if (item := _sized_process(head, fields)) is not None)
    large = (
        LargeProcess(**vars(head), vm_size_bytes=size, vm_data_bytes=data)
        for head, size, fields in kinds["large"]
        if isinstance(data := number(fields, 5, _KB), int)
    )
    largest = Collection(tuple(sorted(large, key=lambda item: -item.vm_data_bytes)), because(*gaps))
    first = largest.items[0] if largest.items and not largest.partial else None
    unseen = Unreadable(largest.partial or "no process was seen")
    return Spaces(
        max_map_count=maximum,
        page_size_bytes=page,
        mapped=Collection(mapped, because(*gaps, *_why_uncounted(pairs, small)), _count(pairs, "map_clear") + small),
        limited=Collection(
            tuple(limited),
            because(*gaps, *_why_unsized(pairs, len(kinds["size"]) - len(limited))),
            _count(pairs, "sized_clear"),
        ),
        latent=Collection(latent, because(*gaps, *_why_unsized(pairs, 0))),
        largest=largest,
        largest_pid=first.pid if first else unseen,
        largest_comm=first.comm if first else unseen,
        largest_data_bytes=first.vm_data_bytes if first else unseen,
    )


def _processes(sample: Sample | None, name: str, names: Mapping[int, str]) -> list[tuple[ProcessHead, int, tuple[str, ...]]]:
    found = []
    for fields in records_of(sample, _KIND, name):
        head, sizes = head_of(fields, names), counts(fields, 4)
        if head is not None and sizes is not None:
            found.append((head, sizes[0] * _KB, fields))
    return found


def _mapped_process(head: ProcessHead, size: int, fields: Sequence[str], maximum: int | Unreadable) -> MappedProcess:
    maps = Unreadable("permission denied") if fields[5:6] == ("?",) else number(fields, 5)
    threads = number(fields, 6)
    return MappedProcess(
        **vars(head),
        vm_size_bytes=size,
        maps=maps,
        max_map_count=maximum,
        room=minus(maximum, maps),
        uncounted_threads=threads if isinstance(maps, Unreadable) and isinstance(threads, int) else 0,
    )


def _is_too_small(process: MappedProcess, page: int | Unreadable) -> bool:
    """Say whether maps that could not be read need not be: each is a page at least, and it has not as many pages."""
    if isinstance(process.maps, int) or isinstance(page, Unreadable) or isinstance(process.max_map_count, Unreadable):
        return False
    return process.vm_size_bytes < process.max_map_count * page


def _sized_process(head: ProcessHead, fields: Sequence[str]) -> SizedProcess | None:
    used, soft, hard = number(fields, 6, _KB), number(fields, 7), number(fields, 8)
    if isinstance(used, Unreadable) or isinstance(soft, Unreadable) or fields[5] not in {"as", "data"}:
        return None
    return SizedProcess(
        **vars(head),
        resource=fields[5],
        used_bytes=used,
        soft_bytes=soft,
        hard_bytes=Unreadable("not limited") if fields[8:9] == ("unlimited",) else hard,
        room_bytes=soft - used,
    )


def _why_uncounted(pairs: Mapping[str, str | Unreadable], small: int) -> tuple[str, ...]:
    """Return why maps of a process large enough may be unknown: not of the `small` ones that were denied and need not be read.

    The twelve largest denied ones are elements themselves.
    """
    denied, skipped = _count(pairs, "map_denied") - small, _count(pairs, "map_skipped")
    return (
        "vm.max_map_count could not be read" if isinstance(pairs.get("max_map_count"), Unreadable) else "",
        f"maps of {denied} processes could not be read (permission denied)" if denied else "",
        f"maps of {skipped} processes were not counted (bounded)" if skipped else "",
    )


def _why_unsized(pairs: Mapping[str, str | Unreadable], malformed: int) -> tuple[str, ...]:
    unread = _count(pairs, "sized_unread")
    return (
        f"limits of {unread} processes could not be read" if unread else "",
        "a record could not be read" if malformed else "",
    )


def _count(pairs: Mapping[str, str | Unreadable], key: str) -> int:
    value = integer(pairs.get(key))
    return value if isinstance(value, int) else 0
