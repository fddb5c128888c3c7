"""Concludes from facts: verdicts in order, the status, the first sentence, what to do next. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from triagebook.runbooks.engine import citing, heading, model, naming, offers, rules, symptoms, template
from triagebook.runbooks.engine.check_results import to_result, to_unknown
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import (
    CheckResult,
    FactEntry,
    LoginResult,
    OfferedRemediation,
    Status,
    Unknown,
    Verdict,
    is_only_close,
)
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.first_sentence import REACHED, Said, about_text, first_sentence
from triagebook.runbooks.engine.judge import CheckOutcome, Facts, Finding, judge, with_element

MAX_VERDICTS = 24


@dataclass(frozen=True)
class Conclusion:
    """Describes all that a diagnosis says, without how and when it was got."""

    status: Status
    headline: str
    verdict: Verdict | None
    also: tuple[Verdict, ...]
    checks: tuple[CheckResult, ...]
    unknown: tuple[Unknown, ...]
    facts: tuple[FactEntry, ...]
    remediations: tuple[OfferedRemediation, ...]
    next: tuple[str, ...]
    caveats: tuple[str, ...]
    error_class: str
    omitted: int = 0
    is_open: bool = False  # somebody named something, and nothing that was found explains it


@dataclass(frozen=True)
class OtherRunbooks:
    """Says what other runbooks, asked over the same facts, add to the conclusion of one of them.

    `explained`: one of them found what explains the incident. `of_text`: the sentence about an error text that none of them knows.
    """

    explained: bool = False
    of_text: str = ""


@dataclass(frozen=True)
class _Ranked:
    """Describes a verdict with what orders it."""

    key: tuple[int, ...]
    verdict: Verdict
    check: model.Check
    finding: Finding


def conclude(
    runbook: model.Runbook,
    history: Sequence[Facts],
    inputs: Mapping[str, object],
    *,
    accepted: Sequence[str] = (),
    error_class: str = "",
    trends: heading.Trends | None = None,
    outcomes: Sequence[CheckOutcome] = (),
    beside: OtherRunbooks | None = None,
    is_brief: bool = False,
) -> Conclusion:
    """Decide on the last of `history` (facts after each sample). `accepted`: checks whose unknown is a stated caveat.

    `outcomes` are what that last one was judged to be where it was done already (`needs`). `error_class` overrides the routing of
    the symptom's text; `trends` is for those who go on looking; `beside` is for one of several runbooks asked together. `is_brief`
    leaves out what supports the verdicts: checks, facts, offers and advice. Raises RunbookError when a rule or template fails.
    """
    beside = beside or OtherRunbooks()
    asked = symptoms.rule_inputs(runbook, inputs, error_class)
    error_class = asked["symptom_class"]
    history = [{**facts, "inputs": asked} for facts in history]
    facts = history[-1]
    outcomes = heading.with_trends(tuple(outcomes) or judge(runbook, facts, len(history)), trends or {})
    ranked = _rank(runbook, outcomes, facts, error_class)
    omitted, ranked = max(0, len(ranked) - MAX_VERDICTS), ranked[:MAX_VERDICTS]
    unknown = tuple(to_unknown(result) for result in outcomes if result.outcome == "unknown")
    caveats = tuple(f"{item.check} could not be judged: {item.because}" for item in unknown if item.check in accepted)
    verdicts = [item.verdict for item in ranked]
    status = _status(
        verdicts, [item for item in unknown if item.check not in accepted and _matters(runbook, item.check, error_class)]
    )
    is_open = not beside.explained and _is_unexplained(runbook, verdicts, asked) and status != "cause_found"
    status = "inconclusive" if is_open else status
    found = Conclusion(
        status=status,
        headline=first_sentence(
            runbook, Said(status, verdicts, unknown, is_open), facts, about_text(runbook, facts, beside.of_text)
        ),
        verdict=verdicts[0] if verdicts else None,
        also=tuple(verdicts[1:]),
        checks=(),
        unknown=unknown,
        facts=(),
        remediations=(),
        next=(),
        caveats=caveats,
        error_class=error_class,
        omitted=omitted,
        is_open=is_open,
    )
    return found if is_brief else _with_support(found, runbook, history, outcomes, ranked, trends or {})


def _with_support(
    found: Conclusion,
    runbook: model.Runbook,
    history: Sequence[Facts],
    outcomes: Sequence[CheckOutcome],
    ranked: Sequence[_Ranked],
    trends: heading.Trends,
) -> Conclusion:
    """Return the conclusion with what supports its verdicts, and what to do about them."""
    facts = history[-1]
    cited = {}
    for item in ranked:
        for path in citing.evidence_of(item.check, item.finding.element):
            entry = citing.cite(path, item.check, item.finding.element, history)
            cited[entry.id] = entry
    return replace(
        found,
        checks=tuple([to_result(result, history) for result in outcomes]),
        facts=tuple(cited.values()),
        remediations=offers.offers_for(runbook, [(item.check, item.finding, item.verdict) for item in ranked], facts),
        next=(
            *_growth_sentences(ranked, trends),
            *_next(runbook, ranked, facts),
            *(_next_unexplained(runbook, facts) if found.is_open else ()),
        ),
    )


def unreachable_headline(runbook: model.Runbook, login: LoginResult) -> str:
    """Return the first sentence when no session was had."""
    return template.render(runbook.headlines.unreachable, {"login": login})


def _rank(runbook: model.Runbook, outcomes: Sequence[CheckOutcome], facts: Facts, error_class: str) -> list[_Ranked]:
    ranked = []
    for order, result in enumerate(outcomes):
        for finding in result.of("matched"):
            verdict = _verdict(result.check, finding, facts, error_class)
            key = (
                bool(verdict.belongs_to) and verdict.strength == "possible",  # a mere possibility elsewhere stands last
                verdict.explains_symptom == "no",
                bool(verdict.belongs_to),  # "not this, but" never stands before a cause of this runbook
                model.ACTIVE.index(verdict.active),
                model.STRENGTHS.index(verdict.strength),
                order,
            )
            ranked.append(_Ranked(key, verdict, result.check, finding))
    return sorted(ranked, key=lambda item: item.key)


def _verdict(check: model.Check, finding: Finding, facts: Facts, error_class: str) -> Verdict:
    here = with_element(facts, finding)
    state = cast(model.State, finding.state)
    limit, usage = naming.limit_of(check, here)
    return Verdict(
        cause=check.id,
        nature=cast(Any, check.nature),
        strength=cast(Any, state.strength),
        active=cast(Any, state.active),
        explains_symptom=cast(Any, _explains(check, state, here, error_class)),
        summary=heading.summary(check, finding, facts) or template.render(state.says or check.says, here),
        culprit=naming.culprit_of(check, here),
        limit=limit,
        usage=usage,
        since=template.render(check.since, here) if check.since else "",
        consumers=naming.consumers_of(check, here),
        evidence=tuple(citing.fact_id(path, check, finding.element) for path in citing.evidence_of(check, finding.element)),
        belongs_to=check.belongs_to,
    )


def _explains(check: model.Check, state: model.State, here: Facts, error_class: str) -> str:
    """Say whether a cause explains the error: its class must allow it, and what the caller named must be in its reach.

    Of a limit that is merely close nobody knows: a burst may have met it, and it may be innocent.
    """
    by_class = symptoms.explains(check, error_class)
    if by_class == "yes" and is_only_close(check.nature, state.active):
        by_class = "unknown"
    inputs = cast(Mapping[str, object], here["inputs"])
    for name, expression in check.scope.items():
        if name in inputs:
            concerned = rules.evaluate(expression, here)
            if concerned is False:
                return "no"
            if isinstance(concerned, Unreadable) and by_class == "yes":
                by_class = "unknown"
    return by_class


def _status(verdicts: Sequence[Verdict], unknown: Sequence[Unknown]) -> Status:
    """Return the status. A reached limit that is at least likely is a cause; what is only possible or not judged is not 'fine'."""
    if any(verdict.active in REACHED and verdict.strength != "possible" for verdict in verdicts):
        return "cause_found"
    if unknown or any(verdict.active in REACHED for verdict in verdicts):
        return "inconclusive"
    return "warning" if verdicts else "healthy"


def _matters(runbook: model.Runbook, check_id: str, error_class: str) -> bool:
    """Say whether a cause that could not be judged leaves the answer open: not one that cannot produce the error named."""
    return runbook.unexplained is None or symptoms.explains(runbook.check(check_id), error_class) != "no"


def _is_unexplained(runbook: model.Runbook, verdicts: Sequence[Verdict], asked: Mapping[str, Any]) -> bool:
    """Say whether somebody named an error, a unit, a user or a process, and nothing that was found can be why."""
    if runbook.unexplained is None or not symptoms.names_something(asked):
        return False
    return not any(verdict.may_be_why for verdict in verdicts)


def _next_unexplained(runbook: model.Runbook, facts: Facts) -> tuple[str, ...]:
    advice = runbook.unexplained.next if runbook.unexplained is not None else ()
    return tuple(template.render(item.text, facts) for item in _applicable(advice, facts))


def _growth_sentences(ranked: Sequence[_Ranked], trends: heading.Trends) -> tuple[str, ...]:
    """Return what matched for another reason and goes on growing: raising its limit would only buy time."""
    sentences = []
    for item in ranked:
        trend, verdict = trends.get(heading.key_of(item.check, item.finding.element)), item.verdict
        if trend is not None and item.finding.trend is None and verdict.active not in REACHED:
            sentences.append(heading.sentence(verdict.culprit, verdict.limit, verdict.usage, trend))
    return tuple(sentences)


def _applicable(advices: Sequence[model.Advice], facts: Facts) -> list[model.Advice]:
    """Return those whose condition holds."""
    values = rules.evaluate_each(tuple([advice.when or "true" for advice in advices]), facts)
    return [advice for advice, value in zip(advices, values, strict=False) if value is True]


def _next(runbook: model.Runbook, ranked: Sequence[_Ranked], facts: Facts) -> tuple[str, ...]:
    sentences: dict[str, None] = {}
    for item in ranked:
        here = with_element(facts, item.finding)
        for advice in _applicable(item.check.next, here):
            sentences[template.render(advice.text, here)] = None
    for advice in _applicable(runbook.advice, facts):
        sentences[template.render(advice.text, facts)] = None
    return tuple(sentences)
