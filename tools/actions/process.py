"""What is read about a process before it is changed: start time, owner, limits.

Sources: proc_pid_stat(5), proc_pid_status(5), proc_pid_limits(5).
"""

import re

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError
from triagebook.tools.collector.readings import HostReading

_TITLES = {"nproc": "Max processes", "as": "Max address space"}


@dataclass(frozen=True)
class RunningProcess:
    """One process as it was read. Its number means this process only together with its start time (clock ticks)."""

    pid: int
    comm: str
    state: str
    parent: int
    start: int
    uid: int
    threads: int
    limits: dict[str, str]  # resource -> SOFT:HARD


def capture_one(pid: str) -> HostReading:
    """The files of one process."""
    return HostReading("process", (pid,))


def capture_user(uid: str) -> HostReading:
    """The same of every process of a user; those that end meanwhile are cut out by `parse`."""
    return HostReading("user", (uid,))


def parse(text: str) -> tuple[RunningProcess, ...]:
    """Read concatenated status, limits and stat. A process of which a part is missing is left out.

    The name in status is escaped by the kernel, that in stat is not: so stat comes last, and what follows its last
    bracket is the kernel's. A process can name itself out of the list, and no other.

    Raises:
        ParseError: text, but no process in it.
    """
    blocks = re.split(r"(?m)^(?=Name:\t)", text)
    found = tuple(process for process in map(_block, blocks) if process is not None)
    if text.strip() and not found:
        raise ParseError(f"no process in {text[:80]!r}")
    return found


def _block(text: str) -> RunningProcess | None:
    numbers = {name: re.search(rf"(?m)^{name}:\s+(\d+)", text) for name in ("Pid", "PPid", "Uid", "Threads")}
    comm = re.match(r"Name:\t(.*)", text)
    limits = {name: _limit(text, title) for name, title in _TITLES.items()}
    stat = text.rpartition(") ")[2].split()  # state is the third field, the start time the twenty-second
    if comm is None or not all(numbers.values()) or not all(limits.values()) or len(stat) < 20 or not stat[19].isdigit():
        return None
    pid, parent, uid, threads = (int(found[1]) for found in numbers.values() if found)
    return RunningProcess(pid, comm[1], stat[0], parent, int(stat[19]), uid, threads, limits)


def _limit(text: str, title: str) -> str:
    found = re.search(rf"(?m)^{title}\s+(unlimited|\d+)\s+(unlimited|\d+)\s", text)
    return f"{found[1]}:{found[2]}" if found else ""
