"""Joins the kernel's counters at memory limits over the tree of groups: whose limit refused, who was killed from above. Pure.

Source: kernel documentation cgroup-v2 (memory.events counts for all below, .local for the group alone), cgroup-v1 memory
(failcnt at the limit's owner, oom_kill in the victim's own group only).
"""

from collections.abc import Mapping, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.cgroup_path import ancestors
from triagebook.runbooks.probes.cgroup_records import elements_of, rise_between
from triagebook.runbooks.probes.reading import minus, number
from triagebook.runbooks.probes.records import Sample

KIND = "memory_events"
_FIELDS = {"oom": 1, "kill": 3, "below_oom": 5, "below_kill": 7, "high": 9, "hit": 11}


@dataclass(frozen=True)
class Counts:
    """Holds the counters of one group, and how far each rose. `hit` is failcnt on v1, where only `kill` and `hit` are counted."""

    path: str
    now: Mapping[str, int | Unreadable]
    risen: Mapping[str, int | Unreadable]
    group_kills: int | Unreadable
    use: tuple[str, ...] = field(default=())  # of the record with what it uses; empty where that was not printed

    def of(self, name: str) -> int:
        """Return a counter; zero where it could not be read."""
        value = self.now[name]
        return value if isinstance(value, int) else 0


def read_counts(samples: Sequence[Sample]) -> dict[str, Counts]:
    """Return the counters of each group that the last sample prints, by path."""
    sample = samples[-1] if samples else None
    uses = {fields[0]: fields for fields in elements_of(sample, KIND, "use")}
    found = {}
    for fields in elements_of(sample, KIND, "at"):
        now = {name: number(fields, index) for name, index in _FIELDS.items()}
        risen = {name: rise_between(samples, KIND, fields[0], index) for name, index in _FIELDS.items()}
        found[fields[0]] = Counts(fields[0], now, risen, number(fields, 13), uses.get(fields[0], ()))
    return found


def parents(groups: Mapping[str, Counts]) -> Mapping[str, str]:
    """Return the nearest group above each that is known too, "" for none."""
    return {path: next((above for above in ancestors(path) if above in groups), "") for path in groups}


def losses_below(groups: Mapping[str, Counts], name: str, own: str) -> Mapping[str, tuple[int, int | Unreadable]]:
    """Return what a group counts for all below it that neither it nor any known group below accounts for, and how far that rose."""
    above = parents(groups)
    found = {}
    for path, counts in groups.items():
        children = [groups[child] for child, parent in above.items() if parent == path]
        left = minus(counts.now[name], counts.now[own], *(child.now[name] for child in children))
        if isinstance(left, int) and left > 0:
            found[path] = (left, minus(counts.risen[name], counts.risen[own], *(child.risen[name] for child in children)))
    return found


def kills_from_above(groups: Mapping[str, Counts]) -> tuple[Counts, ...]:
    """Return the topmost groups in which the kernel killed though no limit of theirs, of one below or of one above was met (v2)."""
    free = {
        path: counts
        for path, counts in groups.items()
        if counts.of("below_kill") > 0
        and counts.now["below_oom"] == 0
        and not any(groups[above].of("oom") > 0 for above in ancestors(path) if above in groups)
    }
    return tuple([counts for path, counts in free.items() if not any(above in free for above in ancestors(path))])


def excess_kills(groups: Mapping[str, Counts]) -> int:
    """Return how many more kills than refusals the first level counts beside those that `kills_from_above` names (v2).

    Not exact: a group that is killed as one counts each of its processes.
    """
    named = kills_from_above(groups)
    total = 0
    for path, counts in groups.items():
        if ancestors(path) or counts.of("below_oom") == 0 or counts.group_kills != 0:
            continue
        inside = sum(one.of("below_kill") for one in named if one.path.startswith(f"{path}/"))
        total += max(0, counts.of("below_kill") - counts.of("below_oom") - inside)
    return total


def owners_on_v1(groups: Mapping[str, Counts], limited: Sequence[str]) -> Mapping[str, tuple[Counts, ...]]:
    """Return the victims below each limit that was met, by the limit's path; "" has those below no limit at all.

    v1 counts a kill in the victim's group only. Whose limit it was is likely the nearest one above that was ever met.
    """
    found: dict[str, tuple[Counts, ...]] = {}
    for path, counts in groups.items():
        if counts.of("kill") > 0:
            near = (one for one in (path, *ancestors(path)) if one in limited and groups[one].of("hit") > 0)
            owner = next(near, "")
            found[owner] = (*found.get(owner, ()), counts)
    return found
