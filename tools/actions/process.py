"""What is read about a process before it is changed: start time, owner, limits.

Sources: proc_pid_stat(5), proc_pid_status(5), proc_pid_limits(5).
"""

import re

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.actions.action import Lines, ManualChange
from triagebook.tools.actions.resources import RESOURCES
from triagebook.tools.collector.readings import HostReading


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
    """Ask for the files of one process."""
    return HostReading("process", (pid,))


def capture_user(uid: str) -> HostReading:
    """Ask for the same of every process of a user; those that end meanwhile are cut out by `parse`."""
    return HostReading("user", (uid,))


def prlimit_lines(change: ManualChange, resource: str) -> Lines:
    """Write the lines that raise a soft limit of the culprit: the facts do not tell its hard one."""
    pid, limit = change.params.get("pid", change.verdict.culprit.pid), change.params["limit"]
    before = change.verdict.limit.value if change.verdict.limit else None
    undo = [("prlimit", "--pid", str(pid), f"--{resource}={before:.0f}:")] if before else []
    return [("prlimit", "--pid", str(pid), f"--{resource}={limit}:")], undo


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
    numbers = {name: re.search(rf"(?m)^{name}:\s+([0-9]{{1,20}})\b", text) for name in ("Pid", "PPid", "Uid", "Threads")}
    comm = re.match(r"Name:\t(.*)", text)
    limits = {name: found for name, resource in RESOURCES.items() if (found := _limit(text, resource.title))}
    is_whole = all(name in limits for name, resource in RESOURCES.items() if not resource.is_later)
    stat = text.rpartition(") ")[2].split()  # state is the third field, the start time the twenty-second
    if comm is None or not all(numbers.values()) or not is_whole or len(stat) < 20 or not is_whole_number(stat[19]):
        return None
    pid, parent, uid, threads = (int(found[1]) for found in numbers.values() if found)
    return RunningProcess(pid, comm[1], stat[0], parent, int(stat[19]), uid, threads, limits)


def _limit(text: str, title: str) -> str:
    found = re.search(rf"(?m)^{title}\s+(unlimited|\d+)\s+(unlimited|\d+)\s", text)
    return f"{found[1]}:{found[2]}" if found else ""
