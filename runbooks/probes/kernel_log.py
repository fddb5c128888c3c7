"""Reads by journalctl(1) what the kernel logged about refused allocations since this boot (a `run` kind, fixed argv).

Absence proves little: a refusal by a pids cgroup is logged once per cgroup, nproc and threads-max never, and kernels
before 6.0 do not log commit refusals. systemd before 237 has no --grep: then nothing is known.
"""

import re
from calendar import timegm
from typing import Any, ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.probes import oom_lines
from triagebook.runbooks.probes.cgroup_path import owner_of

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
# Of these the newest line counts, by its time alone. All but the first are rate-limited or written once for each maximum.
_REACHED = {
    "file_max": r"VFS: file-max limit (\d{1,19}) reached",
    "tcp_memory": r"TCP: out of memory -- consider tuning tcp_mem",
    "orphans": r"TCP: too many orphaned sockets",
    "conntrack": r"nf_conntrack: (nf_conntrack: )?table full, dropping packet",
    "syn_flood": r"Possible SYN flooding on port (\S{1,60})\. |Possible SYN flooding on port (\d+)",
    "neighbour": r"neighbou?r(: \S{1,20}:)? table overflow",
}
_GREP_REACHED = "file-max limit|TCP: (out of memory|too many orphaned)|conntrack: table full|Possible SYN flood|table overflow"
_GREP = "fork rejected by pids controller|__vm_enough_memory|exceed data ulimit|page allocation failure|vmap allocation"
_REFUSED_COMMIT = re.compile(r"__vm_enough_memory: pid: (\d+), comm: (.*?), (?:bytes: (\d+) )?(?:no|not) enough memory")
_ISO_TIME = re.compile(
    r"(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([0-2]\d):([0-5]\d):([0-6]\d)([+-])([01]\d):?([0-5]\d) ", re.ASCII
)
_NO_LINE = Unreadable("there is no such line")
_MOST_LINES = 200
_KEPT_LINES = 12


@dataclass(frozen=True)
class KernelLog:
    """Holds lines of this boot's kernel log, among the newest 200 that match. `lines` are the newest of them, oldest first.

    Of the newest line of a sort: when it was written (Unix seconds), and whom it names.
    """

    IS_ASKED: ClassVar[bool] = True

    forks_rejected: int = fact("lines", "journalctl -k: fork rejected by pids controller in CGROUP (the forking one)")
    commits_refused: int = fact("lines", "journalctl -k: __vm_enough_memory")
    data_limits_exceeded: int = fact("lines", "journalctl -k: exceed data ulimit")
    page_allocations_failed: int = fact("lines", "journalctl -k: page allocation failure")
    oom_kills: int = fact("lines", "journalctl -k: Out of memory, Memory cgroup out of memory")
    lines: tuple[str, ...] = fact("", "journalctl -k")
    rejected_at_s: float | Unreadable = _NO_LINE
    rejected_path: str | Unreadable = _NO_LINE  # the cgroup that forked, not the one whose limit it was
    rejected_unit: str | Unreadable = _NO_LINE
    commit_at_s: float | Unreadable = _NO_LINE
    commit_comm: str | Unreadable = _NO_LINE
    commit_pid: int | Unreadable = _NO_LINE
    data_at_s: float | Unreadable = _NO_LINE
    data_comm: str | Unreadable = _NO_LINE
    pages_at_s: float | Unreadable = _NO_LINE
    kill_at_s: float | Unreadable = _NO_LINE
    kill_comm: str | Unreadable = _NO_LINE  # the victim of the newest kill for memory
    kill_pid: int | Unreadable = _NO_LINE
    kill_path: str | Unreadable = _NO_LINE  # the victim's cgroup
    kill_unit: str | Unreadable = _NO_LINE
    kill_owner: str | Unreadable = _NO_LINE  # the cgroup whose limit it was; "" for the host
    kill_owner_unit: str | Unreadable = _NO_LINE
    kill_constraint: str | Unreadable = _NO_LINE  # CONSTRAINT_NONE | _MEMCG | _CPUSET | _MEMORY_POLICY
    kill_rss_bytes: int | Unreadable = _NO_LINE
    kill_adj: int | Unreadable = _NO_LINE
    file_max_at_s: float | Unreadable = _NO_LINE
    file_max_limit: int | Unreadable = _NO_LINE  # the maximum that was reached, capped at 2**56
    tcp_memory_at_s: float | Unreadable = _NO_LINE
    orphans_at_s: float | Unreadable = _NO_LINE
    conntrack_at_s: float | Unreadable = _NO_LINE
    syn_flood_at_s: float | Unreadable = _NO_LINE
    syn_flood_port: str | Unreadable = _NO_LINE  # "PORT", or "ADDRESS:PORT" of newer kernels
    neighbour_at_s: float | Unreadable = _NO_LINE


