"""Reads the host's ceilings on tasks: kernel.threads-max and kernel.pid_max beside what lives.

Source: proc_sys_kernel(5), proc_loadavg(5). PID numbers are < pid_max; after the first wrap 1..299 are not used again.
"""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    NOT_PRINTED,
    complete,
    counts_one_container,
    integer,
    minus,
    pairs_of,
    rise,
    why_hidden,
)
from triagebook.runbooks.probes.records import Sample

ONE_CONTAINER = Unreadable("/proc/loadavg counts the tasks of this container only (lxcfs), not those of its host")
RESERVED_IDS = 300  # RESERVED_PIDS of kernel/pid.c: not given out again after the numbers wrapped


@dataclass(frozen=True)
class KernelLimits:
    """Describes the host's ceilings. `tasks` is global, kernel threads and zombies included, even inside a PID namespace."""

    tasks: int | Unreadable = fact("tasks", "/proc/loadavg (4th field)")
    visible_tasks: int | Unreadable = fact("tasks", "Threads: of /proc/*/status")
    threads_max: int | Unreadable = fact("tasks", "/proc/sys/kernel/threads-max")
    threads_room: int | Unreadable = fact("tasks", "/proc/sys/kernel/threads-max")
    pid_max: int | Unreadable = fact("ids", "/proc/sys/kernel/pid_max")
    ids_from_300: int | Unreadable = fact("ids", "/proc/PID with PID >= 300 and their threads")  # a lower bound
    pid_room: int | Unreadable = fact("ids", "/proc/sys/kernel/pid_max")  # pid_max - 300 - ids_from_300: an upper bound
    forks: int | Unreadable = fact("forks", "processes of /proc/stat")
    forks_delta: int | Unreadable = fact("forks", "processes of /proc/stat")


FACTS = KernelLimits


def parse(samples: Sequence[Sample]) -> KernelLimits:
    """Return the last complete sample's figures; `forks_delta` between the first and the last complete one."""
    whole = complete(samples)
    sample = whole[-1] if whole else None
    pairs, walk = pairs_of(sample, "kernel_limits", "are"), pairs_of(sample, "walk")
    tasks = ONE_CONTAINER if counts_one_container(sample) else integer(walk.get("total"))
    threads_max, pid_max = integer(pairs.get("threads_max")), integer(pairs.get("pid_max"))
    ids = integer(pairs.get("ids_from_300"))
    room = minus(pid_max, RESERVED_IDS, ids)
    unseen = why_hidden(sample)
    if unseen and isinstance(room, int) and room > 0:
        ids = room = Unreadable(unseen)  # numbers in use that were not seen may be all that is left
    forks = [integer(pairs_of(one, "kernel_limits", "are").get("forks")) for one in whole]
    return KernelLimits(
        tasks=tasks,
        visible_tasks=integer(walk.get("tasks")),
        threads_max=threads_max,
        threads_room=minus(threads_max, tasks),
        pid_max=pid_max,
        ids_from_300=ids,
        pid_room=room,
        forks=forks[-1] if forks else NOT_PRINTED,
        forks_delta=rise(forks[0], forks[-1]) if len(forks) > 1 else NEEDS_SECOND,
    )
