"""Reads open files of processes beside RLIMIT_NOFILE, and the host's limits on open files, watches and pipes.

Source: proc_pid_status(5) (FDSize), proc_pid_fdinfo(5), getrlimit(2), proc_sys_fs(5), inotify(7), epoll(7). A limit is a bound
on the number of a descriptor: full is when every number below it is open. file-nr is a per-CPU counter before Linux 6.18.
"""

from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.cgroup_records import elements_of
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    NOT_READABLE,
    NamedProcess,
    because,
    complete,
    counts,
    cut,
    head_of,
    integer,
    latest,
    minus,
    names_of,
    number,
    pairs_of,
    rise,
    text,
    why_hidden,
)
from triagebook.runbooks.probes.records import Sample
from triagebook.runbooks.probes.socket_addresses import cpus_of

_KIND = "file_descriptors"
_FILES_PER_CPU = 32  # the batch of percpu_counter: file-nr is off by as many for each CPU
_SANDBOX = 4  # so few open files, or none, are a sandbox's own wish
_NO_FILE_MAX = 2**53  # systemd writes 2**63 - 1, which no host reaches
_DENIED = Unreadable("permission denied: the open files of a process are shown to root and its owner only")
_TOO_MANY = Unreadable("not looked up: too many processes have a table as large as their limit")
_WHY_UNREAD = {"unread": _DENIED, "skipped": _TOO_MANY}


@dataclass(frozen=True)
class FilesProcess(NamedProcess):
    """Describes a process whose table of files (`slots`) is as large as its limit: it may be full, or may once have been.

    `how` says what `open` is: "counted", "sampled" (an even sample of the numbers), or "unread".
    """

    slots: int = fact("files", "/proc/{pid}/status FDSize")
    soft: int = fact("files", "/proc/{pid}/limits Max open files (soft), at most fs.nr_open")
    hard: int | Unreadable = fact("files", "/proc/{pid}/limits Max open files (hard)")
    how: str = fact("", "/proc/{pid}/fdinfo")
    open: int | Unreadable = fact("files", "/proc/{pid}/fdinfo, numbers below the soft limit")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class FileDescriptors:
    """Describes open files. Every process whose table is smaller than its limit is counted as clear, whoever reads.

    `unsure` of the processes in `limited` are full or could not be counted. `largest_slots` bounds the open files of that
    process from above.
    """

    limited: Collection[FilesProcess]
    unsure: int | Unreadable = fact("processes", "/proc/*/status FDSize, /proc/*/limits")
    unread: int | Unreadable = fact("processes", "/proc/*/fdinfo that could not be read, of limits above 4")
    nr_open: int | Unreadable = fact("files", "/proc/sys/fs/nr_open")
    file_used: int | Unreadable = fact("files", "/proc/sys/fs/file-nr (1st field)")
    file_max: int | Unreadable = fact("files", "/proc/sys/fs/file-nr (3rd field)")
    has_file_max: bool | Unreadable = fact("", "/proc/sys/fs/file-nr (3rd field)")  # one that can be reached
    file_room: int | Unreadable = fact("files", "/proc/sys/fs/file-nr, less 32 for each CPU")
    file_used_delta: int | Unreadable = fact("files", "/proc/sys/fs/file-nr (1st field)")
    pipe_pages_hard: int | Unreadable = fact("pages", "/proc/sys/fs/pipe-user-pages-hard")  # 0: no limit
    inotify_instances_max: int | Unreadable = fact("instances", "/proc/sys/fs/inotify/max_user_instances")
    inotify_watches_max: int | Unreadable = fact("watches", "/proc/sys/fs/inotify/max_user_watches")
    epoll_watches_max: int | Unreadable = fact("watches", "/proc/sys/fs/epoll/max_user_watches")
    largest_slots: int | Unreadable = fact("files", "/proc/*/status FDSize")
    largest_pid: int | Unreadable = fact("", "/proc/*/status FDSize")
    largest_comm: str | Unreadable = fact("", "/proc/*/status FDSize")


