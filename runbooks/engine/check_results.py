"""Says of each check how it ended and by which figures, also where nothing was found: "ruled out" has a number behind it. Pure."""

from collections.abc import Sequence
from typing import Any, cast

from triagebook.runbooks.engine import citing, expressions, heading, naming, template
from triagebook.runbooks.engine.diagnosis import CheckResult, FactEntry, Findings, Unknown
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.judge import CheckOutcome, Facts, Finding, element_name, with_element
from triagebook.runbooks.engine.quantities import quantity

MAX_UNKNOWN_NAMES = 8
MAX_COMPARED = 500  # elements among which the nearest to its limit is looked for


def to_unknown(result: CheckOutcome) -> Unknown:
    """Return what of a check could not be judged, why, and which elements."""
    findings = result.of("unknown")
    names = [name for finding in findings if (name := element_name(finding))]
    because = next((finding.because for finding in findings if finding.because), result.partial)
    more = len(names) - MAX_UNKNOWN_NAMES
    shown = names[:MAX_UNKNOWN_NAMES] + ([f"and {more} more"] if more > 0 else [])
    return Unknown(result.check.id, because, tuple(shown))


def to_result(result: CheckOutcome, history: Sequence[Facts]) -> CheckResult:
    """Return one line of what was looked at, with the figures of the finding that came nearest to its limit."""
    facts = history[-1]
    found = [finding.outcome for finding in result.findings]
    counts = Findings(found.count("matched"), found.count("cleared") + result.counted, found.count("unknown"))
    outcome = result.outcome
    shown = _nearest(result, facts)
    figures = _figures(result, shown, history)
    if outcome == "matched":
        first = result.of("matched")[0]
        says = heading.summary(result.check, first, facts)
        says = says or template.render((first.state and first.state.says) or result.check.says, with_element(facts, first))
    elif outcome == "unknown":
        says = f"could not be judged: {to_unknown(result).because}"
    elif why_not := _why_skipped(result, facts):
        outcome, says = "skipped", why_not
    else:
        says = _text_of_clear(result, shown, counts.cleared, history, figures)
    return CheckResult(result.check.id, cast(Any, outcome), counts, says, figures, naming.title_of(result.check))


def _why_skipped(result: CheckOutcome, facts: Facts) -> str:
    """Return why nothing was looked at: each state rests on what a program says, which was not asked or gave no answer. Else ""."""
    reasons = [_why_unanswered(state.when, facts) for state in result.check.states]
    return reasons[0] if reasons and all(reasons) else ""


def _why_unanswered(when: str, facts: Facts) -> str:
    for path in expressions.presences(when):
        found = facts.get(path.split(".")[0])
        if found is None:
            return "it rests on what a program says, and none was asked"
        if isinstance(found, Unreadable):
            return found.reason
    return ""


def _nearest(result: CheckOutcome, facts: Facts) -> Finding | None:
    """Return the matched finding, else the one that uses most of its limit; None where there was nothing to look at."""
    found = result.of("matched") or result.of(result.outcome) or result.findings
    if len(found) < 2 or result.outcome == "matched":
        return found[0] if found else None
    return max(found[:MAX_COMPARED], key=lambda finding: _share(result, finding, facts))


def _share(result: CheckOutcome, finding: Finding, facts: Facts) -> float:
    limit, usage = naming.limit_of(result.check, with_element(facts, finding))
    return usage.value / limit.value if limit is not None and usage is not None and limit.value > 0 else -1.0


def _figures(result: CheckOutcome, shown: Finding | None, history: Sequence[Facts]) -> tuple[FactEntry, ...]:
    if shown is None:
        return ()
    cited = tuple(citing.cite(path, result.check, shown.element, history) for path in result.check.evidence)
    return tuple(entry for entry in cited if entry.readings) if result.outcome == "cleared" else cited


def _text_of_clear(
    result: CheckOutcome, shown: Finding | None, looked_at: int, history: Sequence[Facts], figures: Sequence[FactEntry]
) -> str:
    """Return the figure that rules a cause out, such as `cleared: 237 of 192 731 tasks`."""
    if shown is None:
        return f"cleared: {looked_at} looked at, none near its limit" if looked_at else "cleared: nothing here has this limit"
    limit, usage = naming.limit_of(result.check, with_element(history[-1], shown))
    if limit is not None and usage is not None:
        used = quantity(usage.value, "bytes" if limit.unit == "bytes" else "")
        text = f"{used} of {quantity(limit.value, limit.unit)}"
    else:
        now = [entry for entry in figures if entry.readings and entry.readings[-1].sample == len(history)]
        read = [entry for entry in now if entry.readings[-1].value != ""]  # an empty text, as of no container, says nothing
        text = ", ".join(f"{entry.id.rpartition('.')[2]} {_value(entry)}" for entry in read)
    if result.check.each:
        name = element_name(shown)
        text = f"{looked_at} looked at; nearest: {name} {text}".rstrip() if looked_at > 1 else f"{name} {text}".strip()
    return f"cleared: {text}" if text else "cleared"


def _value(entry: FactEntry) -> str:
    return quantity(entry.readings[-1].value, entry.unit)
