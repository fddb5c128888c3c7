"""Reads by journalctl(1) which processes crashed since this boot, by the kernel's own lines (a `run` kind, fixed argv).

No line is not no crash: a handler, `kill -SEGV`, exception-trace=0 (the default on arm64), a rate limit and a container's own view
leave none. Counts are lower bounds. The journal is for root and the groups adm and systemd-journal.
"""

from collections.abc import Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.probes.crash_lines import CrashLine, read_line
from triagebook.runbooks.probes.kernel_log import time_of_line

_BOOT = "Linux version"
_GREP = (
    "segfault at|general protection|traps: |unhandled exception:|type=1326|show_signal_msg|Hardware Error|Memory failure:|EDAC MC"
)
_MOST_LINES = 200
_MOST_GROUPS = 8
_SOURCE = "journalctl -k"


@dataclass(frozen=True)
class Crash:
    """Describes crashes of one program at one place. `name` is the thread's, `tid` the newest thread's number, not a PID."""

    IDENTITY: ClassVar[str] = "name"

    name: str  # NAME at FILE+OFFSET
    comm: str
    tid: int
    sort: str  # as crash_lines.sort_of has it; noncanonical, opcode, divide, trap, filtered_call
    place: str
    address: str
    count: int = fact("lines", _SOURCE)
    first_s: float | Unreadable = fact("s", _SOURCE)
    last_s: float | Unreadable = fact("s", _SOURCE)


@dataclass(frozen=True)
class Crashes:
    """Holds the crashes that the newest 200 lines tell of, newest first."""

    IS_ASKED: ClassVar[bool] = True

    groups: Collection[Crash]
    lines: int = fact("lines", _SOURCE)
    programs: int = fact("programs", _SOURCE)
    suppressed: int = fact("lines", "journalctl -k: show_signal_msg: N callbacks suppressed")
    hardware_lines: int = fact("lines", "journalctl -k: Hardware Error, Memory failure, EDAC")
    newest: str = fact("", _SOURCE)


FACTS = Crashes


def command(subject: str = "kernel") -> tuple[str, ...]:
    """Return the argv; the only subject is the kernel.

    Raises:
        ValueError: another subject.
    """
    if subject != "kernel":
        raise ValueError(f"not a log: {safe_text(subject, 80)!r}")
    return (
        *("env", "LC_ALL=C", "journalctl", "--dmesg", "--boot=0", "--no-pager", "--output=short-iso"),
        *(f"--lines={_MOST_LINES}", f"--grep={_GREP}|{_BOOT}"),
    )


def parse(stdout: str) -> Crashes | Unreadable:
    """Group the lines by program, place and sort. Nothing at all means that the journal is not to be read, not that it is empty."""
    lines = [line for line in stdout.split("\n") if " kernel: " in line]
    if not lines:
        return Unreadable("the journal showed no kernel line: this account may not read it, or there is none")
    told = [(line, crash) for line in lines if (crash := read_line(line)) is not None]
    groups: dict[tuple[str, str, str], list[tuple[str, CrashLine]]] = {}
    for line, crash in told:
        groups.setdefault((crash.comm, crash.place, crash.sort), []).append((line, crash))
    found = [_group(members) for members in groups.values()]
    found.sort(key=lambda one: -one.last_s if isinstance(one.last_s, float) else 0.0)
    more = len(found) - _MOST_GROUPS
    return Crashes(
        groups=Collection(tuple(found[:_MOST_GROUPS]), f"{more} more sorts of crash are not listed" if more > 0 else ""),
        lines=len(told),
        programs=len({crash.comm for _line, crash in told}),
        suppressed=sum(" callbacks suppressed" in line for line in lines),
        hardware_lines=sum("[Hardware Error]" in line or "Memory failure:" in line or "EDAC MC" in line for line in lines),
        newest=safe_text(told[-1][0], 300) if told else "",
    )


def _group(members: Sequence[tuple[str, CrashLine]]) -> Crash:
    line, crash = members[-1]
    comm, place = safe_text(crash.comm, 40), safe_text(crash.place, 160)
    return Crash(
        name=f"{comm} at {place}" if place else comm,
        comm=comm,
        tid=crash.tid,
        sort=crash.sort,
        place=place,
        address=crash.address,
        count=len(members),
        first_s=time_of_line(members[0][0]),
        last_s=time_of_line(line),
    )
