"""The host's ceilings on tasks: kernel.threads-max and kernel.pid_max beside what lives.

Source: proc_sys_kernel(5), proc_loadavg(5). PID numbers are < pid_max, and after the first wrap 1..299 are not used again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class KernelLimits:
    """`tasks` is global, kernel threads and zombies included, even inside a PID namespace."""

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
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
