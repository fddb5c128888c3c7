"""Reads task limits of control groups (pids controller; TasksMax): every cgroup that holds a process, and its ancestors.

Source: kernel documentation, cgroup-v2 "PID" and cgroup-v1 "pids"; systemd.resource-control(5).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_path import ancestors, limit_owner_of
from triagebook.runbooks.probes.cgroup_records import (
    clear_limits,
    directory_of,
    elements_of,
    rise_between,
    why_partial,
)
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    because,
    complete,
    counts,
    cut,
    integer,
    minus,
    names_of,
    number,
    pairs_of,
    rise,
)
from triagebook.runbooks.probes.records import Sample

_KIND = "pids_cgroups"


MOST_TASKS = 4194304  # PID_MAX_LIMIT of a 64-bit kernel: no more tasks can exist


@dataclass(frozen=True)
class LimitedCgroup:
    """Describes a cgroup with a finite `pids.max`. `room` is of this limit alone: a full ancestor is an element of its own.

    `refused` counts the refusals caused by *this* limit since the cgroup was made. On kernels where `pids.events`
    counts in the cgroup of the forking task (v1 always; v2 before `pids.events.local`) the refusals counted below are
    added up here when this is the limit with the least room on their path.
    """

    IDENTITY: ClassVar[str] = "path"

    path: str  # below the controller's mount, "/system.slice/x.service"
    kind: str  # unit | user | container | cgroup
    unit: str  # systemd unit the path belongs to, "" if none
    user: str  # login name (or UID) of a user-UID.slice tree, else ""
    manager: str  # system | user | runtime | none: who would overwrite or keep a change
    is_pids_meaning_local: bool  # the counters below are this cgroup's own (`pids.events.local`)
    current: int | Unreadable = fact("tasks", "{directory}/pids.current")
    max: int = fact("tasks", "{directory}/pids.max")
    room: int | Unreadable = fact("tasks", "{directory}/pids.max")
    refused: int | Unreadable = fact("refusals", "{directory}/pids.events")
    refused_delta: int | Unreadable = fact("refusals", "{directory}/pids.events")
    peak: int | Unreadable = fact("tasks", "{directory}/pids.peak")
    least_room_above: int | Unreadable = fact("tasks", "pids.max of the directories above {directory}")
    zombies: int = fact("zombies", "State and PPid of /proc/*/status in {path}", default=0)  # at least half of its tasks, else 0
    zombies_parent: int = fact("", "PPid of /proc/*/status", default=0)  # the process that has most of them
    zombies_parent_comm: str = fact("", "Name of /proc/{zombies_parent}/status", default="")
    directory: str = ""  # where its files are, "/sys/fs/cgroup/system.slice/x.service"


@dataclass(frozen=True)
class GoneRefusals:
    """Describes refusals that a cgroup counts for others: for some below it that are gone since, or for a limit above it."""

    IDENTITY: ClassVar[str] = "path"

    path: str
    unit: str
    refused: int = fact("refusals", "pids.events of {path} less those of all below it")
    refused_delta: int | Unreadable = fact("refusals", "pids.events of {path} less those of all below it")


@dataclass(frozen=True)
class Pids:
    """Describes every task limit of the host's cgroups. No pids controller: `limited` is partial and says so."""

    limited: Collection[LimitedCgroup]
    gone: Collection[GoneRefusals] = Collection()
    above: Collection[GoneRefusals] = Collection()  # what a container counts of a limit above it, which it cannot see


FACTS = Pids


