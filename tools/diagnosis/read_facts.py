"""Reads the facts of kinds on one host, by one login and without a verdict; of a recorded case, those that its file has."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import lookups
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import TargetName


@dataclass(frozen=True)
class WantedFacts:
    """The kinds to read: those of the collector, and (kind, subject) of those that ask a program."""

    collected: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = field(default=())


def facts_to_read(words: Sequence[str]) -> WantedFacts:
    """Read `KIND` and `KIND:SUBJECT`; no word means all kinds that need no subject. Raises UsageError, RunbookError."""
    if not words:
        return WantedFacts(tuple(kind for kind in probes.kinds() if probes.is_collected(kind) and not _is_declared(kind)))
    collected, asked = [], []
    for word in dict.fromkeys(words):
        kind, colon, subject = word.partition(":")
        module = probes.load(kind)
        if _is_declared(kind):
            message = f"{kind} reads what a runbook declares of it: triagebook facts HOST --runbook RUNBOOK shows all facts of one"
            raise UsageError(message, reason="usage")
        if probes.is_collected(kind):
            if colon:
                raise UsageError(f"{kind} takes no subject: write it without {colon}{subject[:40]}", reason="usage")
            collected.append(kind)
            continue
        try:
            module.command(subject)
        except ValueError as error:
            raise UsageError(f"{kind} asks a program about one subject: write {kind}:SUBJECT ({error})", reason="usage") from None
        asked.append((kind, subject))
    return WantedFacts(tuple(collected), tuple(asked))


def _is_declared(kind: str) -> bool:
    """Say whether a kind reads nothing but what a runbook declares."""
    return hasattr(probes.load(kind), "bind")


def read_facts_of_runbook(service: Service, target: TargetName, runbook: str, *, samples: int = 1) -> Mapping[str, object]:
    """Return the facts that a runbook reads with each look, by its own names for its probes. Raises LoginFailed, RunbookError."""
    loaded = service.load(runbook)
    kinds = lookups.kinds_to_collect([loaded])
    if target.kind == "replay":
        found: Mapping[str, object] = facts_by_kind(service, service.diagnose(Question(target, runbook)))
    else:
        found = read_facts(service, target, WantedFacts(tuple(kinds)), samples=samples)
    return {name: found[kind] for name, kind in loaded.probes.items() if kind in kinds and kind in found}


def read_facts(
    service: Service, target: TargetName, wanted: WantedFacts, *, runbook: str = "", samples: int = 1
) -> Mapping[str, object]:
    """Return the facts by kind; `runbook` says whose case is meant. Raises LoginFailed, UsageError."""
    if target.kind == "replay":
        return _facts_of_case(service, target, wanted, runbook)
    timeouts = collect.sample_timeouts_for(service.silent_s)
    way = service.transport_for(target)
    collection = collect.start(way, target.reach, wanted.collected, timeouts=timeouts, cache=service.catalog.cache)
    try:
        for _ in range(samples - 1):
            service.pause(Question.sample_s)
            collection.take_sample()
        found = collect.parse(wanted.collected, collection.samples)
        return {**found, **lookups.facts(collection, wanted.asked)}
    finally:
        collection.close()


def _facts_of_case(service: Service, target: TargetName, wanted: WantedFacts, runbook: str) -> Mapping[str, object]:
    """Return those of the facts that the case has. Raises UsageError for a kind that it has none of."""
    there = facts_by_kind(service, service.diagnose(Question(target, runbook)))
    if wanted == facts_to_read(()):  # all kinds
        return there
    kinds = [*wanted.collected, *(kind for kind, _subject in wanted.asked)]
    if missing := [kind for kind in kinds if kind not in there]:
        raise UsageError(f"{target.text} has no facts of {missing[0]}; it has {', '.join(sorted(there))}", reason="usage")
    return {kind: there[kind] for kind in kinds}


def facts_by_kind(service: Service, answer: Answer) -> dict[str, object]:
    """Return the newest facts of all runbooks that were asked, by the kind of probe that read them."""
    found: dict[str, object] = {}
    for part in (answer, *answer.others):
        runbook, newest = part.diagnosis.runbook, part.history[-1]
        probes_of = service.load(f"{runbook.id}@{runbook.version}").probes
        found |= {kind: newest[probe] for probe, kind in probes_of.items() if probe in newest}
    return found
