"""Reads what the records of both cgroup kinds have in common: elements, directories, counters between samples, gaps."""

from collections.abc import Iterator, Mapping, Sequence

from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.reading import (
    NEEDS_SECOND,
    because,
    cut,
    integer,
    minus,
    number,
    pairs_of,
    records_of,
    rise,
    why_hidden,
)
from triagebook.runbooks.probes.records import Sample

_FIRST_SIGHT = Unreadable("first seen in this sample")


def elements_of(sample: Sample | None, kind: str, name: str) -> Iterator[tuple[str, ...]]:
    """Return the fields behind `name` of the kind's records, one element each; of two with one identity the first."""
    seen = set()
    for fields in records_of(sample, kind, name):
        if fields[0] not in seen:
            seen.add(fields[0])
            yield fields


def rise_between(samples: Sequence[Sample], kind: str, path: str, index: int, name: str = "at") -> int | Unreadable:
    """Return how far the counter in field `index` rose over the samples; the field behind it is its value one sample before.

    The host remembers that value, because it prints a cgroup only when it matters. It is "?" when the cgroup was not
    seen then. A cgroup made anew under the same path starts at zero: a rise is real, and never too high.
    """
    if len(samples) < 2:
        return NEEDS_SECOND
    total: int | Unreadable = 0
    for sample in samples[1:]:
        fields = next((one for one in elements_of(sample, kind, name) if one[0] == path), None)
        if fields is None:
            continue  # printed as soon as its counter is above zero
        before, now = number(fields, index + 1), number(fields, index)
        risen = _FIRST_SIGHT if isinstance(before, Unreadable) and isinstance(now, int) else rise(before, now)
        total = minus(total, minus(0, risen))
    return total


def directory_of(pairs: Mapping[str, str | Unreadable], path: str) -> str:
    """Return the directory of a cgroup's files; a mount may show only the hierarchy below its root."""
    mount, root = pairs.get("mount"), pairs.get("root")
    if not isinstance(mount, str) or not isinstance(root, str):
        return path
    inner = path if root == "/" else path.removeprefix(root)
    return mount + (inner if inner != "/" else "")


def clear_limits(pairs: Mapping[str, str | Unreadable]) -> int:
    """Return how many limits were read and found far from being met."""
    count = minus(integer(pairs.get("finite")), integer(pairs.get("near")))
    return count if isinstance(count, int) and count > 0 else 0


def why_partial(sample: Sample | None, kind: str, controller: str) -> str:
    """Return why a limit may be missing: a cut answer, a partial view, no controller, files that could not be read."""
    pairs = pairs_of(sample, kind, "all")
    counts = {key: integer(pairs.get(key)) for key in ("cgroups", "absent", "outside", "denied")}
    reasons = [cut(sample, kind), why_hidden(sample)]
    if pairs and pairs.get("mode") == "none":
        reasons.append(f"no {controller} controller of cgroups was found")
    elif pairs and not pairs.get("mount"):
        reasons.append(f"the {controller} controller's mount was not found")
    outside, absent, cgroups = counts["outside"], counts["absent"], counts["cgroups"]
    if isinstance(outside, int) and outside:
        reasons.append(f"{outside} cgroups lie outside of this cgroup namespace")
    if isinstance(absent, int) and isinstance(cgroups, int) and absent and absent >= cgroups - 1:
        reasons.append(f"none of {absent} cgroups has a limit file that could be read")
    denied = counts["denied"]
    if isinstance(denied, int) and denied:
        reasons.append(f"limits of {denied} cgroups could not be read")
    if "reason" in pairs:
        reasons.append(str(pairs["reason"]))
    return because(*reasons)