FACTS = KernelLog


def command(subject: str = "kernel") -> tuple[str, ...]:
    """Return the argv; the only subject is the kernel. Raises ValueError otherwise."""
    if subject != "kernel":
        raise ValueError(f"not a log: {safe_text(subject, 80)!r}")
    return (
        *("env", "LC_ALL=C", "journalctl", "--dmesg", "--boot=0", "--no-pager", "--output=short-iso"),
        *(f"--lines={_MOST_LINES}", f"--grep={_GREP}|{_GREP_REACHED}|{oom_lines.GREP}|{_BOOT}"),
    )


def parse(stdout: str) -> KernelLog | Unreadable:
    """Count the lines of each sort. Nothing at all means that the journal is not to be read, not that it is empty."""
    lines = [line for line in stdout.split("\n") if " kernel: " in line]
    if not lines:
        return Unreadable("the journal showed no kernel line: this account may not read it, or there is none")
    found = {name: [line for line in lines if re.search(pattern, line)] for name, pattern in _PATTERNS.items()}
    reached = {name: [line for line in lines if re.search(pattern, line)] for name, pattern in _REACHED.items()}
    counted_lines = [line for sort in (*found.values(), *reached.values()) for line in sort]
    kept = [line for line in lines if line in counted_lines or "oom-kill:constraint=" in line][-_KEPT_LINES:]
    counted: dict[str, Any] = {name: len(sort) for name, sort in found.items()}
    pages = found["page_allocations_failed"]
    newest: dict[str, Any] = {"pages_at_s": time_of_line(pages[-1])} if pages else {}
    return KernelLog(
        **counted,
        lines=tuple(safe_text(line, 300) for line in kept),
        **_rejection_of(found["forks_rejected"]),
        **_commit_of(found["commits_refused"]),
        **_victim_of("data", r"kernel: mmap: (.*) \(\d+\): VmData", found["data_limits_exceeded"]),
        **newest,
        **_kill_of(lines),
        **_facts_of_limits(reached),
    )


def _facts_of_limits(reached: dict[str, list[str]]) -> dict[str, Any]:
    """Return what the newest lines name beside their time: the maximum of open files, the port that was flooded."""
    said: dict[str, Any] = {f"{name}_at_s": time_of_line(sort[-1]) for name, sort in reached.items() if sort}
    if found := re.search(_REACHED["file_max"], reached["file_max"][-1]) if reached["file_max"] else None:
        said["file_max_limit"] = min(int(found[1]), 2**56)
    if found := re.search(_REACHED["syn_flood"], reached["syn_flood"][-1]) if reached["syn_flood"] else None:
        said["syn_flood_port"] = safe_text(found[1] or found[2], 60)
    return said


def _rejection_of(lines: list[str]) -> dict[str, Any]:
    path = re.search(r"pids controller in (/\S{0,300})", lines[-1]) if lines else None
    if path is None:
        return {}
    where = safe_text(path[1], 300)
    return {"rejected_at_s": time_of_line(lines[-1]), "rejected_path": where, "rejected_unit": owner_of(where, {}).unit}


def _kill_of(lines: list[str]) -> dict[str, Any]:
    told = [line for line in lines if oom_lines.is_kill(line)]
    return {**oom_lines.last_kill(told), "kill_at_s": time_of_line(told[-1])} if told else {}


def _commit_of(lines: list[str]) -> dict[str, Any]:
    match = _REFUSED_COMMIT.search(lines[-1]) if lines else None
    if match is None or len(match[1]) > 9:
        return {}
    return {"commit_at_s": time_of_line(lines[-1]), "commit_comm": safe_text(match[2], 40), "commit_pid": int(match[1])}


def _victim_of(sort: str, pattern: str, lines: list[str]) -> dict[str, Any]:
    match = re.search(pattern, lines[-1]) if lines else None
    return {} if match is None else {f"{sort}_at_s": time_of_line(lines[-1]), f"{sort}_comm": safe_text(match[1], 40)}


def time_of_line(line: str) -> float | Unreadable:
    """Return when a line was written, by its ISO 8601 time, in Unix seconds."""
    match = _ISO_TIME.match(line)
    if match is None:
        return Unreadable("the line has no time")
    ahead = (int(match[8]) * 60 + int(match[9])) * (60 if match[7] == "+" else -60)
    return float(timegm((*map(int, match.groups()[:6]), 0, 0, 0)) - ahead)
