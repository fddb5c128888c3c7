"""Scores what was recorded: what of the truth stands in a text, which innocents it leaves suspect, what it concludes. Pure."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.agents.faults import INNOCENT, Fact, Fault
from tests.agents.policies import Arm
from tests.agents.texts import Call, Recording, Release
from tests.tokens import tokens

Verdict = Literal["right", "wrong", "inconclusive", "none"]
POINTS: Mapping[Verdict, int] = {"right": 1, "inconclusive": 0, "wrong": -2, "none": 0}
RULED_OUT = re.compile(r"\b(ruled out|does not explain|not the cause|cleared|innocent)\b", re.IGNORECASE)
FAILED = re.compile(r"\[(exit status 255|no answer in \d+ s|the server has ended[^\]]*)\]\s*\Z|\A(Error|UNREACHABLE)\b")
REACHED = {"now", "at_limit", "past"}


@dataclass(frozen=True)
class Score:
    """One arm in one fault. `recall` is the share of facts; `precision` is of culprits at full recall, 0 where one is missed."""

    calls: int
    failed: int
    seconds: float
    tokens_out: int
    facts: int
    facts_found: int
    suspects: int
    precision: float | None
    verdict: Verdict
    forks: float
    cpu_s: float


def score(arm: Arm, fault: Fault, found: Recording) -> Score:
    """Score what an arm read of a fault."""
    calls = [call for group in arm.groups for call in found.groups[group].calls]
    said = list(records(calls))
    facts = [_filled(fact, found) for fact in fault.facts]
    present = facts_in(said, facts)
    culprits = {fact.who for fact in facts}
    named = {who for who in culprits if all(fact in present for fact in facts if fact.who == who)}
    suspects = suspects_in(said)
    precision = None
    if fault.causes:
        precision = len(culprits) / (len(culprits) + len(suspects)) if named == culprits else 0.0
    text = "\n".join(call.text for call in calls)
    return Score(
        calls=len(calls),
        failed=sum(is_failed(call) for call in calls),
        seconds=sum(call.seconds for call in calls),
        tokens_out=sum(tokens(call.text) for call in calls),
        facts=len(facts),
        facts_found=len(present),
        suspects=len(suspects),
        precision=precision,
        verdict=verdict_of(text, fault, facts) if arm.claims == "a verdict" else "none",
        forks=sum(found.groups[group].forks for group in arm.groups),
        cpu_s=sum(found.groups[group].cpu_s for group in arm.groups),
    )


def tokens_in(arm: Arm, release: Release) -> int:
    """Tokens of the tools that a server lists; a shell is one that an assistant has anyway."""
    return sum(tokens(release.tools[group]) for group in arm.groups if group in release.tools)


def is_failed(call: Call) -> bool:
    """Nothing came of it but a refusal or silence."""
    return not call.text.strip() or bool(FAILED.search(call.text))


def records(calls: Sequence[Call]) -> Iterator[str]:
    """What belongs together: a line of a text, or an object of JSON, each behind what was asked for."""
    for call in calls:
        parts = call.text.splitlines()
        if call.text.lstrip()[:1] in {"{", "["}:
            with contextlib.suppress(ValueError):  # not JSON after all
                parts = list(_objects(json.loads(call.text)))
        yield from (f"{call.asked}: {part}" for part in parts if part.strip())


def _objects(value: object) -> Iterator[str]:
    """The scalars of each object on one line; a text of several lines is its lines."""
    if isinstance(value, dict):
        plain = {key: item for key, item in value.items() if not isinstance(item, (dict, list))}
        long = [item for item in plain.values() if isinstance(item, str) and "\n" in item]
        yield " ".join(f"{key} {item}" for key, item in plain.items() if item not in long)
        yield from (line for item in long for line in item.splitlines())
        value = [item for key, item in value.items() if key not in plain]
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, str):
        yield from value.splitlines()


def facts_in(said: Sequence[str], facts: Sequence[Fact]) -> list[Fact]:
    """Those whose value stands beside its subject; the second of the same value and subject needs a second one."""
    present = []
    for number, fact in enumerate(facts):
        before = sum((other.subject, other.value) == (fact.subject, fact.value) for other in facts[:number])
        bag = "\n".join(part for part in said if re.search(fact.subject, part))
        if len(re.findall(fact.value, bag)) > before:
            present.append(fact)
    return present


def suspects_in(said: Sequence[str]) -> set[str]:
    """Innocents of which a text gives the figures, and does not say that they are."""
    present = facts_in(said, INNOCENT)
    shown = {fact.who for fact in INNOCENT if all(other in present for other in INNOCENT if other.who == fact.who)}
    subjects = {fact.who: fact.subject for fact in INNOCENT}
    return {who for who in shown if not any(re.search(subjects[who], part) and RULED_OUT.search(part) for part in said)}


def verdict_of(text: str, fault: Fault, facts: Sequence[Fact]) -> Verdict:
    """What a text concludes, by its first line and the lines that begin with `Cause:` and `Also:`; culprits must be named."""
    status = text.split(maxsplit=1)[0].lower() if text.strip() else ""
    named = re.findall(r"^(?:Cause|Also): (\w+), (\w+), (\w+)", text, re.MULTILINE)
    blamed = {cause for cause, active, strength in named if active in REACHED and strength != "possible"}
    if fault.is_healthy:
        return "wrong" if blamed else "right" if status in {"healthy", "warning"} else "inconclusive"
    if status == "healthy" or blamed - set(" ".join(fault.causes).split()):
        return "wrong"
    if not fault.causes:
        return "right" if status == "inconclusive" else "inconclusive"
    is_named = all(re.search(fact.subject, text) for fact in facts)
    return "right" if is_named and all(blamed & set(cause.split()) for cause in fault.causes) else "inconclusive"


def _filled(fact: Fact, found: Recording) -> Fact:
    """A fact with what was read on the guest in place of its gaps."""
    value = fact.value
    for key, number in found.seen.items():
        mebibytes = rf"{number / 1024:.0f}", re.escape(f"{number / 1024:.1f}")
        value = value.replace(f"{{{key}}}", rf"\b({number}|{number * 1024}|({'|'.join(mebibytes)}) ?Mi?B?)\b")
    return Fact(fact.who, fact.what, fact.subject.replace("{pid}", found.told.get("pid") or "-"), value)
