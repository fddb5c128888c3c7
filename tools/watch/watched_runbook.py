"""Concludes on the samples of a watch by one runbook, and keeps what that found before: its uses, its trends, its verdicts."""

from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.conclude import Conclusion, conclude
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.heading import Key, Use, uses
from triagebook.runbooks.engine.judge import Facts
from triagebook.runbooks.engine.trend import Trend
from triagebook.runbooks.engine.triage import healthy_sentence, rank_of
from triagebook.tools.watch.observation import HeadingLimit, Refusal, changes_between, refusals_between
from triagebook.tools.watch.series import Course


@dataclass(frozen=True)
class WatchedRunbook:
    """A runbook that a watch concludes by. `accepted`: checks whose unknown result is a caveat."""

    runbook: model.Runbook
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True)
class WatchedSample:
    """What one runbook says of a sample."""

    runbook_id: str
    conclusion: Conclusion
    uses: tuple[Use, ...]
    trends: Mapping[Key, Trend]
    changes: tuple[str, ...]
    refusals: tuple[Refusal, ...]

    @property
    def headings(self) -> list[HeadingLimit]:
        """Return the limits that something is on its way to."""
        found = [use for use in self.uses if use.key in self.trends]
        return [HeadingLimit(use.key[0], use.label, use.limit, self.trends[use.key]) for use in found]


class RunbookWatch:
    """One runbook of a watch, with what it found in the samples before."""

    def __init__(self, watched: WatchedRunbook) -> None:
        self.runbook, self._accepted = watched.runbook, watched.accepted
        self.course = Course()
        self.before: Conclusion | None = None
        self._uses: tuple[Use, ...] = ()

    def judge(self, at_s: float, history: Sequence[Facts]) -> WatchedSample:
        """Conclude on the newest sample."""
        found = uses(self.runbook, history[-1])
        self.course.add(at_s, found)
        trends = self.course.trends()
        conclusion = conclude(self.runbook, history, {}, accepted=self._accepted, trends=trends)
        changes, refusals = changes_between(self.before, conclusion), refusals_between(self._uses, found, conclusion)
        self.before, self._uses = conclusion, found
        return WatchedSample(self.runbook.id, conclusion, found, trends, changes, refusals)


def order(samples: Sequence[WatchedSample]) -> list[WatchedSample]:
    """Return what the runbooks say, worst first."""
    return sorted(samples, key=lambda sample: rank_of(sample.conclusion.status, sample.conclusion.verdict))


def first_sentence(ordered: Sequence[WatchedSample]) -> str:
    """Return the first sentence: the worst thing that is true now, whichever runbook knows it."""
    first = ordered[0].conclusion
    if len(ordered) > 1 and first.status == "healthy":
        return healthy_sentence(first.headline, [sample.runbook_id for sample in ordered[1:]])
    return first.headline


def forget(watches: Sequence[RunbookWatch]) -> str:
    """Forget what was concluded before the session broke. Returns the worst status of it, "" if there was none."""
    known = [watch.before for watch in watches if watch.before is not None]
    for watch in watches:
        watch.before = None
    return min(known, key=lambda found: rank_of(found.status, found.verdict)).status if known else ""
