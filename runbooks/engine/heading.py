"""Turns trends into verdicts: what a check cleared and what is on its way to its limit all the same. Pure.

Only a watch has trends; a single diagnosis has none. A state that matched stays what it is:
`trend` is the least pressing of all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from triagebook.runbooks.engine import model, naming, rules
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Culprit, LimitValue, Usage
from triagebook.runbooks.engine.facts import Collection, identity_of, source_of
from triagebook.runbooks.engine.judge import CheckOutcome, Facts, Finding, to_outcome, with_element
from triagebook.runbooks.engine.quantities import as_duration, quantity
from triagebook.runbooks.engine.trend import Trend

HORIZON_S = 7 * 86400.0  # what lies further ahead is no news
FORESIGHT = 24  # nor is what lies further ahead than so many times as long as was watched: an hour foresees a day
LIKELY_S = 86400.0

Key = tuple[str, str]  # check id, identity of the element ("" for the host)
Trends = Mapping[Key, Trend]


@dataclass(frozen=True)
class Use:
    """Describes one limited thing as one sample has it. `refused` counts refusals since the kernel began to, where it does."""

    key: Key
    culprit: Culprit
    limit: LimitValue
    used: float
    refused: int | None = None

    @property
    def label(self) -> str:
        """Return what a person calls it."""
        return self.culprit.unit or self.culprit.id

    @property
    def title(self) -> str:
        """Return the thing and its limit: `worker.service, TasksMax`; a limit of the whole host is named once."""
        return self.limit.name if _is_named_after(self.culprit, self.limit) else f"{self.label}, {self.limit.name}"


def _is_named_after(culprit: Culprit, limit: LimitValue) -> bool:
    """Tell whether the culprit is the host by the name of this limit: `kernel.threads-max`, `memory`."""
    return culprit.kind == "host" and limit.name.startswith(culprit.id)


def key_of(check: model.Check, element: object | None) -> Key:
    """Return what tells one limited thing from the others, from sample to sample."""
    return check.id, "" if element is None else identity_of(element)


def uses(runbook: model.Runbook, facts: Facts) -> tuple[Use, ...]:
    """Return every limited thing whose limit and use can be read. Matters of another runbook are left out: page cache fills
    every memory limit without any harm.
    """
    found = []
    for check in runbook.checks:
        if check.limit is None or check.belongs_to:
            continue
        for element in _elements(check, facts):
            here = facts if element is None else {**facts, "it": element}
            if check.limit.holds and rules.evaluate(check.limit.holds, here) is not True:
                continue
            limit, used = naming.limit_of(check, here)
            if limit is not None and used is not None and limit.value > 0:
                culprit = naming.culprit_of(check, here)
                found.append(Use(key_of(check, element), culprit, limit, used.value, _refusals(check, element)))
    return tuple(found)


def _elements(check: model.Check, facts: Facts) -> Sequence[object | None]:
    if not check.each:
        return (None,)
    collection = rules.resolve(check.each, facts)
    return collection.items if isinstance(collection, Collection) else ()


def _refusals(check: model.Check, element: object | None) -> int | None:
    """Return the element's own counter of refusals, if its evidence has one."""
    for path in check.evidence:
        owner, _, name = path.partition(".")
        if owner == "it" and element is not None and not name.endswith("_delta"):
            value = getattr(element, name, None)
            if source_of(element, name).unit == "refusals" and isinstance(value, int):
                return value
    return None


def with_trends(outcomes: Sequence[CheckOutcome], trends: Trends) -> tuple[CheckOutcome, ...]:
    """Return the outcomes, each cleared finding that is heading for its limit soon (within a week) matched by a `trend` state."""
    if not trends:
        return tuple(outcomes)
    return tuple(
        to_outcome(one.check, tuple(_heading(one.check, item, trends) for item in one.findings), one.partial, one.counted)
        for one in outcomes
    )


def _heading(check: model.Check, finding: Finding, trends: Trends) -> Finding:
    trend = trends.get(key_of(check, finding.element))
    if trend is None or finding.outcome != "cleared" or trend.seconds_to_limit > min(HORIZON_S, FORESIGHT * trend.span_s):
        return finding
    strength = "likely" if trend.seconds_to_limit <= LIKELY_S else "possible"
    return replace(finding, outcome="matched", state=model.State("trend", strength, "true"), trend=trend)


def summary(check: model.Check, finding: Finding, facts: Facts) -> str:
    """Return the sentence of a finding matched by its trend."""
    here = with_element(facts, finding)
    limit, used = naming.limit_of(check, here)
    return sentence(naming.culprit_of(check, here), limit, used, finding.trend) if finding.trend else ""


def sentence(culprit: Culprit, limit: LimitValue | None, used: Usage | None, trend: Trend) -> str:
    """Say who uses how much of what, how fast it grows, and when it is full."""
    unit = limit.unit if limit else ""
    name = limit.name if limit else "its limit"
    figures = f"{quantity(used.value if used else trend.used, '' if unit != 'bytes' else unit)} of {quantity(trend.limit, unit)}"
    rate = quantity(round(trend.slope_per_s * 3600, 1), unit)
    who = "The host" if limit is not None and _is_named_after(culprit, limit) else culprit.unit or culprit.id
    text = (
        f"{who} is heading for {name}: {figures}, growing by {rate} an hour; full in about {as_duration(trend.seconds_to_limit)}."
    )
    return f"{text} The limit was raised meanwhile: postponed, not cured." if trend.was_raised else text
