"""Reads by journalctl(1) what the kernel logged about refused allocations since this boot (a `run` kind, fixed argv).

Absence proves little: a refusal by a pids cgroup is logged once per cgroup, nproc and threads-max never, and kernels
before 6.0 do not log commit refusals. systemd before 237 has no --grep: then nothing is known.
"""

import re

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.engine.text import safe_text

# The first line a kernel prints at boot, asked for too: it tells a journal without such events from one that this
# account may not read. Both would print "-- No entries --".
_BOOT = "Linux version"
_PATTERNS = {
    "forks_rejected": r"fork rejected by pids controller",
    "commits_refused": r"__vm_enough_memory: pid: \d+, comm: .*?, (bytes: \d+ )?(no|not) enough memory",
    "data_limits_exceeded": r"exceed data ulimit",
    "page_allocations_failed": r"page allocation failure|vmap allocation .* failed",
    "oom_kills": r"Out of memory: Killed process|Memory cgroup out of memory",
}
_GREP = "fork rejected by pids controller|__vm_enough_memory|exceed data ulimit|page allocation failure|vmap allocation"
_MOST_LINES = 200
_KEPT_LINES = 12


@dataclass(frozen=True)
class KernelLog:
    """Holds lines of this boot's kernel log, among the newest 200 that match. `lines` are the newest of them, oldest first."""

    forks_rejected: int = fact("lines", "journalctl -k: fork rejected by pids controller in CGROUP (the forking one)")
    commits_refused: int = fact("lines", "journalctl -k: __vm_enough_memory")
    data_limits_exceeded: int = fact("lines", "journalctl -k: exceed data ulimit")
    page_allocations_failed: int = fact("lines", "journalctl -k: page allocation failure")
    oom_kills: int = fact("lines", "journalctl -k: Out of memory, Memory cgroup out of memory")
    lines: tuple[str, ...] = fact("", "journalctl -k")


FACTS = KernelLog


def command(subject: str = "kernel") -> tuple[str, ...]:
    """Return the argv; the only subject is the kernel. Raises ValueError otherwise."""
    if subject != "kernel":
        raise ValueError(f"not a log: {safe_text(subject, 80)!r}")
    return (
        *("env", "LC_ALL=C", "journalctl", "--dmesg", "--boot=0", "--no-pager", "--output=short-iso"),
        *(f"--lines={_MOST_LINES}", f"--grep={_GREP}|Out of memory|out of memory|{_BOOT}"),
    )


def parse(stdout: str) -> KernelLog | Unreadable:
    """Count the lines of each sort. Nothing at all means that the journal is not to be read, not that it is empty."""
    lines = [line for line in stdout.split("\n") if " kernel: " in line]
    if not lines:
        return Unreadable("the journal showed no kernel line: this account may not read it, or there is none")
    found = {name: [line for line in lines if re.search(pattern, line)] for name, pattern in _PATTERNS.items()}
    kept = [line for line in lines if any(line in sort for sort in found.values())][-_KEPT_LINES:]
    return KernelLog(**{name: len(sort) for name, sort in found.items()}, lines=tuple(safe_text(line, 300) for line in kept))
