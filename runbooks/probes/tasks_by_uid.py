"""Reads tasks of each user beside the lowest nproc limit (RLIMIT_NPROC) that a process of that user has.

Source: getrlimit(2), proc_pid_limits(5), proc_pid_status(5). The kernel compares a per-process soft limit with the
number of tasks (threads and zombies) of the real UID; UID 0, CAP_SYS_RESOURCE and CAP_SYS_ADMIN are exempt.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_path import is_login_session, owner_of
from triagebook.runbooks.probes.cgroup_records import elements_of
from triagebook.runbooks.probes.reading import because, counts, cut, integer, latest, minus, names_of, number, pairs_of, why_hidden
from triagebook.runbooks.probes.records import Sample


@dataclass(frozen=True)
class UserTasks:
    """Describes a user with a finite nproc limit: the process with the least soft limit stands for it."""

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
class TasksByUser:
    """Holds users with at least one limited process, least room first. hidepid makes it partial."""

    limited: Collection[UserTasks]


FACTS = TasksByUser


def parse(samples: Sequence[Sample]) -> TasksByUser:
    """Return the users that the last complete sample prints, least room first. No delta: the kernel counts no refusals."""
    sample = latest(samples)
    pairs, names = pairs_of(sample, "tasks_by_uid", "all"), names_of(sample)
    items = (_user(fields, names) for fields in elements_of(sample, "tasks_by_uid", "user"))
    users = sorted((item for item in items if item is not None), key=lambda item: item.room)
    clear = minus(integer(pairs.get("users")), integer(pairs.get("near")))
    unread = integer(pairs.get("unread"))
    partial = because(
        cut(sample, "tasks_by_uid"),
        why_hidden(sample),
        f"limits of {unread} processes could not be read" if isinstance(unread, int) and unread else "",
        "" if len(users) == len(list(elements_of(sample, "tasks_by_uid", "user"))) else "a record could not be read",
    )
    return TasksByUser(Collection(tuple(users), partial, clear if isinstance(clear, int) and clear > 0 else 0))


def _user(fields: Sequence[str], names: Mapping[int, str]) -> UserTasks | None:
    found = counts(fields, 0, 1, 2, 3, 5, 8)
    if found is None:
        return None
    uid, tasks, processes, soft, pid, limited = found
    path = fields[7] if fields[7] != "?" else ""
    return UserTasks(
        uid=uid,
        user=names.get(uid, str(uid)),
        pid=pid,
        comm=fields[6],
        unit=owner_of(path, names).unit,
        is_login_session=is_login_session(path),
        tasks=tasks,
        processes=processes,
        soft=soft,
        hard=Unreadable("not limited") if fields[4] == "unlimited" else number(fields, 4),
        room=soft - tasks,
        limited_processes=limited,
    )
