"""Goes through the checks in the runbook's order: each finding is matched, cleared or unknown. Pure.

Unknown never becomes cleared: an unreadable fact, a collection that may miss elements, a rule that fails on what it
could not read all leave the check unknown, with the reason, unless something else matches. What a program would have to
say is another matter: it is asked in a last round only, so its absence leaves nothing open (`check_results` says so).
"""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import field
from typing import cast

from triagebook.runbooks.engine import expressions, model, rules, symptoms
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import is_only_close
from triagebook.runbooks.engine.facts import Collection, Unreadable, identity_of
from triagebook.runbooks.engine.trend import Trend

Facts = Mapping[str, object]


@dataclass(frozen=True)
class Finding:
    """Describes one element against one check. `element` is None for a check of the host as a whole."""

    outcome: str  # matched | cleared | unknown
    element: object | None
    state: model.State | None = None
    because: str = ""
    trend: Trend | None = None  # set by `heading`, where somebody goes on looking


@dataclass(frozen=True)
class CheckOutcome:
    """Describes all findings of a check, made by `to_outcome`. `counted` elements were judged clear on the host, not listed."""

    check: model.Check
    findings: tuple[Finding, ...]
    outcome: str  # matched | unknown | cleared
    partial: str = ""
    counted: int = 0

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings that ended so."""
        return tuple([finding for finding in self.findings if finding.outcome == kind])


def to_outcome(check: model.Check, findings: tuple[Finding, ...], partial: str = "", counted: int = 0) -> CheckOutcome:
    """Return what its findings amount to. A complete look that found no element to judge is cleared: there is no limit."""
    found = [finding.outcome for finding in findings]
    outcome = "matched" if "matched" in found else "unknown" if "unknown" in found or partial else "cleared"
    return CheckOutcome(check, findings, outcome, partial, counted)


def with_element(facts: Facts, finding: Finding) -> Facts:
    """Return the facts with this finding's element as `it`."""
    return facts if finding.element is None else {**facts, "it": finding.element}


def judge(runbook: model.Runbook, facts: Facts, samples: int) -> tuple[CheckOutcome, ...]:
    """Judge every check. Raises rules.RuleError when a rule fails on readable facts."""
    of_host = iter(rules.evaluate_groups(_conditions_of_host(runbook, samples), facts))
    return tuple(
        _check(check, facts, samples) if check.each else _check_host(check, samples, next(of_host)) for check in runbook.checks
    )


def _conditions_of_host(runbook: model.Runbook, samples: int) -> tuple[tuple[str, ...], ...]:
    """Return the conditions of each check of the host as a whole."""
    return tuple([check.conditions_by(samples)[1] for check in runbook.checks if not check.each])


def _check_host(check: model.Check, samples: int, values: Iterable[object]) -> CheckOutcome:
    return to_outcome(check, (_finding(check.conditions_by(samples)[0], values, None),))


def _check(check: model.Check, facts: Facts, samples: int) -> CheckOutcome:
    states, conditions = check.conditions_by(samples)
    collection = rules.resolve(check.each, facts)
    if isinstance(collection, Unreadable):
        return to_outcome(check, () if _rests_on_a_program(check) else (Finding("unknown", None, because=collection.reason),))
    if not isinstance(collection, Collection):
        raise rules.RuleError(f"{check.id}: {check.each!r} is not a collection")
    findings = [_finding(states, rules.evaluate_each(conditions, {**facts, "it": item}), item) for item in collection.items]
    return to_outcome(check, tuple(findings), collection.partial, collection.counted)


def _rests_on_a_program(check: model.Check) -> bool:
    """Say whether its elements are of an answer that is asked for: each of its states asks whether there is one (`has`)."""
    root = check.each.partition(".")[0]
    asked = ([path.partition(".")[0] for path in expressions.presences(state.when)] for state in check.states)
    return all(root in roots for roots in asked)


def compile_rules(runbook: model.Runbook, kinds: Container[str]) -> None:
    """Compile the conditions that a first sample is judged by, where only these kinds are read in it."""
    unread = {name for name, kind in runbook.probes.items() if kind not in kinds}
    rules.get_ready(_conditions_of_host(runbook, 1), unread)
    for check in runbook.checks:
        if check.each and check.each.partition(".")[0] not in unread:
            rules.get_ready((check.conditions_by(1)[1],), unread)


def _finding(states: Sequence[model.State], values: Iterable[object], element: object | None) -> Finding:
    """Return the first state that holds, else what kept one from being judged, else that none does."""
    unreadable = ""
    for state, value in zip(states, values, strict=False):
        if isinstance(value, Unreadable):
            unreadable = unreadable or value.reason
        elif value is True:
            return Finding("matched", element, state)
    if unreadable:
        return Finding("unknown", element, because=unreadable)
    return Finding("cleared", element)


@dataclass(frozen=True)
class Needs:
    """Says what would still change the answer: another sample, suspects to read closely, programs to ask."""

    sample: bool = False
    suspects: tuple[int, ...] = ()
    asked: tuple[str, ...] = ()  # kinds that are costly to read, for the second sample
    lookups: tuple[tuple[str, str, str], ...] = ()  # (probe name, kind, subject)
    for_rules: tuple[tuple[str, str], ...] = ()  # of them, (probe name, subject) of those whose answers rules are to see
    outcomes: tuple[CheckOutcome, ...] = field(default=(), compare=False, repr=False)  # what this was seen from

    def __bool__(self) -> bool:
        return self.sample or bool(self.lookups)