def parse(samples: Sequence[Sample]) -> Pids:
    """Return the limits that the last complete sample prints, least room first; `path`s ancestors are joined here."""
    whole = complete(samples)
    sample = whole[-1] if whole else None
    pairs, names = pairs_of(sample, _KIND, "all"), names_of(sample)
    nodes = {fields[0]: _node(fields, whole) for fields in elements_of(sample, _KIND, "at")}
    is_local = pairs.get("meaning") == "local"
    blamed = {} if is_local else _blame(nodes)
    may_miss_counts = bool(cut(sample, _KIND))
    items = []
    for path, node in nodes.items():
        if isinstance(node.max, Unreadable):
            continue
        owner = limit_owner_of(path, names)
        below = [] if is_local else [nodes[one] for one in blamed.get(path, ()) if one != path]
        own = [node] if is_local or path in blamed.get(path, ()) or not node.events else []
        refused = _sum([one.events for one in (*own, *below)])
        if may_miss_counts and refused == 0:
            refused = Unreadable("the answer was cut: refusals counted below may be missing")
        items.append(
            LimitedCgroup(
                path=path,
                kind=owner.kind,
                unit=owner.unit,
                user=owner.user,
                manager=owner.manager,
                is_pids_meaning_local=is_local,
                current=node.current,
                max=node.max,
                room=node.room,
                refused=refused,
                refused_delta=_sum([one.delta for one in (*own, *below)]) if len(whole) > 1 else NEEDS_SECOND,
                peak=node.peak,
                least_room_above=_least_room(nodes, ancestors(path)),
                directory=directory_of(pairs, path),
                **node.zombies,
            )
        )
    items.sort(key=lambda item: item.room if isinstance(item.room, int) else -1)
    # The root cgroup has no pids.max; where it has one, it is the root of a container's view only.
    inner = "limits above this cgroup namespace cannot be seen" if pairs.get("whole") == "0" else ""
    unseen = integer(pairs.get("unseen"))
    partial = because(
        why_partial(sample, _KIND, "pids"),
        inner if pairs.get("mode") != "none" else "",
        f"{unseen} threads in threaded cgroups were not found" if isinstance(unseen, int) else "",
    )
    gone = tuple(
        _refusals_of(fields, names, whole) for fields in elements_of(sample, _KIND, "gone") if counts(fields, 1) is not None
    )
    return Pids(
        Collection(tuple(items), partial, clear_limits(pairs)),
        Collection(gone, cut(sample, _KIND)),
        Collection(_refusals_above(nodes), cut(sample, _KIND)),
    )


def _refusals_above(nodes: Mapping[str, "_Node"]) -> tuple[GoneRefusals, ...]:
    root = nodes.get("/")
    if root is None or isinstance(root.max, int) or isinstance(root.events, Unreadable):
        return ()
    return (GoneRefusals("/", "", refused=root.events, refused_delta=root.delta),)


def _refusals_of(fields: Sequence[str], names: Mapping[int, str], samples: Sequence[Sample]) -> GoneRefusals:
    refused = int(fields[1])
    delta = rise(number(fields, 2), refused) if len(samples) > 1 else NEEDS_SECOND
    return GoneRefusals(fields[0], limit_owner_of(fields[0], names).unit, refused=refused, refused_delta=delta)


@dataclass(frozen=True)
class _Node:
    """Describes a printed cgroup; `max` is Unreadable when it has no limit of its own (printed for what it counted)."""

    max: int | Unreadable
    current: int | Unreadable
    room: int | Unreadable
    events: int | Unreadable
    delta: int | Unreadable
    peak: int | Unreadable
    zombies: Mapping[str, Any]  # as `LimitedCgroup` has them


def _node(fields: Sequence[str], samples: Sequence[Sample]) -> _Node:
    maximum, current = number(fields, 1), number(fields, 2)
    delta = rise_between(samples, _KIND, fields[0], 3)
    dead = counts(fields, 6, 7)
    zombies = {} if dead is None else {"zombies": dead[0], "zombies_parent": dead[1], "zombies_parent_comm": fields[8]}
    return _Node(maximum, current, minus(maximum, current), number(fields, 3), delta, number(fields, 5), zombies)


def _blame(nodes: Mapping[str, _Node]) -> Mapping[str, tuple[str, ...]]:
    """Find for each limit the cgroups whose counted refusals it caused: itself, or those below.

    The kernel says who was refused, not by which limit. The limit with the least room on the path (several, when
    they are equal) is taken; when the room of one is not known, all of them, and their sums are unreadable.
    """
    blamed: dict[str, list[str]] = {}
    for path, node in nodes.items():
        if not node.events:  # zero; an Unreadable is true
            continue
        limits = [one for one in (path, *ancestors(path)) if one in nodes and isinstance(nodes[one].max, int)]
        rooms = {one: room for one in limits if isinstance(room := nodes[one].room, int)}
        guilty = [one for one, room in rooms.items() if room == min(rooms.values())] if len(rooms) == len(limits) else limits
        for one in guilty:
            blamed.setdefault(one, []).append(path)
    return {limit: tuple(paths) for limit, paths in blamed.items()}


def _sum(values: Sequence[int | Unreadable]) -> int | Unreadable:
    """Return the sum, a lower bound when some are unreadable; unreadable when what can be read is zero."""
    total = sum(value for value in values if isinstance(value, int))
    unreadable = next((value for value in values if isinstance(value, Unreadable)), None)
    return unreadable if unreadable is not None and total == 0 else total


def _least_room(nodes: Mapping[str, _Node], above: Sequence[str]) -> int | Unreadable:
    rooms = [nodes[one].room for one in above if one in nodes and isinstance(nodes[one].max, int)]
    if not rooms:
        return MOST_TASKS  # no finite limit above: the kernel's own
    unreadable = next((room for room in rooms if isinstance(room, Unreadable)), None)
    return unreadable or min(room for room in rooms if isinstance(room, int))
