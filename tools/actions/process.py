"""What is read about a process before it is changed: start time, owner, limits.

Sources: proc_pid_stat(5), proc_pid_status(5), proc_pid_limits(5).
"""

import re
from dataclasses import dataclass

from triagebook.runbooks.engine.errors import ParseError
from triagebook.tools.actions.action import Argv

_TITLES = {"nproc": "Max processes", "as": "Max address space"}
# Every process of one user, a block each. Constant text; the number is an argument. Builtins but for the last cat.
_OF_USER = """cd /proc || exit 1
for pid in [0-9]*; do
  while read -r name real rest; do
    [ "$name" != Uid: ] || { [ "$real" != "$1" ] || set -- "$@" "$pid/stat" "$pid/status" "$pid/limits"; break; }
  done 2>/dev/null <"$pid/status"
done
shift
[ $# = 0 ] || exec cat "$@" 2>/dev/null"""


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


def capture_one(pid: str) -> Argv:
    """The files of one process."""
    return ("cat", f"/proc/{pid}/stat", f"/proc/{pid}/status", f"/proc/{pid}/limits")


def capture_user(uid: str) -> Argv:
    """The same of every process of a user; those that end meanwhile are cut out by `parse`."""
    return ("sh", "-c", _OF_USER, "sh", uid)


def parse(text: str) -> tuple[RunningProcess, ...]:
    """Read concatenated stat, status and limits. A process of which a part is missing is left out.

    Raises:
        ParseError: text, but no process in it.
    """
    blocks = re.split(r"(?m)^(?=\d+ \()", text)
    found = tuple(process for process in map(_block, blocks) if process is not None)
    if text.strip() and not found:
        raise ParseError(f"no process in {text[:80]!r}")
    return found


def _block(text: str) -> RunningProcess | None:
    head = re.match(r"(\d+) \((.*)\) ([A-Za-z]) (.*)", text, re.DOTALL)
    uid = re.search(r"(?m)^Uid:\s+(\d+)", text)
    threads = re.search(r"(?m)^Threads:\s+(\d+)", text)
    limits = {name: _limit(text, title) for name, title in _TITLES.items()}
    if head is None or uid is None or threads is None or not all(limits.values()):
        return None
    rest = head[4].split("\n", 1)[0].split()
    if len(rest) < 19 or not rest[0].isdigit() or not rest[18].isdigit():
        return None
    return RunningProcess(int(head[1]), head[2], head[3], int(rest[0]), int(rest[18]), int(uid[1]), int(threads[1]), limits)


def _limit(text: str, title: str) -> str:
    found = re.search(rf"(?m)^{title}\s+(unlimited|\d+)\s+(unlimited|\d+)\s", text)
    return f"{found[1]}:{found[2]}" if found else ""
