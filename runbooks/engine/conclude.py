"""From facts to a conclusion: verdicts in order, the status, the first sentence, what to do next. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from triagebook.runbooks.engine import citing, model, offers, rules, symptoms, template
from triagebook.runbooks.engine.diagnosis import (
    CheckResult,
    Consumer,
    Culprit,
    FactEntry,
    Findings,
    LimitValue,
    LoginResult,
    OfferedRemediation,
    Status,
    Unknown,
    Usage,
    Verdict,
)
from triagebook.runbooks.engine.facts import Collection, Unreadable, source_of
from triagebook.runbooks.engine.triage import CheckOutcome, Facts, Finding, bound, element_name, triage

MAX_UNKNOWN_NAMES = 8
MAX_VERDICTS = 24
_REACHED = {"now", "at_limit"}


@dataclass(frozen=True)
class Conclusion:
    """All that a diagnosis says, without how and when it was got."""

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


@dataclass(frozen=True)
class _Ranked:
    """A verdict with what orders it."""

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
) -> Conclusion:
    """Decide on the last of `history` (facts after each sample). `accepted`: checks whose unknown is a stated caveat.

    `error_class` overrides the routing of the symptom's text. Raises RunbookError when a rule or template fails.
    """
    asked = symptoms.asked(runbook, inputs, error_class)
    error_class = asked["symptom_class"]
    history = [{**facts, "inputs": asked} for facts in history]
    facts = history[-1]
    outcomes = triage(runbook, facts, len(history))
    ranked = _ranked(runbook, outcomes, facts, error_class)
    omitted, ranked = max(0, len(ranked) - MAX_VERDICTS), ranked[:MAX_VERDICTS]
    unknown = tuple(_unknown(result) for result in outcomes if result.outcome == "unknown")
    caveats = tuple(f"{item.check} could not be judged: {item.because}" for item in unknown if item.check in accepted)
    status = _status([item.verdict for item in ranked], [item for item in unknown if item.check not in accepted])
    cited = {}
    for item in ranked:
        for path in item.check.evidence:
            entry = citing.cite(path, item.check, item.finding.element, history)
            cited[entry.id] = entry
    verdicts = [item.verdict for item in ranked]
    return Conclusion(
        status=status,
        headline=_headline(runbook, status, verdicts, facts, unknown),
        verdict=verdicts[0] if verdicts else None,
        also=tuple(verdicts[1:]),
        checks=tuple(_result(result, facts) for result in outcomes),
        unknown=unknown,
        facts=tuple(cited.values()),
        remediations=offers.offered(runbook, [(item.check, item.finding, item.verdict) for item in ranked], facts),
        next=_next(runbook, ranked, facts),
        caveats=caveats,
        error_class=error_class,
        omitted=omitted,
    )


def unreachable_headline(runbook: model.Runbook, login: LoginResult) -> str:
    """The first sentence when no session was had."""
    return template.render(runbook.headlines.unreachable, {"login": login})


def _ranked(runbook: model.Runbook, outcomes: Sequence[CheckOutcome], facts: Facts, error_class: str) -> list[_Ranked]:
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
    here = bound(facts, finding)
    state = cast(model.State, finding.state)
    limit, usage = _limit(check, here)
    return Verdict(
        cause=check.id,
        nature=cast(Any, check.nature),
        strength=cast(Any, state.strength),
        active=cast(Any, state.active),
        explains_symptom=cast(Any, _explains(check, here, error_class)),
        summary=template.render(state.says or check.says, here),
        culprit=_culprit(check, here),
        limit=limit,
        usage=usage,
        since=template.render(check.since, here) if check.since else "",
        consumers=_consumers(check, here),
        evidence=tuple(citing.fact_id(path, check, finding.element) for path in check.evidence),
        belongs_to=check.belongs_to,
    )


def _explains(check: model.Check, here: Facts, error_class: str) -> str:
    """The class must allow it, and what the caller named must be in its reach."""
    by_class = symptoms.explains(check, error_class)
    inputs = cast(Mapping[str, object], here["inputs"])
    for name, expression in check.scope.items():
        if name in inputs:
            concerned = rules.evaluate(expression, here)
            if concerned is False:
                return "no"
            if isinstance(concerned, Unreadable) and by_class == "yes":
                by_class = "unknown"
    return by_class


def _limit(check: model.Check, here: Facts) -> tuple[LimitValue | None, Usage | None]:
    if check.limit is None:
        return None, None
    value, used = rules.evaluate(check.limit.value, here), rules.evaluate(check.limit.used, here)
    limit = usage = None
    if isinstance(value, (int, float)):
        unit, source = _source(check.limit.value, here)
        limit = LimitValue(check.limit.name, value, unit, source)
    if isinstance(used, (int, float)):
        usage = Usage(used, *_source(check.limit.used, here))
    return limit, usage


def _source(expression: str, here: Facts) -> tuple[str, str]:
    """Unit and file of the first fact an expression names."""
    for path in rules.paths(expression):
        owner_path, _, name = path.rpartition(".")
        owner = rules.resolve(owner_path, here) if owner_path else None
        if owner is not None and not isinstance(owner, (Unreadable, Mapping)):
            where = source_of(owner, name)
            return where.unit, where.path
    return "", ""


def _culprit(check: model.Check, here: Facts) -> Culprit:
    values = {name: rules.evaluate(text, here) for name, text in check.culprit.items()}
    known = {name: value for name, value in values.items() if not isinstance(value, Unreadable)}
    pid = known.get("pid", 0)
    return Culprit(
        kind=cast(Any, str(known.get("kind", "host"))),
        id=str(known.get("id", "")),
        unit=str(known.get("unit", "")),
        user=str(known.get("user", "")),
        pid=pid if isinstance(pid, int) else 0,
    )


def _consumers(check: model.Check, here: Facts) -> tuple[Consumer, ...]:
    if check.consumers is None:
        return ()
    collection = rules.resolve(check.consumers.each, here)
    if not isinstance(collection, Collection):
        return ()
    found = []
    for that in collection.items:
        scope = {**here, "that": that}
        if rules.evaluate(check.consumers.where, scope) is not True:
            continue
        count = rules.evaluate(check.consumers.count, scope)
        if isinstance(count, (int, float)):
            names = {name: getattr(that, name, "") for name in ("unit", "user", "comm")}
            found.append(Consumer(pid=int(getattr(that, "pid", 0)), count=count, **names))
    return tuple(sorted(found, key=lambda item: -item.count)[:5])


def _status(verdicts: Sequence[Verdict], unknown: Sequence[Unknown]) -> Status:
    """A reached limit that is at least likely is a cause; one that is only possible, or an unjudged check, is not 'fine'."""
    if any(verdict.active in _REACHED and verdict.strength != "possible" for verdict in verdicts):
        return "cause_found"
    if unknown or any(verdict.active in _REACHED for verdict in verdicts):
        return "inconclusive"
    return "warning" if verdicts else "healthy"


def _headline(runbook: model.Runbook, status: Status, verdicts: Sequence[Verdict], facts: Facts, unknown: Sequence[Unknown]) -> str:
    if verdicts and (status in {"cause_found", "warning"} or verdicts[0].active in _REACHED):
        text = getattr(runbook.headlines, verdicts[0].nature)
        sentence = template.render(text, {**facts, "verdict": verdicts[0]})
        if verdicts[0].explains_symptom == "no":
            sentence += " This is real, but it does not explain the error you gave."
        return sentence
    sentence = template.render(runbook.headlines.healthy if status == "healthy" else runbook.headlines.inconclusive, facts)
    if status == "inconclusive":
        sentence += f" Not judged: {', '.join(item.check for item in unknown)}."
    return f"{sentence} {verdicts[0].summary}" if verdicts else sentence


def _unknown(result: CheckOutcome) -> Unknown:
    findings = result.of("unknown")
    names = [name for finding in findings if (name := element_name(finding))]
    because = next((finding.because for finding in findings if finding.because), result.partial)
    more = len(names) - MAX_UNKNOWN_NAMES
    shown = names[:MAX_UNKNOWN_NAMES] + ([f"and {more} more"] if more > 0 else [])
    return Unknown(result.check.id, because, tuple(shown))


def _result(result: CheckOutcome, facts: Facts) -> CheckResult:
    counts = Findings(
        matched=len(result.of("matched")),
        cleared=len(result.of("cleared")) + result.counted,
        unknown=len(result.of("unknown")),
    )
    outcome = result.outcome
    if outcome == "matched":
        first = result.of("matched")[0]
        says = template.render((first.state and first.state.says) or result.check.says, bound(facts, first))
    elif outcome == "unknown":
        says = f"could not be judged: {_unknown(result).because}"
    else:
        says = f"cleared ({counts.cleared} looked at)" if result.check.each else "cleared"
    return CheckResult(result.check.id, cast(Any, outcome), counts, says)


def _next(runbook: model.Runbook, ranked: Sequence[_Ranked], facts: Facts) -> tuple[str, ...]:
    sentences: dict[str, None] = {}
    for item in ranked:
        here = bound(facts, item.finding)
        for advice in item.check.next:
            if not advice.when or rules.evaluate(advice.when, here) is True:
                sentences[template.render(advice.text, here)] = None
    for advice in runbook.advice:
        if not advice.when or rules.evaluate(advice.when, facts) is True:
            sentences[template.render(advice.text, facts)] = None
    return tuple(sentences)


def with_commands(offer: OfferedRemediation, commands: Sequence[str], undo: Sequence[str]) -> OfferedRemediation:
    """The offer with what a person would type; filled in by whoever knows the actions."""
    return replace(offer, commands=tuple(commands), undo_commands=tuple(undo))
