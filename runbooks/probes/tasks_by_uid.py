"""Tasks of each user beside the lowest nproc limit (RLIMIT_NPROC) that a process of that user has.

Source: getrlimit(2), proc_pid_limits(5), proc_pid_status(5). The kernel compares a per-process soft limit with the
number of tasks (threads and zombies) of the real UID; UID 0 and holders of CAP_SYS_RESOURCE or CAP_SYS_ADMIN are exempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class UserTasks:
    """A user with a finite nproc limit: the process with the least soft limit stands for it."""

    IDENTITY: ClassVar[str] = "uid"

    uid: int
    user: str  # login name, or the UID as text when /etc/passwd has none
    pid: int  # a process that has the least limit, the one with most threads
    comm: str
    unit: str  # the unit that process runs in, "" if none
    is_login_session: bool  # it runs below user-UID.slice: the limit came from pam_limits; else from the unit
    tasks: int = fact("tasks", "Threads: of /proc/*/status with Uid {uid}")
    processes: int = fact("processes", "/proc/*/status with Uid {uid}")
    soft: int = fact("tasks", "Max processes (soft) of /proc/{pid}/limits")
    hard: int | Unreadable = fact("tasks", "Max processes (hard) of /proc/{pid}/limits")  # Unreadable: unlimited
    room: int = fact("tasks", "/proc/{pid}/limits")
    limited_processes: int = fact("processes", "/proc/*/limits of UID {uid} with that soft limit")


@dataclass(frozen=True)
class Tasks:
    """Users with at least one limited process, least room first. hidepid makes it partial."""

    limited: Collection[UserTasks]


FACTS = Tasks


def parse(samples: Sequence[Sample]) -> Tasks:
    """To be written by the probes' author."""
    raise NotImplementedError(samples)
