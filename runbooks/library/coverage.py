"""Finds what the cases of a runbook prove, and what they leave unproved: lint's rules about cases, and the mutations of a test."""

import re
from collections.abc import Sequence
from dataclasses import replace

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.conclude import Conclusion
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.judge import judge
from triagebook.runbooks.engine.symptoms import rule_inputs
from triagebook.runbooks.library.cases import Case, run_case
from triagebook.runbooks.library.document import Document, PathKey


@dataclass(frozen=True)
class Proof:
    """Says which states were the matching one in some case, and which checks were seen cleared and unknown."""

    states: frozenset[tuple[str, int]]
    cleared: frozenset[str]
    unknown: frozenset[str]
    has_healthy: bool
    offered: frozenset[str]


def proof(runbook: model.Runbook, cases: Sequence[Case]) -> Proof:
    """Return what the cases show of the runbook's states."""
    states: set[tuple[str, int]] = set()
    cleared: set[str] = set()
    unknown: set[str] = set()
    offered: set[str] = set()
    has_healthy = False
    for case in cases:
        conclusion = _conclusion(runbook, case)
        has_healthy = has_healthy or (conclusion is not None and conclusion.status == "healthy")
        offered |= {item.id for item in conclusion.remediations} if conclusion else set()
        facts = {**case.history[-1], "inputs": rule_inputs(runbook, case.inputs)}
        for result in judge(runbook, facts, len(case.history)):
            outcome = result.outcome
            cleared |= {result.check.id} if outcome == "cleared" else set()
            unknown |= {result.check.id} if outcome == "unknown" else set()
            for finding in result.of("matched"):
                if finding.state is not None:
                    states.add((result.check.id, result.check.states.index(finding.state)))
    return Proof(frozenset(states), frozenset(cleared), frozenset(unknown), has_healthy, frozenset(offered))


def _conclusion(runbook: model.Runbook, case: Case) -> Conclusion | None:
    return run_case(runbook, case).conclusion


def gaps(runbook: model.Runbook, cases: Sequence[Case]) -> tuple[str, ...]:
    """Return what lint complains about: one sentence each."""
    shown = proof(runbook, cases)
    found = []
    for check in runbook.checks:
        for index, state in enumerate(check.states):
            if (check.id, index) not in shown.states:
                found.append(f"{check.id}: no case matches states[{index}] ({state.active}, {state.strength})")
        if check.id not in shown.cleared:
            found.append(f"{check.id}: no case clears it")
        if check.id not in shown.unknown:
            found.append(f"{check.id}: no case leaves it unknown")
    if not shown.has_healthy:
        found.append("no case is healthy")
    found.extend(f"remediation {name}: no case offers it" for name in runbook.remediations if name not in shown.offered)
    found.extend(f"{label}: no case gives this advice" for label in _unused_advice(runbook, cases))
    return tuple(found)


def line_of_gap(gap: str, runbook: model.Runbook, document: Document) -> int:
    """Return the line of the runbook's file that a gap is about; 1 where it is about the whole."""
    place = re.search(r"(states|next|advice)\[(\d+)\]", gap)
    part: PathKey = (place[1], int(place[2])) if place else ()
    for index, check in enumerate(runbook.checks):
        if gap.startswith((f"{check.id}:", f"{check.id}.next[")):
            return document.line(("checks", index, *part))
    for index, remediation in enumerate(document.data.get("remediations", ())):
        if gap.startswith(f"remediation {remediation['id']}:"):
            return document.line(("remediations", index))
    return document.line(part)


def _unused_advice(runbook: model.Runbook, cases: Sequence[Case]) -> tuple[str, ...]:
    """Return advice that no case leads to: each sentence is replaced by its place and looked for in what is said."""
    places: list[str] = []

    def label_advice(label: str, advice: tuple[model.Advice, ...]) -> tuple[model.Advice, ...]:
        labels = [f"{label}[{index}]" for index in range(len(advice))]
        places.extend(labels)
        return tuple(replace(item, text=text) for item, text in zip(advice, labels, strict=True))

    checks = tuple(replace(check, next=label_advice(f"{check.id}.next", check.next)) for check in runbook.checks)
    other = replace(runbook, checks=checks, advice=label_advice("advice", runbook.advice))
    if runbook.unexplained is not None:
        said_then = label_advice("unexplained.next", runbook.unexplained.next)
        other = replace(other, unexplained=replace(runbook.unexplained, next=said_then))
    said = {text for case in cases if (conclusion := _conclusion(other, case)) for text in conclusion.next}
    return tuple(place for place in places if place not in said)


def mutations(runbook: model.Runbook) -> tuple[tuple[str, model.Runbook], ...]:
    """Return the runbook with one state changed at a time: made never true, always true, or given another `active`."""
    changed = []
    for position, check in enumerate(runbook.checks):
        for index, state in enumerate(check.states):
            other = next(name for name in model.ACTIVE if name != state.active)
            for label, mutant in (
                ("never", replace(state, when="false")),
                ("always", replace(state, when="true")),
                ("active", replace(state, active=other)),
            ):
                states = (*check.states[:index], mutant, *check.states[index + 1 :])
                checks = (*runbook.checks[:position], replace(check, states=states), *runbook.checks[position + 1 :])
                changed.append((f"{check.id}.states[{index}] {label}", replace(runbook, checks=checks)))
    return tuple(changed)
