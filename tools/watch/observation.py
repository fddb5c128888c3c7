"""What a watch says after each look at a host. With `--json` each is one JSON object a line."""

from dataclasses import field
from typing import Literal

from triagebook.runbooks.engine.conclude import Conclusion
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import LimitValue, LoginResult, Verdict
from triagebook.runbooks.engine.heading import Use
from triagebook.runbooks.engine.trend import Trend

SCHEMA: Literal["triagebook/watch/v1"] = "triagebook/watch/v1"


@dataclass(frozen=True)
class HeadingLimit:
    """One limited thing that is on its way to its limit."""

    check: str
    what: str
    limit: LimitValue
    trend: Trend


@dataclass(frozen=True)
class Refusal:
    """Refusals counted between this sample and the one before. `count` is None where the kernel does not count them."""

    check: str
    what: str
    summary: str
    count: int | None


@dataclass(frozen=True)
class WatchCost:
    """Of the one process on the host, which never forks. `pace_s` is the time to the next sample."""

    cpu_ms: float | None
    bytes: int
    pace_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observation:
    """One look at one host. `status` unreachable: no session, `login` tells why, and the next try is in `cost.pace_s`."""

    host: str
    at: str
    sample: int
    status: str
    headline: str
    verdict: Verdict | None = None
    also: tuple[Verdict, ...] = ()
    changes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    trends: tuple[HeadingLimit, ...] = ()
    login: LoginResult = field(default_factory=LoginResult)
    cost: WatchCost = field(default_factory=lambda: WatchCost(None, 0, 0.0))
    schema: Literal["triagebook/watch/v1"] = SCHEMA


@dataclass(frozen=True)
class WatchUpdate:
    """An observation, with what a terminal and a textfile show as well: every use, and the course of the fullest one."""

    observation: Observation
    uses: tuple[Use, ...] = ()
    course: tuple[tuple[float, float], ...] = ()  # (used, limit), oldest first
    course_of: str = ""


def changes_between(before: Conclusion | None, after: Conclusion) -> tuple[str, ...]:
    """What changed since the sample before: the status, and causes that came or went."""
    if before is None:
        return ()
    names = [{_name(item): item for item in (one.verdict, *one.also) if item} for one in (before, after)]
    told = [f"{before.status} -> {after.status}"] if before.status != after.status else []
    told += [f"new: {item.summary}" for name, item in names[1].items() if name not in names[0]]
    told += [
        f"over: {cause} of {culprit}, {active}" for cause, culprit, active in names[0] if (cause, culprit, active) not in names[1]
    ]
    return tuple(told)


def _name(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.cause, verdict.culprit.unit or verdict.culprit.id, verdict.active


def refusals_between(before: tuple[Use, ...], after: tuple[Use, ...], conclusion: Conclusion) -> tuple[Refusal, ...]:
    """Counters that rose, and limits that refuse by the runbook's own word (`now`)."""
    known = {use.key: use.refused for use in before}
    counted = {
        use.label: (use.key[0], use.refused - was)
        for use in after
        if use.refused is not None and (was := known.get(use.key)) is not None and use.refused > was
    }
    told = [item for item in (conclusion.verdict, *conclusion.also) if item is not None and item.active == "now"]
    found = []
    for verdict in told:
        label = verdict.culprit.unit or verdict.culprit.id
        _check, count = counted.pop(label, ("", None))
        found.append(Refusal(verdict.cause, label, verdict.summary, count))
    found += [Refusal(check, label, f"{label}: {count} refused", count) for label, (check, count) in counted.items()]
    return tuple(found)
