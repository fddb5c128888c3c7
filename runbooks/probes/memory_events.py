"""Reads what the kernel counted at memory limits, whom it killed and where, and what would be killed next.

Source: kernel documentation, cgroup-v2 "Memory Interface Files" and cgroup-v1 "memory", proc_pid_oom_score(5). The counters
survive the victims, as long as the group that counts lives; no file tells the name of a victim.
"""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes import memory_event_counts as tree
from triagebook.runbooks.probes.cgroup_path import limit_owner_of
from triagebook.runbooks.probes.cgroup_records import directory_of, why_partial
from triagebook.runbooks.probes.memory_event_counts import KIND, Counts
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    NOT_PRINTED,
    ProcessHead,
    complete,
    cut,
    decimal,
    head_of,
    integer,
    minus,
    names_of,
    number,
    pairs_of,
    records_of,
    rise,
    text,
)
from triagebook.runbooks.probes.records import Sample

_UNLIMITED = Unreadable("not limited")
_NO_LIMIT = 2**56  # v1 prints the largest multiple of the page size for "no limit"; greater numbers are cut to this
_SPARED = -900


@dataclass(frozen=True)
class MemoryGroup:
    """Describes a cgroup whose own memory limit refused, or that is nearly full or slowed down.

    `ooms` is how often nothing more could be reclaimed at its own limit. On v1 it is the kills below it, and `is_counted` is
    false: that the limit was its own is likely only. `kills` are those in it and below, by whatever kernel OOM.
    """

    IDENTITY: ClassVar[str] = "path"

    path: str
    kind: str  # unit | user | container | cgroup
    unit: str
    user: str
    is_counted: bool
    max_bytes: int | Unreadable = fact("bytes", "{directory}/memory.max")
    current_bytes: int | Unreadable = fact("bytes", "{directory}/memory.current")
    held_bytes: int | Unreadable = fact("bytes", "{directory}/memory.stat anon, shmem, kernel less slab_reclaimable")
    shared_bytes: int | Unreadable = fact("bytes", "{directory}/memory.stat shmem")
    high_bytes: int | Unreadable = fact("bytes", "{directory}/memory.high")
    swap_room_bytes: int | Unreadable = fact("bytes", "{directory}/memory.swap.max less memory.swap.current")
    pressure_full_avg10: float | Unreadable = fact("percent", "{directory}/memory.pressure full avg10")
    ooms: int | Unreadable = fact("refusals", "{directory}/memory.events.local oom")
    ooms_delta: int | Unreadable = fact("refusals", "{directory}/memory.events.local oom")
    kills: int | Unreadable = fact("kills", "{directory}/memory.events oom_kill")
    kills_delta: int | Unreadable = fact("kills", "{directory}/memory.events oom_kill")
    group_kills: int | Unreadable = fact("kills", "{directory}/memory.events oom_group_kill")
    high_hits_delta: int | Unreadable = fact("hits", "{directory}/memory.events.local high")
    is_stuck: int | Unreadable = fact("", "{directory}/memory.oom_control")  # v1: 1 while processes wait there and nobody is killed
    victims: str = fact(
        "", "{directory}/**/memory.events.local oom_kill", ""
    )  # of what lives on: the units in which somebody was killed
    directory: str = ""


