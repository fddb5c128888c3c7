"""Probes by find(1) and grep(1) (a `run` kind, fixed argv): inotify instances and watches of each user, which only root sees whole.

The kernel counts both for each user and shows neither. Instances are counted by their descriptors, so one that was inherited
counts twice: an upper bound. Watches are lines of /proc/PID/fdinfo; inherited ones are counted once for each holder, too.
"""

import re
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.engine.text import safe_text

# The links are read once, which is what it costs: a fifth of a second of CPU for 100,000 open files.
_FIND = r"find /proc/[0-9]*/fd -mindepth 1 -maxdepth 1 -lname 'anon_inode:inotify' -printf '%U %u %p\n' 2>/dev/null"
_SCRIPT = (
    f"LC_ALL=C; export LC_ALL; found=$({_FIND}); printf '%s\\n' \"$found\"; echo 'uid '$(id -u); "
    r"""printf '%s\n' "$found" | sed -n 's|.* \(/proc/[0-9]*/fd\)/|\1/../fdinfo/|p' | """
    "xargs grep -sc '^inotify wd:' /dev/null; echo end"
)
_INSTANCE = re.compile(r"([0-9]{1,10}) (\S{1,64}) /proc/([0-9]{1,10})/fd/([0-9]{1,10})")
_WATCHES = re.compile(r"/proc/([0-9]{1,10})/fd/../fdinfo/([0-9]{1,10}):([0-9]{1,12})")


@dataclass(frozen=True)
class InotifyUser:
    """Describes what one user (the owner of the processes) holds. `pid` has most of the instances."""

    IDENTITY: ClassVar[str] = "user"

    user: str
    uid: int
    pid: int
    instances: int = fact("instances", "links to anon_inode:inotify in /proc/*/fd of {user}")
    watches: int = fact("watches", "inotify lines in /proc/*/fdinfo of {user}")


@dataclass(frozen=True)
class InotifyUse:
    """Holds what each user with an inotify instance holds, most instances first."""

    IS_ASKED: ClassVar[bool] = True

    users: Collection[InotifyUser]
    instances: int | Unreadable = fact("instances", "links to anon_inode:inotify in /proc/*/fd")
    most: int = fact("instances", "the most of one user", default=0)


FACTS = InotifyUse


def command(subject: str) -> tuple[str, ...]:
    """Return the argv; the only subject is "users". Raises ValueError otherwise."""
    if subject != "users":
        raise ValueError(f"not a subject of these counts: {safe_text(subject, 80)!r}")
    return ("/bin/sh", "-c", _SCRIPT)


def parse(stdout: str) -> InotifyUse | Unreadable:
    """Read the lines of `command`. Any account but root sees its own processes only: then nothing is known of the rest."""
    lines = stdout.split("\n")
    if "end" not in lines:
        return Unreadable("the answer was cut")
    if "uid 0" not in lines:
        return Unreadable("inotify instances of other users can be counted by root only")
    watches: dict[tuple[str, str], int] = {}
    for line in lines:
        if found := _WATCHES.fullmatch(line):
            watches[found[1], found[2]] = int(found[3])
    holders: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for line in lines:
        if found := _INSTANCE.fullmatch(line):
            holders.setdefault((int(found[1]), safe_text(found[2], 64)), []).append((found[3], found[4]))
    users = [
        InotifyUser(user, uid, _pid_of_most(held), len(held), sum(watches.get(one, 0) for one in held))
        for (uid, user), held in holders.items()
    ]
    users.sort(key=lambda item: (-item.instances, item.uid))
    counts = [item.instances for item in users]
    return InotifyUse(Collection(tuple(users)), sum(counts), max(counts, default=0))


def _pid_of_most(held: list[tuple[str, str]]) -> int:
    pids = [int(pid) for pid, _number in held]
    return max(pids, key=pids.count)
