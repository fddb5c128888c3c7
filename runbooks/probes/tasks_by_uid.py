"""Reads tasks of each user beside the nproc limits (RLIMIT_NPROC) that processes of that user have.

Source: getrlimit(2), proc_pid_limits(5), proc_pid_status(5), user_namespaces(7). The kernel compares a per-process soft
limit with the number of tasks (threads and zombies) of the real UID; UID 0, CAP_SYS_RESOURCE and CAP_SYS_ADMIN are exempt.
From Linux 5.14 on it counts a UID in each user namespace for itself, and all of a namespace for the user who made it too.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_path import is_login_session
from triagebook.runbooks.probes.reading import (
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

_KIND = "tasks_by_uid"


@dataclass(frozen=True)
class UserTasks:
    """Describes a user and one finite nproc limit that processes of that user have; one with several limits is there for each."""

    IDENTITY: ClassVar[str] = "identity"

    uid: int
    user: str  # login name, or the UID as text when /etc/passwd has none
    pid: int  # a process that has this limit, the one with most threads
    comm: str
    unit: str  # the unit that process runs in, "" if none
    is_login_session: bool  # it runs below user-UID.slice: the limit came from pam_limits; else from the unit
    tasks: int = fact("tasks", "Threads: of /proc/*/status with Uid {uid}")
    processes: int = fact("processes", "/proc/*/status with Uid {uid}")
    soft: int = fact("tasks", "Max processes (soft) of /proc/{pid}/limits")
    hard: int | Unreadable = fact("tasks", "Max processes (hard) of /proc/{pid}/limits")  # Unreadable: unlimited
    room: int = fact("tasks", "/proc/{pid}/limits")
    limited_processes: int = fact("processes", "/proc/*/limits of UID {uid} with that soft limit")
    guest_tasks: int = 0  # of `tasks`, those of other UIDs in user namespaces that this user made
    namespace: str = ""  # the cgroup of the container whose user namespace it is; "" in the first
    is_least: bool = True  # no process of this user has a smaller limit
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")

    @property
    def identity(self) -> str:
        """Return what tells it from the others: the UID, with its container, and the limit where it is not the least one."""
        return f"{self.uid}{self.namespace and '@' + self.namespace}{'' if self.is_least else f'/{self.soft}'}"


@dataclass(frozen=True)
class UserCount:
    """Describes a user by the tasks that count against nproc."""

    IDENTITY: ClassVar[str] = "uid"

    uid: int
    user: str
    tasks: int = fact("tasks", "Threads: of /proc/*/status with Uid {uid}")
    processes: int = fact("processes", "/proc/*/status with Uid {uid}")


@dataclass(frozen=True)
class TasksByUser:
    """Holds users with at least one limited process, least room first. hidepid makes it partial."""

    limited: Collection[UserTasks]
    latent: Collection[UserTasks] = Collection()  # the four least limits that leave room now
    counted: Collection[UserCount] = Collection()  # the six users with most tasks, root left out


FACTS = TasksByUser


def parse(samples: Sequence[Sample]) -> TasksByUser:
    """Return the users that the last complete sample prints, least room first. No delta: the kernel counts no refusals."""
    sample = latest(samples)
    pairs, names = pairs_of(sample, _KIND, "all"), names_of(sample)
    read = {name: list(records_of(sample, _KIND, name)) for name in ("user", "latent")}
    found = {name: _users(records, names) for name, records in read.items()}
    users = sorted(found["user"].values(), key=lambda item: item.room)
    clear = minus(integer(pairs.get("users")), integer(pairs.get("near")))
    unread = integer(pairs.get("unread"))
    partial = because(
        cut(sample, _KIND),
        why_hidden(sample),
        f"limits of {unread} processes could not be read" if isinstance(unread, int) and unread else "",
        "" if len(users) == len(read["user"]) else "a record could not be read",
    )
    counted = (_count(fields, names) for fields in records_of(sample, _KIND, "has"))
    return TasksByUser(
        Collection(tuple(users), partial, clear if isinstance(clear, int) and clear > 0 else 0),
        latent=Collection(tuple(found["latent"].values()), partial),
        counted=Collection(tuple(item for item in counted if item is not None), partial),
    )


def _users(records: Sequence[tuple[str, ...]], names: Mapping[int, str]) -> dict[str, UserTasks]:
    """Return the users of these records, of two with one identity the first."""
    users: dict[str, UserTasks] = {}
    for fields in records:
        item = _user(fields, names)
        if item is not None:
            users.setdefault(item.identity, item)
    return users


def _user(fields: Sequence[str], names: Mapping[int, str]) -> UserTasks | None:
    head, found = head_of(fields, names), counts(fields, 4, 5, 6, 8, 9)
    if head is None or found is None:
        return None
    tasks, processes, soft, limited, guests = found
    return UserTasks(
        **vars(head),
        is_login_session=is_login_session(fields[3]),
        tasks=tasks,
        processes=processes,
        soft=soft,
        hard=Unreadable("not limited") if fields[7] == "unlimited" else number(fields, 7),
        room=soft - tasks,
        limited_processes=limited,
        guest_tasks=guests,
        namespace=fields[10],
        is_least=fields[11] != "0",
    )


def _count(fields: Sequence[str], names: Mapping[int, str]) -> UserCount | None:
    found = counts(fields, 0, 1, 2)
    return None if found is None else UserCount(found[0], names.get(found[0], str(found[0])), tasks=found[1], processes=found[2])
