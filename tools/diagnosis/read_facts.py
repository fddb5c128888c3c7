"""Reads the facts of kinds on one host, by one login and without a verdict; of a recorded case, those that its file has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.collector import collect
from triagebook.tools.diagnosis import lookups
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import TargetName


@dataclass(frozen=True)
class WantedFacts:
    """The kinds to read: those of the collector, and (kind, subject) of those that ask a program."""

    collected: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = field(default=())


def parse_wanted(words: Sequence[str]) -> WantedFacts:
    """Read `KIND` and `KIND:SUBJECT`; no word means all kinds that need no subject. Raises UsageError, RunbookError."""
    if not words:
        return WantedFacts(tuple(kind for kind in probes.kinds() if probes.is_collected(kind)))
    collected, asked = [], []
    for word in dict.fromkeys(words):
        kind, colon, subject = word.partition(":")
        module = probes.load(kind)
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


def read_facts(
    service: Service, target: TargetName, wanted: WantedFacts, default_runbook: Callable[[], str], samples: int = 1
) -> Mapping[str, object]:
    """Return the facts by kind. Raises LoginFailed, UsageError."""
    if target.kind == "replay":
        return _recorded(service, target, wanted, default_runbook())
    collection = collect.start(service.transport_for(target), target.reach, wanted.collected, cache=service.catalog.cache)
    try:
        for _ in range(samples - 1):
            service.pause(Question.sample_s)
            collection.take_sample()
        found = collect.parse(wanted.collected, collection.samples)
        return {**found, **lookups.facts(collection, wanted.asked)}
    finally:
        collection.close()


def _recorded(service: Service, target: TargetName, wanted: WantedFacts, name: str) -> Mapping[str, object]:
    """Return those of the facts that the case has. Raises UsageError for a kind that its runbook does not read."""
    runbook = service.catalog.load(name)
    last = service.diagnose(Question(target, name)).history[-1]
    there = {kind: last[probe] for probe, kind in runbook.probes.items() if probe in last}
    kinds = [*wanted.collected, *(kind for kind, _subject in wanted.asked)]
    if missing := [kind for kind in kinds if kind not in there and kind not in runbook.probes.values()]:
        if set(kinds) >= {kind for kind in probes.kinds() if probes.is_collected(kind)}:
            return there  # all kinds were asked for
        raise UsageError(f"{target.text} has no facts of {missing[0]}{did_you_mean(missing[0], there)}", reason="usage")
    return {kind: there[kind] for kind in kinds if kind in there}
