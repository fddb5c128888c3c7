"""Reads a row of /proc/PID/limits beside what the process uses of it (a generic kind: a runbook declares the row and the use).

Source: getrlimit(2), proc_pid_limits(5), proc_pid_status(5). Only processes near the limit are printed, the rest are counted.
A runbook declares `row` (Max open files, Max processes, Max stack size, ...), `use` (a line of /proc/PID/status: FDSize,
Threads, SigQ, VmSize, VmStk, VmLck, ...) and, where 90 does not fit, `near_percent`. The facts are `near`, a list of processes
with pid, comm, user, unit, used, soft, hard and room.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, Unreadable, fact
from triagebook.runbooks.probes.generic_kinds import DeclaredKind, Parameters, id_of, make_facts
from triagebook.runbooks.probes.reading import NamedProcess, because, counts, cut, head_of, latest, names_of, number, why_hidden
from triagebook.runbooks.probes.records import Sample

ROWS: Mapping[str, str] = {  # rows of /proc/PID/limits and their units
    "Max data size": "bytes",
    "Max stack size": "bytes",
    "Max resident set": "bytes",
    "Max processes": "processes",
    "Max open files": "files",
    "Max locked memory": "bytes",
    "Max address space": "bytes",
    "Max pending signals": "signals",
}
USES: Mapping[str, int] = {  # lines of /proc/PID/status and what their figures are multiplied by
    **dict.fromkeys(("VmSize", "VmLck", "VmPin", "VmRSS", "VmData", "VmStk", "VmSwap"), 1024),
    **dict.fromkeys(("FDSize", "Threads", "SigQ"), 1),
}


@dataclass(frozen=True)
class ProcessRlimits:
    """Holds the processes `near` the declared limit: used, soft, hard, room."""


FACTS = ProcessRlimits


def parse(_samples: Sequence[Sample]) -> ProcessRlimits:
    """Return nothing: without a declaration there is nothing to read."""
    return ProcessRlimits()


def bind(parameters: Parameters) -> DeclaredKind:
    """Return the kind that compares this row with this use: `{row, use, near_percent}`."""
    row, use = parameters["row"], parameters["use"]
    unit, factor, limits, status = ROWS[row], USES[use], f"/proc/{{pid}}/limits {row}", f"/proc/{{pid}}/status {use}"

    @dataclass(frozen=True)
    class DeclaredProcess(NamedProcess):
        """Describes a process that uses nearly all that this limit allows."""

        used: int = fact(unit, status)
        soft: int = fact(unit, f"{limits} (soft)")
        hard: int | Unreadable = fact(unit, f"{limits} (hard)")  # Unreadable: unlimited
        room: int = fact(unit, limits)
        cgroup: str = fact("", "/proc/{pid}/cgroup", default="")

    near: Any = Collection[DeclaredProcess]
    facts = make_facts(
        "DeclaredRlimits", "Holds processes near a limit.", (), near=(near, fact("", limits.replace("{pid}", "PID")))
    )

    def read(samples: Sequence[Sample]) -> object:
        sample = latest(samples)
        records = [record[1:] for record in (sample.of("rlimits") if sample else ()) if record[:1] == (id_of(parameters),)]
        head = next((record for record in records if record[0] == "all"), ("all",))
        clear, unread, count = (number(head, index) for index in (1, 2, 3))
        names = names_of(sample)
        rows = [record[1:] for record in records if record[0] == "at"]
        found = [item for fields in rows if (item := _process(DeclaredProcess, fields, names, factor)) is not None]
        partial = because(
            "" if len(head) > 1 else cut(sample, "rlimits") or "could not be read",
            why_hidden(sample),
            f"limits of {unread} processes could not be read" if isinstance(unread, int) and unread else "",
            f"{count - len(found)} more processes near it" if isinstance(count, int) and count > len(found) else "",
        )
        found.sort(key=lambda item: item.room)
        return facts(near=Collection(tuple(found), partial, clear if isinstance(clear, int) else 0))

    return DeclaredKind(facts, read)


def awk(declared: Sequence[Parameters]) -> str:
    """Return the function with a line for each declaration."""
    lines = dict.fromkeys(
        f"{id_of(item)};{item['row']};{item['use']};{USES[item['use']]};{item.get('near_percent', 90)}" for item in declared
    )
    return f'function rlimits_list() {{ return "{_NEWLINE.join(sorted(lines))}"; }}\n'


_NEWLINE = "\\n"  # as awk writes it


def _process(kind: type[Any], fields: Sequence[str], names: Mapping[int, str], factor: int) -> Any:
    head, found = head_of(fields, names), counts(fields, 4, 5)
    if head is None or found is None:
        return None
    used, soft = found[0] * factor, found[1]
    hard = Unreadable("not limited") if fields[6:7] == ("unlimited",) else number(fields, 6)
    return kind(**vars(head), used=used, soft=soft, hard=hard, room=soft - used)
