"""Task limits of control groups (the pids controller; systemd's TasksMax): every cgroup that holds a process, and its ancestors.

Source: kernel documentation, cgroup-v2 "PID" and cgroup-v1 "pids"; systemd.resource-control(5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class LimitedCgroup:
    """A cgroup with a finite `pids.max`. `room` is of this limit alone: a full ancestor is an element of its own.

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
    current: int | Unreadable = fact("tasks", "/sys/fs/cgroup{path}/pids.current")
    max: int = fact("tasks", "/sys/fs/cgroup{path}/pids.max")
    room: int | Unreadable = fact("tasks", "/sys/fs/cgroup{path}/pids.max")
    refused: int | Unreadable = fact("refusals", "/sys/fs/cgroup{path}/pids.events")
    refused_delta: int | Unreadable = fact("refusals", "/sys/fs/cgroup{path}/pids.events")
    peak: int | Unreadable = fact("tasks", "/sys/fs/cgroup{path}/pids.peak")
    least_room_above: int | Unreadable = fact("tasks", "pids.max of the ancestors of /sys/fs/cgroup{path}")


@dataclass(frozen=True)
class Pids:
    """Every task limit of the host's cgroups. No pids controller: `limited` is partial and says so."""

    limited: Collection[LimitedCgroup]


FACTS = Pids


def parse(samples: Sequence[Sample]) -> Pids:
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
