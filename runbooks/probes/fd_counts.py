"""Probes by find(1) and awk(1) (a `run` kind, fixed argv): how many files each process has open, as any account may ask.

Since Linux 6.2 the size of /proc/PID/fd is the number of its open files, for everybody (stat, not read); older kernels say 0.
"""

from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.probes.cgroup_path import system_unit_of
from triagebook.runbooks.probes.reading import NamedProcess, counts

# A path of /proc and a number are all that is read of a file's name. Processes without memory (kernel threads) have no limits
# worth a word. What is below four fifths of its limit is counted only.
_AWK = """
{ split($1, at, "/"); pid = at[3]; path = "?"; soft = hard = slots = uid = ""; name = "?";
  if ($2 == 0) { none++; next; }
  seen++; file = "/proc/" pid "/limits";
  while ((getline line < file) > 0) {
    if (index(line, "Max open files") == 1) { split(line, word, " "); soft = word[4]; hard = word[5]; } }
  close(file);
  if (soft == "" || soft == "unlimited" || $2 * 10 < soft * 8) { next; }
  file = "/proc/" pid "/status";
  while ((getline line < file) > 0) {
    if (name == "?") { name = substr(line, 7); }
    if (index(line, "Uid:") == 1) { split(line, word, " "); uid = word[2]; }
    if (index(line, "FDSize:") == 1) { split(line, word, " "); slots = word[2]; break; }
  }
  close(file); file = "/proc/" pid "/cgroup";
  while ((getline line < file) > 0) {
    is_it = index(line, "0::/") == 1 && length(line) > 4 || index(line, ":name=systemd:");
    if (is_it) { path = substr(line, index(line, ":/") + 1); }
  }
  close(file);
  print "at\\t" pid "\\t" name "\\t" uid "\\t" ($3 == uid ? $4 : uid) "\\t" path "\\t" $2 "\\t" soft "\\t" hard "\\t" slots; }
END { print "all\\t" seen + 0 "\\t" none + 0; }
"""
_FIND = "find /proc/[0-9]*/fd -maxdepth 0 -printf '%p %s %U %u\\n' 2>/dev/null"
_SCRIPT = f"LC_ALL=C; export LC_ALL; {_FIND} | awk '{' '.join(_AWK.split())}'"
_OLD_KERNEL = "the kernel shows it to root and the owner only (before Linux 6.2)"


@dataclass(frozen=True)
class CountedProcess(NamedProcess):
    """Describes a process that has at least four fifths of the open files it may have."""

    open: int = fact("files", "size of /proc/{pid}/fd")
    soft: int = fact("files", "/proc/{pid}/limits Max open files (soft)")
    hard: int = fact("files", "/proc/{pid}/limits Max open files (hard)")
    slots: int = fact("files", "/proc/{pid}/status FDSize")


@dataclass(frozen=True)
class FdCounts:
    """Holds the processes near their limit of open files; all others whose files were counted are counted as clear.

    `is_shown` is false where the kernel shows such counts to root and the owner only.
    """

    IS_ASKED: ClassVar[bool] = True

    near: Collection[CountedProcess]
    is_shown: bool = fact("", "size of /proc/*/fd")
    seen: int | Unreadable = fact("processes", "find /proc/[0-9]*/fd -maxdepth 0 -printf %s")


FACTS = FdCounts


def command(subject: str) -> tuple[str, ...]:
    """Return the argv; the only subject is "processes". Raises ValueError otherwise."""
    if subject != "processes":
        raise ValueError(f"not a subject of these counts: {safe_text(subject, 80)!r}")
    return ("/bin/sh", "-c", _SCRIPT)


def parse(stdout: str) -> FdCounts | Unreadable:
    """Read the lines of `command`. Sizes of 0 only are those of an older kernel, not of processes without files."""
    records = [line.split("\t") for line in stdout.split("\n")]
    total = next((fields for fields in records if fields[0] == "all" and len(fields) == 3), None)
    seen = counts(total, 1, 2) if total is not None else None
    if seen is None:
        return Unreadable("find and awk printed no total")
    if seen[0] == 0 and not seen[1]:
        return Unreadable("find there does not print sizes")
    if seen[0] == 0:
        return FdCounts(Collection((), _OLD_KERNEL), is_shown=False, seen=Unreadable(_OLD_KERNEL))
    found = [_process(fields) for fields in records if fields[0] == "at"]
    known = sorted((item for item in found if item is not None), key=lambda item: item.soft - item.open)
    partial = "" if len(known) == len(found) else "a line could not be read"
    return FdCounts(Collection(tuple(known), partial, max(0, seen[0] - len(known))), is_shown=True, seen=seen[0])


def _process(fields: list[str]) -> CountedProcess | None:
    numbers = counts(fields, 1, 3, 6, 7, 8, 9) if len(fields) == 10 else None
    if numbers is None:
        return None
    pid, uid, opened, soft, hard, slots = numbers
    names = safe_text(fields[2], 40), uid, safe_text(fields[4], 40), system_unit_of(safe_text(fields[5], 400))
    return CountedProcess(pid, *names, open=opened, soft=soft, hard=hard, slots=slots)
