"""Reads by journalctl(1) whom systemd-oomd, earlyoom or nohang killed since this boot (a `run` kind, fixed argv).

They end a process before the kernel has to, and no counter of the kernel rises. earlyoom begins with SIGTERM, which is a clean end
to systemd. That there is no line proves nothing: their journal is for root and the groups adm and systemd-journal.
"""

import re
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable, fact
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.probes.cgroup_path import owner_of
from triagebook.runbooks.probes.kernel_log import time_of_line

_PROGRAMS = ("systemd-oomd", "earlyoom", "nohang")
_LINE = re.compile(rf" (?P<killer>{'|'.join(_PROGRAMS)})(?:\[[0-9]{{1,9}}\])?: (?P<said>.*)$")
_GROUP = re.compile(r"Killed (?P<path>/\S{1,400}) due to memory (?:pressure|used)")
_PROCESS = re.compile(r'[Ss]ending SIG(?:TERM|KILL) to process (?P<pid>[0-9]{1,9})(?: uid [0-9]{1,10})? "(?P<comm>[^"]{1,20})"')
_MOST_LINES = 60


@dataclass(frozen=True)
class EarlyKills:
    """Holds the newest kill of such a program, and how many of its lines tell of one."""

    IS_ASKED: ClassVar[bool] = True

    kills: int = fact("lines", "journalctl -t systemd-oomd -t earlyoom -t nohang")
    killer: str = fact("", "journalctl -t systemd-oomd -t earlyoom -t nohang")
    victim: str = fact("", "journalctl -t systemd-oomd -t earlyoom -t nohang")  # a unit, a cgroup or the name of a process
    unit: str = fact("", "journalctl -t systemd-oomd -t earlyoom -t nohang")  # "" where a process is named
    at_s: float | Unreadable = fact("s", "journalctl -t systemd-oomd -t earlyoom -t nohang")
    line: str = fact("", "journalctl -t systemd-oomd -t earlyoom -t nohang")


FACTS = EarlyKills


def command(subject: str) -> tuple[str, ...]:
    """Return the argv; the only subject is "journal".

    Raises:
        ValueError: another subject.
    """
    if subject != "journal":
        raise ValueError(f"not a subject of these kills: {safe_text(subject, 80)!r}")
    programs = (word for program in _PROGRAMS for word in ("-t", program))
    output = ("--boot=0", "--no-pager", "--output=short-iso", f"--lines={_MOST_LINES}")
    return ("env", "LC_ALL=C", "journalctl", *output, *programs)


def parse(stdout: str) -> EarlyKills | Unreadable:
    """Read the newest line that tells of a kill."""
    told = [(line, said) for line in stdout.split("\n") if (said := _LINE.search(line)) and any(_victim(said["said"]))]
    if not told:
        return Unreadable("no line of systemd-oomd, earlyoom or nohang tells of a kill, or this account may not read them")
    line, said = told[-1]
    victim, path = _victim(said["said"])
    unit = owner_of(path, {}).unit if path else ""
    return EarlyKills(len(told), said["killer"], safe_text(unit or victim, 300), unit, time_of_line(line), safe_text(line, 300))


def _victim(said: str) -> tuple[str, str]:
    """Return what was killed and its cgroup; nothing where the line tells of no kill."""
    group, process = _GROUP.search(said), _PROCESS.search(said)
    if group is not None:
        return group["path"], safe_text(group["path"], 400)
    return (f"{process['comm']} (PID {process['pid']})", "") if process is not None else ("", "")
