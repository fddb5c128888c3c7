"""Turns records into facts: which sample counts, numbers or why there is none, what makes a collection partial."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, cast

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.runbooks.probes.cgroup_path import system_unit_of
from triagebook.runbooks.probes.records import Sample

NEEDS_SECOND = Unreadable("needs a second sample")
NOT_PRINTED = Unreadable("not printed")
NOT_READABLE = Unreadable("could not be read")

_UNKNOWN = "?"
_MOST_FIELDS = 12
_MOST_DIGITS = 20
_MOST = 2**56  # rules multiply by up to 100 in 64 bits; a kernel's greater numbers only ever mean "no limit"
_BEYOND = 2**63  # a host that prints such a number says nothing
_PADDING = ("",) * _MOST_FIELDS


def complete(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the samples that facts rest on, in order: the complete ones, else the last as it is.

    A sample that was cut adds nothing that the one before it does not say in full.
    """
    whole = tuple(sample for sample in samples if sample.is_complete)
    return whole or tuple(samples[-1:])


def latest(samples: Sequence[Sample]) -> Sample | None:
    """Return the last of `complete`."""
    whole = complete(samples)
    return whole[-1] if whole else None


def pairs_of(sample: Sample | None, kind: str, name: str = "") -> Mapping[str, str | Unreadable]:
    """Return the KEY=VALUE fields of the kind's first record whose first field is `name` ("": of its first record).

    `KEY?` says that the host could not read it.
    """
    if sample is None:
        return {}
    found = sample.pairs.get((kind, name))
    if found is None:
        found = sample.pairs[kind, name] = _pairs(sample.of(kind), name)
    return cast("Mapping[str, str | Unreadable]", found)


def _pairs(records: Sequence[tuple[str, ...]], name: str) -> Mapping[str, str | Unreadable]:
    found: dict[str, str | Unreadable] = {}
    for fields in records:
        if not name or fields[:1] == (name,):
            for field in fields[1:] if name else fields:
                key, equals, value = field.partition("=")
                if equals or not key.endswith(_UNKNOWN):
                    found[key] = value
                else:
                    found[key.removesuffix(_UNKNOWN)] = NOT_READABLE
            break
    return found


def records_of(sample: Sample | None, kind: str, name: str) -> Iterator[tuple[str, ...]]:
    """Return the fields behind `name` of the kind's records, filled up with empty ones: a short record is unreadable."""
    for fields in sample.of(kind) if sample else ():
        if fields[:1] == (name,):
            yield fields[1:] + _PADDING


def integer(value: str | Unreadable | None, scale: int = 1) -> int | Unreadable:
    """Return a count times `scale`; anything but digits is unreadable."""
    if isinstance(value, str) and is_whole_number(value):
        return _cap_count(int(value) * scale)
    if value is None:
        return NOT_PRINTED
    if isinstance(value, Unreadable):
        return value
    if value == _UNKNOWN:
        return NOT_READABLE
    return Unreadable(f"not a number: {value[:40]}")


def decimal(value: str | Unreadable | None) -> float | Unreadable:
    """Return the first number of the value, such as of /proc/uptime."""
    if value is None:
        return NOT_PRINTED
    if isinstance(value, Unreadable):
        return value
    match = re.match(r"[0-9]{1,15}(\.[0-9]{1,9})?(?= |$)", value)
    return float(match[0]) if match else Unreadable(f"not a number: {value[:40]}")


def text(value: str | Unreadable | None) -> str | Unreadable:
    """Return the value as printed."""
    return NOT_PRINTED if value is None else value


def minus(left: int | Unreadable, *right: int | Unreadable) -> int | Unreadable:
    """Return `left` less the others; unreadable as soon as one of them is."""
    total = left
    for value in right:
        if isinstance(total, Unreadable):
            return total
        if isinstance(value, Unreadable):
            return value
        total -= value
    return total


def rise(first: int | Unreadable, last: int | Unreadable) -> int | Unreadable:
    """Return how far a counter rose between two samples. One that fell was started anew: unreadable, not zero.

    A counter that was started anew begins at zero, so a rise always happened, if maybe higher, between the samples.
    """
    risen = minus(last, first)
    if isinstance(risen, int) and risen < 0:
        return Unreadable("the counter went backwards between the samples")
    return risen


def number(fields: Sequence[str], index: int, scale: int = 1) -> int | Unreadable:
    """Return the count in a field of a record."""
    value = fields[index] if index < len(fields) else None
    if value is not None and value.isdecimal() and value.isascii() and len(value) <= _MOST_DIGITS:  # as nearly all are
        count = int(value) * scale
        return count if count <= _MOST else _cap_count(count)
    return integer(value, scale)


def _cap_count(count: int) -> int | Unreadable:
    return min(count, _MOST) if count < _BEYOND else Unreadable("a number that no kernel counts")