MAX_SUSPECTS = 8
MAX_LOOKUPS = 3


def needs(runbook: model.Runbook, facts: Facts, samples: int, inputs: Mapping[str, object]) -> Needs:
    """Return what else to read before concluding. Pure. A healthy host needs nothing more than its first sample.

    A second sample is asked for when something matched in the first and a rule of that runbook compares two, or when a kind is
    wanted that is too costly to be read before something calls for it.
    Programs are asked about the units of matched findings and the one the caller named, once there is a finding.
    """
    facts = {**facts, "inputs": symptoms.rule_inputs(runbook, inputs)}
    outcomes = judge(runbook, facts, samples)
    matched = [(result.check, finding) for result in outcomes for finding in result.of("matched")]
    compares = any(state.samples > samples for check in runbook.checks for state in check.states)
    suspects = dict.fromkeys(_suspects(matched, facts, inputs))
    open_questions = _lookups_unexplained(runbook, matched, facts)
    lookups = dict.fromkeys([*open_questions, *_lookups(runbook, matched, facts)])
    costly = tuple([runbook.probes[name] for name, when in runbook.asks.items() if rules.evaluate(when, facts) is True])
    return Needs(
        sample=samples == 1 and ((bool(matched) and compares) or bool(costly)),
        suspects=tuple(suspects)[:MAX_SUSPECTS],
        asked=costly if samples == 1 else (),
        lookups=tuple(lookups)[:MAX_LOOKUPS],
        for_rules=_first_of_each([*open_questions, *_lookups_for_rules(runbook, matched, facts)]),
        outcomes=outcomes,
    )


def _suspects(matched: Sequence[tuple[model.Check, Finding]], facts: Facts, inputs: Mapping[str, object]) -> list[int]:
    pids = [inputs["pid"]] if isinstance(inputs.get("pid"), int) else []
    for check, finding in matched:
        if "pid" in check.culprit:
            pids.append(rules.evaluate(check.culprit["pid"], with_element(facts, finding)))
    return [pid for pid in pids if isinstance(pid, int) and pid > 0]


def _first_of_each(lookups: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the probe's name and subject of each lookup. Rules see one answer of a probe: that of the most pressing finding."""
    first: dict[str, str] = {}
    for probe, _kind, subject in lookups:
        first.setdefault(probe, subject)
    return tuple(first.items())


def _lookups_for_rules(
    runbook: model.Runbook, matched: Sequence[tuple[model.Check, Finding]], facts: Facts
) -> list[tuple[str, str, str]]:
    """Return the lookups of findings whose own check speaks of what they answer: the rest of them is evidence only."""
    found = ((check, _lookups(runbook, [(check, finding)], facts)) for check, finding in matched)
    return [lookup for check, lookups in found for lookup in lookups if _speaks_of(check, lookup[0])]


def _speaks_of(check: model.Check, probe: str) -> bool:
    """Say whether a condition, a name, a sentence or the evidence of the check has a fact of that probe in it."""
    texts = [check.says, *check.culprit.values(), *check.evidence]
    for state in check.states:
        texts += [state.when, state.says]
    return any(re.search(rf"\b{probe}\.", text) for text in texts)


def _lookups(runbook: model.Runbook, matched: Sequence[tuple[model.Check, Finding]], facts: Facts) -> list[tuple[str, str, str]]:
    found = []
    for check, finding in matched:
        for probe, expression in check.lookups.items():
            subject = rules.evaluate(expression, with_element(facts, finding))
            if isinstance(subject, str) and subject:
                found.append((probe, runbook.probes[probe], subject))
    return found


def _lookups_unexplained(
    runbook: model.Runbook, matched: Sequence[tuple[model.Check, Finding]], facts: Facts
) -> list[tuple[str, str, str]]:
    """Return what to ask where nothing that was found explains it: a victim that is gone left its traces in the log only."""
    asked = cast(Mapping[str, object], facts["inputs"])
    if runbook.unexplained is None or any(_explains(check, finding, asked) for check, finding in matched):
        return []
    is_named = symptoms.names_something(asked)
    wanted = runbook.unexplained.lookups if is_named else runbook.unexplained.lookups_unnamed
    subjects = {name: rules.evaluate(text, facts) for name, text in wanted.items()}
    return [(name, runbook.probes[name], subject) for name, subject in subjects.items() if isinstance(subject, str) and subject]


def _explains(check: model.Check, finding: Finding, asked: Mapping[str, object]) -> bool:
    """Say whether a finding is more than a possibility or a limit that is merely close, and can be what was asked about."""
    state = finding.state
    if state is None or state.strength == "possible" or is_only_close(check.nature, state.active):
        return False
    return symptoms.explains(check, str(asked["symptom_class"])) != "no"


def element_name(finding: Finding) -> str:
    """Return what a person calls a finding's element, for `unknown` lists: `java (8198)` for a process, else its identity."""
    if finding.element is None:
        return ""
    comm = getattr(finding.element, "comm", "")
    return f"{comm} ({identity_of(finding.element)})" if comm else identity_of(finding.element)
