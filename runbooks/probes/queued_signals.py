"""Reads signals queued for each user, POSIX timers among them, beside RLIMIT_SIGPENDING.

Source: getrlimit(2), proc_pid_status(5) (SigQ: "queued/limit"): the count is of the real UID, the limit of the process.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.facts import Collection, fact
from triagebook.runbooks.probes.cgroup_records import elements_of
from triagebook.runbooks.probes.reading import because, counts, cut, head_of, integer, latest, names_of, pairs_of, why_hidden
from triagebook.runbooks.probes.records import Sample

_KIND = "queued_signals"


@dataclass(frozen=True)
class UserSignals:
    """Describes a user with nearly as many queued signals as one of the user's processes may have."""

    IDENTITY: ClassVar[str] = "uid"

    uid: int
    user: str
    pid: int  # the process with the least limit
    comm: str
    unit: str
    queued: int = fact("signals", "/proc/{pid}/status SigQ")
    limit: int = fact("signals", "/proc/{pid}/status SigQ")
    room: int = fact("signals", "/proc/{pid}/status SigQ")
    cgroup: str = fact("", "/proc/{pid}/cgroup", default="")


@dataclass(frozen=True)
class QueuedSignals:
    """Holds the users near the limit; processes far from it are counted."""

    limited: Collection[UserSignals]


FACTS = QueuedSignals


def parse(samples: Sequence[Sample]) -> QueuedSignals:
    """Return the users that the last complete sample prints, least room first."""
    sample = latest(samples)
    pairs, names = pairs_of(sample, _KIND, "all"), names_of(sample)
    records = list(elements_of(sample, _KIND, "at"))
    found = [item for fields in records if (item := _user(fields, names)) is not None]
    seen = integer(pairs.get("seen"))
    partial = because(
        cut(sample, _KIND),
        why_hidden(sample),
        "" if len(found) == len(records) else "a record could not be read",
        "" if isinstance(seen, int) else "queued signals were not read",
    )
    return QueuedSignals(
        Collection(tuple(sorted(found, key=lambda item: item.room)), partial, seen if isinstance(seen, int) else 0)
    )


def _user(fields: Sequence[str], names: Mapping[int, str]) -> UserSignals | None:
    head, found = head_of(fields, names), counts(fields, 4, 5)
    if head is None or found is None:
        return None
    queued, limit = found
    return UserSignals(**vars(head), queued=queued, limit=limit, room=limit - queued)