FACTS = FileDescriptors


def parse(samples: Sequence[Sample]) -> FileDescriptors:
    """Return what the last complete sample says; `file_used_delta` between the first and the last complete one."""
    whole = complete(samples)
    sample = latest(samples)
    pairs, totals, names = pairs_of(sample, _KIND, "are"), pairs_of(sample, _KIND, "all"), names_of(sample)
    records = list(elements_of(sample, _KIND, "at"))
    found = [item for fields in records if (item := _process(fields, names)) is not None]
    unread, clear, near = (integer(totals.get(key)) for key in ("unread", "clear", "near"))
    partial = because(
        cut(sample, _KIND),
        why_hidden(sample),
        f"limits of {unread} processes could not be read" if isinstance(unread, int) and unread else "",
        "" if len(found) == len(records) else "a record could not be read",
    )
    used, most = integer(pairs.get("used")), integer(pairs.get("max"))
    before = integer(pairs_of(whole[0], _KIND, "are").get("used")) if len(whole) > 1 else NEEDS_SECOND
    cpus = cpus_of(pairs.get("cpus"))
    margin = cpus if isinstance(cpus, Unreadable) else cpus * _FILES_PER_CPU
    return FileDescriptors(
        Collection(tuple(sorted(found, key=_pressure)), partial, clear if isinstance(clear, int) else 0),
        unsure=Unreadable(partial) if partial else len([item for item in found if _may_be_full(item)]),
        unread=near if isinstance(near, Unreadable) else len([item for item in found if _is_worth_counting(item)]),
        nr_open=integer(pairs.get("nr_open")),
        file_used=used,
        file_max=most,
        has_file_max=most if isinstance(most, Unreadable) else most < _NO_FILE_MAX,
        file_room=minus(most, used, margin),
        file_used_delta=before if isinstance(before, Unreadable) else _change(before, used),
        pipe_pages_hard=integer(pairs.get("pipe-user-pages-hard")),
        inotify_instances_max=integer(pairs.get("inotify/max_user_instances")),
        inotify_watches_max=integer(pairs.get("inotify/max_user_watches")),
        epoll_watches_max=integer(pairs.get("epoll/max_user_watches")),
        largest_slots=integer(totals.get("slots")),
        largest_pid=integer(totals.get("pid")),
        largest_comm=text(totals.get("comm")),
    )


def _process(fields: Sequence[str], names: Mapping[int, str]) -> FilesProcess | None:
    head, found = head_of(fields, names), counts(fields, 4, 5)
    if head is None or found is None:
        return None
    slots, soft = found
    unread = _WHY_UNREAD.get(fields[7])
    opened = unread if unread is not None else number(fields, 8)
    how = fields[7] if isinstance(opened, int) and fields[7] in {"counted", "sampled"} else "unread"
    hard = Unreadable("not limited") if fields[6] == "unlimited" else number(fields, 6)
    return FilesProcess(
        **vars(head), slots=slots, soft=soft, hard=hard, how=how, open=opened if how != "unread" else unread or NOT_READABLE
    )


def _is_worth_counting(item: FilesProcess) -> bool:
    """Say whether a program that counts could tell more: of a sandbox, such as sshd's of each login under way, nobody asks."""
    return isinstance(item.open, Unreadable) and item.soft > _SANDBOX


def _may_be_full(item: FilesProcess) -> bool:
    return isinstance(item.open, Unreadable) or item.open >= item.soft


def _pressure(item: FilesProcess) -> tuple[int, int]:
    """Order by what presses most: full ones, then those not counted, then the rest by the room they have."""
    if isinstance(item.open, Unreadable):
        return (1, item.soft)
    return (0, item.soft) if item.open >= item.soft else (2, item.soft - item.open)


def _change(first: int, last: int | Unreadable) -> int | Unreadable:
    """Return how far it rose; what is in use may fall too, and then there is no rise."""
    risen = rise(first, last)
    return -1 if isinstance(risen, Unreadable) and isinstance(last, int) else risen