def counts(fields: Sequence[str], *indexes: int) -> list[int] | None:
    """Return the counts in several fields of a record; None as soon as one of them is none."""
    texts = [fields[index] for index in indexes]
    if all(map(str.isdecimal, texts)) and "".join(texts).isascii() and max(map(len, texts)) <= _MOST_DIGITS:
        found = list(map(int, texts))
        return found if max(found) < _BEYOND else None
    return None


@dataclass(frozen=True)
class NamedProcess:
    """Describes a process, its user and its unit; each element that is a process begins with these facts."""

    IDENTITY: ClassVar[str] = "pid"

    pid: int
    comm: str
    uid: int
    user: str
    unit: str


@dataclass(frozen=True)
class ProcessHead(NamedProcess):
    """Says of which process a record is: `PID <tab> NAME <tab> UID <tab> CGROUP` stand first in it, "?" for no known cgroup."""

    cgroup: str  # the whole path: its last name may be of the user's choice


def head_of(fields: Sequence[str], names: Mapping[int, str]) -> ProcessHead | None:
    """Return the process of a record; None when its PID or UID is no number."""
    found = counts(fields, 0, 2) if len(fields) > 3 else None
    if found is None:
        return None
    (pid, uid), path = found, "" if fields[3] == _UNKNOWN else fields[3]
    return ProcessHead(pid, fields[1], uid, names.get(uid, str(uid)), system_unit_of(path), path)


def names_of(sample: Sample | None) -> Mapping[int, str]:
    """Return login names of /etc/passwd by UID, of those users that records name."""
    pairs = ((number(fields, 0), fields[1]) for fields in (sample.of("name") if sample else ()) if len(fields) == 2)
    return {uid: name for uid, name in pairs if isinstance(uid, int) and name}


def cut(sample: Sample | None, kind: str) -> str:
    """Return why records of this kind may be missing from the answer; "" when none is."""
    if sample is None:
        return "there is no answer"
    if not sample.is_complete:
        return "the answer was cut"
    count = sample.end.get(f"cut.{kind}")
    if count is not None:
        return f"{count} more are not in the answer, which is bounded"
    return "" if sample.of(kind) else "not printed"


HIDDEN = " (hidepid, or a PID namespace)"


def may_be_a_crowd(sample: Sample | None) -> bool:
    """Say whether what looks hidden may only have ended meanwhile: another look tells.

    In the first look a process that may not be read looks like one that ended. The next one knows only those it could read.
    """
    return sample is not None and why_hidden(sample).endswith(HIDDEN) and _count_of_gone(sample) > 0


def _count_of_gone(sample: Sample | None) -> int:
    gone = integer(pairs_of(sample, "walk").get("gone"))
    return gone if isinstance(gone, int) else 0


def why_hidden(sample: Sample | None) -> str:
    """Return why processes may have been missed; "" when all were seen.

    A hidden /proc (hidepid, a PID namespace) shows clearly fewer tasks than /proc/loadavg counts, before the walk
    and after it. A tenth is left for tasks that come and go meanwhile.
    """
    walk = pairs_of(sample, "walk")
    tasks, total, left, unscanned, unvisited = (
        integer(walk.get(key)) for key in ("tasks", "total", "left", "unscanned", "unvisited")
    )
    if isinstance(tasks, Unreadable):
        return "the processes were not read"
    if isinstance(total, Unreadable):
        return "the number of all tasks could not be read"
    if isinstance(unvisited, int) and unvisited:
        return f"{unvisited} processes were not looked at (CPU time is bounded)"
    total = min(total, left) if isinstance(left, int) else total
    if tasks * 10 < total * 9 and total - tasks > 16:
        ended = _count_of_gone(sample)
        if sample is not None and sample.n > 1 and (tasks + ended) * 10 >= total * 9:
            return f"{ended} processes ended while we looked, so only {tasks} of {total} tasks were counted; ask again"
        return f"{tasks} of {total} tasks are visible{HIDDEN}"
    if counts_one_container(sample):
        return f"only the tasks of this container are counted, in /proc/loadavg too{HIDDEN}"
    if isinstance(unscanned, int) and unscanned:
        return f"{unscanned} PIDs given out since the sample before were not looked at"
    return ""


def counts_one_container(sample: Sample | None) -> bool:
    """Say whether /proc/loadavg counts the tasks of one container, as lxcfs and OpenVZ have it, and not those of its host.

    Such a container always has a PID namespace of its own, so the host's count would be clearly larger than what is visible.
    """
    if pairs_of(sample, "host", "is").get("container") not in {"lxc", "lxc-libvirt", "openvz"}:
        return False
    walk = pairs_of(sample, "walk")
    tasks, total = integer(walk.get("tasks")), integer(walk.get("total"))
    return isinstance(tasks, int) and isinstance(total, int) and not (tasks * 10 < total * 9 and total - tasks > 16)


def because(*reasons: str) -> str:
    """Return the reasons that there are, in one text."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