@dataclass(frozen=True)
class KilledBelow:
    """Describes a cgroup below which the kernel killed. `kills` is what the kernel counted: at times one victim twice."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    unit: str
    kills: int = fact("kills", "{directory}/memory.events oom_kill")
    ooms: int = fact("refusals", "{directory}/memory.events oom")
    ooms_delta: int | Unreadable = fact("refusals", "{directory}/memory.events oom")
    directory: str = ""


@dataclass(frozen=True)
class ScoredProcess(ProcessHead):
    """Describes one of the largest processes. The kernel kills the highest score first; adj -1000 is never killed."""

    rss_bytes: int = fact("bytes", "/proc/{pid}/status VmRSS")
    adj: int | Unreadable = fact("", "/proc/{pid}/oom_score_adj")
    score: int | Unreadable = fact("", "/proc/{pid}/oom_score")  # of no size and adj 0: 666 since Linux 5.9


@dataclass(frozen=True)
class MemoryEvents:
    """Describes what memory limits refused and whom the kernel killed, by cgroup, since each was made."""

    owners: Collection[MemoryGroup]
    throttled: Collection[MemoryGroup]
    gone: Collection[KilledBelow]  # limits that refused below it, in groups that are gone or have no process
    largest: Collection[ScoredProcess]
    killed_from_above: str | Unreadable = fact("", "/sys/fs/cgroup/*/memory.events oom_kill without oom")
    kills_from_above: int | Unreadable = fact("kills", "/sys/fs/cgroup/*/memory.events oom_kill where oom is 0")
    kills_mixed: int | Unreadable = fact("kills", "/sys/fs/cgroup/*/memory.events oom_kill beyond oom")
    kills_counted: int | Unreadable = fact("kills", "/sys/fs/cgroup/*/memory.events oom_kill")
    limit_ooms_delta: int | Unreadable = fact("refusals", "/sys/fs/cgroup/*/memory.events oom (v1: memory.failcnt)")
    has_many_nodes: bool | Unreadable = fact("", "/sys/devices/system/node/online")
    panic_on_oom: int | Unreadable = fact("mode", "/proc/sys/vm/panic_on_oom")
    kills_allocating_task: int | Unreadable = fact("mode", "/proc/sys/vm/oom_kill_allocating_task")
    early_killers: str | Unreadable = fact(
        "", "/proc/*/status Name", NOT_PRINTED
    )  # programs that kill before the kernel does, with their units
    spared: str | Unreadable = fact("", "/proc/*/oom_score_adj", NOT_PRINTED)  # the largest process, if it is (nearly) never killed


FACTS = MemoryEvents


def parse(samples: Sequence[Sample]) -> MemoryEvents:
    """Return what the last complete sample prints, joined over the tree; deltas as `rise_between` has them."""
    whole = complete(samples)
    sample = whole[-1] if whole else None
    pairs, names = pairs_of(sample, KIND, "all"), names_of(sample)
    is_v1, groups, partial = pairs.get("mode") == "v1", tree.read_counts(whole), why_partial(sample, KIND, "memory")
    read = _Reader(pairs, names, groups, is_v1=is_v1)
    limited = [path for path, counts in groups.items() if isinstance(read.limit(counts, 1), int)]
    below = tree.owners_on_v1(groups, limited) if is_v1 else {}
    owners = [read.group(counts, below.get(path, ())) for path, counts in groups.items() if read.is_owner(counts, below)]
    throttled = [read.group(counts) for counts in groups.values() if not is_v1 and counts.of("high") > 0]
    unseen = Unreadable(partial) if partial else None
    killers = (head_of(fields, names) for fields in records_of(sample, KIND, "killer"))
    largest = tuple(one for fields in records_of(sample, KIND, "top") if (one := _process(fields, names)) is not None)
    above = below.get("", ()) if is_v1 else tree.kills_from_above(groups)
    sums = [integer(pairs_of(one, KIND, "all").get("ooms")) for one in whole]
    nodes = text(pairs.get("nodes"))
    return MemoryEvents(
        owners=Collection(tuple(owners), partial),
        throttled=Collection(tuple(throttled), partial),
        gone=Collection(read.losses(), cut(sample, KIND)),
        largest=Collection(largest, cut(sample, KIND)),
        killed_from_above=unseen or ", ".join(limit_owner_of(one.path, names).unit or one.path for one in above[:3]),
        kills_from_above=unseen or sum(one.of("kill" if is_v1 else "below_kill") for one in above),
        kills_mixed=unseen or (0 if is_v1 else tree.excess_kills(groups)),
        kills_counted=integer(pairs.get("kills")),
        limit_ooms_delta=rise(sums[0], sums[-1]) if len(sums) > 1 else NEEDS_SECOND,
        has_many_nodes=nodes if isinstance(nodes, Unreadable) else bool(re.search(r"[-,]", nodes)),
        panic_on_oom=integer(pairs.get("panic_on_oom")),
        kills_allocating_task=integer(pairs.get("oom_kill_allocating_task")),
        early_killers=unseen or ", ".join(f"{one.comm} ({one.unit or one.user})" for one in killers if one is not None),
        spared=_largest_exempt(largest),
    )


@dataclass(frozen=True)
class _Reader:
    """Makes elements of counters."""

    pairs: Mapping[str, str | Unreadable]
    names: Mapping[int, str]
    groups: Mapping[str, Counts]
    is_v1: bool

    def limit(self, counts: Counts, index: int) -> int | Unreadable:
        """Return a limit of the group; Unreadable says that it has none, or that it was not read."""
        word = counts.use[index : index + 1]
        value = number(counts.use, index)
        return _UNLIMITED if word == ("max",) or (isinstance(value, int) and value >= _NO_LIMIT) else value

    def is_owner(self, counts: Counts, below: Mapping[str, tuple[Counts, ...]]) -> bool:
        """Say whether the group's own limit refused, or it is so full that it may next."""
        if self.is_v1:
            return counts.path in below or self._is_stuck(counts) == 1
        if counts.of("oom") > 0 or isinstance(counts.now["oom"], Unreadable):
            return True
        maximum, current = self.limit(counts, 1), number(counts.use, 2)
        return isinstance(maximum, int) and isinstance(current, int) and current * 50 >= maximum * 49

    def _is_stuck(self, counts: Counts) -> int | Unreadable:
        if not self.is_v1:
            return 0
        flags = [number(counts.use, index) for index in (11, 12)]
        return next((one for one in flags if isinstance(one, Unreadable)), int(flags == [1, 1]))

    def group(self, counts: Counts, below: Sequence[Counts] = ()) -> MemoryGroup:
        """Return the element of a group; `below` are the victims of a limit on v1."""
        owner, use = limit_owner_of(counts.path, self.names), counts.use
        kill, kill_risen = (
            (_sum([one.now["kill"] for one in below]), _sum([one.risen["kill"] for one in below]))
            if self.is_v1
            else (counts.now["below_kill"], counts.risen["below_kill"])
        )
        parts = [number(use, index) for index in (6, 7, 8)]
        swap = self.limit(counts, 4)
        inside = [one for one in self.groups.values() if one.path == counts.path or one.path.startswith(f"{counts.path}/")]
        units = (limit_owner_of(one.path, self.names).unit or one.path for one in inside if one.of("kill") > 0)
        return MemoryGroup(
            path=counts.path,
            kind=owner.kind,
            unit=owner.unit,
            user=owner.user,
            is_counted=not self.is_v1,
            max_bytes=self.limit(counts, 1),
            current_bytes=number(use, 2),
            held_bytes=_sum(parts),
            shared_bytes=parts[1],
            high_bytes=self.limit(counts, 3),
            swap_room_bytes=_NO_LIMIT if swap is _UNLIMITED else minus(swap, number(use, 5)),
            pressure_full_avg10=decimal(use[10] if len(use) > 10 else None),
            ooms=kill if self.is_v1 else counts.now["oom"],
            ooms_delta=self._v1_risen(counts, kill_risen) if self.is_v1 else counts.risen["oom"],
            kills=kill,
            kills_delta=kill_risen,
            group_kills=0 if self.is_v1 else counts.group_kills,
            high_hits_delta=counts.risen["high"],
            is_stuck=self._is_stuck(counts),
            victims=", ".join(dict.fromkeys(units)),
            directory=directory_of(self.pairs, counts.path),
        )

    def _v1_risen(self, counts: Counts, kills: int | Unreadable) -> int | Unreadable:
        """Return the kills that a limit met in the same time is to blame for."""
        return 0 if counts.risen["hit"] == 0 else kills

    def losses(self) -> tuple[KilledBelow, ...]:
        """Return the groups below which a limit refused that cannot be seen any more; of v1 there are none."""
        refused = {} if self.is_v1 else tree.losses_below(self.groups, "below_oom", "oom")
        killed = tree.losses_below(self.groups, "below_kill", "kill")
        return tuple(
            KilledBelow(
                path=path,
                unit=limit_owner_of(path, self.names).unit,
                kills=killed[path][0] if path in killed else 0,
                ooms=ooms,
                ooms_delta=delta,
                directory=directory_of(self.pairs, path),
            )
            for path, (ooms, delta) in refused.items()
        )


def _sum(values: Sequence[int | Unreadable]) -> int | Unreadable:
    return next((one for one in values if isinstance(one, Unreadable)), sum(one for one in values if isinstance(one, int)))


def _process(fields: Sequence[str], names: Mapping[int, str]) -> ScoredProcess | None:
    head, rss = head_of(fields, names), number(fields, 4, 1024)
    if head is None or isinstance(rss, Unreadable):
        return None
    sign = -1 if fields[5].startswith("-") else 1
    adj = integer(fields[5].removeprefix("-"))
    return ScoredProcess(
        *(head.pid, head.comm, head.uid, head.user, head.unit, head.cgroup),
        rss_bytes=rss,
        adj=adj if isinstance(adj, Unreadable) else sign * adj,
        score=number(fields, 6),
    )


def _largest_exempt(largest: Sequence[ScoredProcess]) -> str | Unreadable:
    """Return the name of the largest process if its adj keeps it from being killed, else ""."""
    if not largest:
        return Unreadable("no process was seen")
    first = largest[0]
    if isinstance(first.adj, Unreadable):
        return first.adj
    return f"{first.comm} (PID {first.pid})" if first.adj <= _SPARED else ""
