"""Reads where core dumps go and which are stored, whether the kernel tells of crashes, memory that failed, stacks near their limit.

Source: core(5), systemd-coredump(8) (names of stored dumps, which anybody may list), kernel documentation admin-guide/ras (EDAC).
A count of crashes is nowhere in /proc or /sys.
"""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    ProcessHead,
    because,
    complete,
    cut,
    head_of,
    integer,
    minus,
    names_of,
    number,
    pairs_of,
    records_of,
    rise,
    text,
    why_hidden,
)
from triagebook.runbooks.probes.records import Sample

KIND = "core_setup"
_CORE = re.compile(r"(?P<comm>.+)\.(?P<uid>[0-9]{1,10})\.[0-9a-f]{32}\.(?P<pid>[0-9]{1,9})\.(?P<us>[0-9]{13,18})(\.[a-z0-9]{1,6})?")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class StoredCores:
    """Describes the stored core dumps of one program and user of this boot."""

    IDENTITY: ClassVar[str] = "comm"

    comm: str
    uid: int
    user: str
    pid: int  # of the newest
    count: int = fact("dumps", "/var/lib/systemd/coredump/core.{comm}.{uid}.*")
    at_s: float = fact("s", "/var/lib/systemd/coredump/core.{comm}.{uid}.*")


@dataclass(frozen=True)
class NearStack(ProcessHead):
    """Describes a process whose main stack uses at least nine tenths of RLIMIT_STACK."""

    used_bytes: int = fact("bytes", "/proc/{pid}/status VmStk")
    soft_bytes: int = fact("bytes", "/proc/{pid}/limits Max stack size, soft")


@dataclass(frozen=True)
class CoreSetup:
    """Describes what becomes of a crash on this host. `pipe_to` is the program that gets the dump, "" where it is a file."""

    stored: Collection[StoredCores]
    stacks: Collection[NearStack]
    core_pattern: str | Unreadable = fact("", "/proc/sys/kernel/core_pattern")
    pipe_to: str | Unreadable = fact("", "/proc/sys/kernel/core_pattern")
    pipe_limit: int | Unreadable = fact("dumps", "/proc/sys/kernel/core_pipe_limit")
    suid_dumpable: int | Unreadable = fact("mode", "/proc/sys/fs/suid_dumpable")
    exception_trace: int | Unreadable = fact("", "/proc/sys/debug/exception-trace")
    dmesg_restrict: int | Unreadable = fact("", "/proc/sys/kernel/dmesg_restrict")
    corrupted_bytes: int | Unreadable = fact(
        "bytes", "/proc/meminfo HardwareCorrupted"
    )  # 0 too where a kernel takes none out of use
    memory_errors: int | Unreadable = fact("errors", "/sys/devices/system/edac/mc/mc*/ue_count")
    memory_errors_delta: int | Unreadable = fact("errors", "/sys/devices/system/edac/mc/mc*/ue_count")
    counts_errors: bool | Unreadable = fact("", "/sys/devices/system/edac/mc")  # false: no driver counts, and 0 errors say nothing
    corrected_errors: int | Unreadable = fact("errors", "/sys/devices/system/edac/mc/mc*/ce_count")
    processes: int | Unreadable = fact("processes", "/proc/*/limits Max core file size")
    without_core: int | Unreadable = fact("processes", "/proc/*/limits Max core file size, soft 0")


FACTS = CoreSetup


def parse(samples: Sequence[Sample]) -> CoreSetup:
    """Return what the last complete sample prints."""
    whole = complete(samples)
    sample = whole[-1] if whole else None
    pairs, names = pairs_of(sample, KIND, "all"), names_of(sample)
    errors = [integer(pairs_of(one, KIND, "all").get("ue")) for one in whole]
    edac = integer(pairs.get("edac"))
    pattern = text(pairs.get("kernel/core_pattern"))
    unread, stored = integer(pairs.get("unread")), integer(pairs.get("stored"))
    stacks = [_stack(fields, names) for fields in records_of(sample, KIND, "stack")]
    counts = {key: integer(pairs.get(key)) for key in ("ce", "processes", "zero")}
    return CoreSetup(
        stored=Collection(_dumps_of(sample, names), because(cut(sample, KIND), _why_unlisted(pairs, stored))),
        stacks=Collection(
            tuple(one for one in stacks if one is not None),
            because(cut(sample, KIND), why_hidden(sample), f"limits of {unread} processes could not be read" if unread else ""),
        ),
        core_pattern=pattern,
        pipe_to=pattern if isinstance(pattern, Unreadable) else _program_of(pattern),
        pipe_limit=integer(pairs.get("kernel/core_pipe_limit")),
        suid_dumpable=integer(pairs.get("fs/suid_dumpable")),
        exception_trace=integer(pairs.get("debug/exception-trace")),
        dmesg_restrict=integer(pairs.get("kernel/dmesg_restrict")),
        corrupted_bytes=integer(pairs.get("corrupted"), 1024),
        memory_errors=errors[-1] if errors else integer(None),
        memory_errors_delta=rise(errors[0], errors[-1]) if len(errors) > 1 else NEEDS_SECOND,
        counts_errors=edac if isinstance(edac, Unreadable) else edac > 0,
        corrected_errors=counts["ce"],
        processes=counts["processes"],
        without_core=counts["zero"],
    )


def _program_of(pattern: str) -> str:
    """Return the program behind the `|` of a pattern."""
    return pattern.removeprefix("|").split(" ")[0] if pattern.startswith("|") else ""


def _why_unlisted(pairs: Mapping[str, str | Unreadable], stored: int | Unreadable) -> str:
    """Return why stored dumps may be missing. That there is no folder for them, or none for this account, leaves nothing open."""
    why = pairs.get("why")
    return "" if isinstance(stored, int) or why == "none" else f"{why} dumps are stored, too many to be listed"


def _dumps_of(sample: Sample | None, names: Mapping[int, str]) -> tuple[StoredCores, ...]:
    found: dict[tuple[str, int], StoredCores] = {}
    for fields in records_of(sample, KIND, "core"):
        core = _CORE.fullmatch(fields[0])
        if core is None:
            continue
        comm, uid, at_s = _plain(core["comm"]), int(core["uid"]), int(core["us"]) / 1e6
        known = found.get((comm, uid))
        if known is None or known.at_s < at_s:
            count = known.count + 1 if known else 1
            found[comm, uid] = StoredCores(comm, uid, names.get(uid, str(uid)), int(core["pid"]), count, at_s)
        else:
            found[comm, uid] = StoredCores(comm, uid, known.user, known.pid, known.count + 1, known.at_s)
    return tuple(sorted(found.values(), key=lambda one: -one.at_s))


def _plain(comm: str) -> str:
    """Return the name as it was: systemd writes what would split a file's name as \\xNN."""
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)) if 0x20 <= int(code[1], 16) < 0x7F else code[0], comm)


def _stack(fields: Sequence[str], names: Mapping[int, str]) -> NearStack | None:
    head, used, soft = head_of(fields, names), number(fields, 4, 1024), number(fields, 5)
    if head is None or isinstance(minus(soft, used), Unreadable):
        return None
    return NearStack(head.pid, head.comm, head.uid, head.user, head.unit, head.cgroup, used, soft)  # type: ignore[arg-type]
