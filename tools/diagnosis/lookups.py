"""The last round: programs asked about suspects (`systemctl show`, the journal). It may fail, and that is evidence too."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.diagnosis import FactEntry, Reading
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.probes import catalog as probes
from triagebook.tools.collector.collect import HostReader

TIMEOUT_S = 20.0


def kinds_to_collect(runbooks: Sequence[model.Runbook]) -> tuple[str, ...]:
    """The kinds that the collector's program reads for these runbooks, each once; those of a last round are left out.

    In the order of the probes' names: a runbook from the cache has no other order, and the same runbooks must make the
    same program each time.
    """
    named = [(number, name, kind) for number, runbook in enumerate(runbooks) for name, kind in runbook.probes.items()]
    return probes.kinds_to_collect(tuple([kind for _number, _name, kind in sorted(named)]))


def ask(collection: HostReader, wanted: Sequence[tuple[str, str, str]]) -> tuple[list[FactEntry], dict[tuple[str, str], object]]:
    """Run each lookup's fixed argv; give its facts as evidence, and as they are by (probe name, subject).

    A failure is an unreadable fact with its reason.
    """
    entries: list[FactEntry] = []
    answers: dict[tuple[str, str], object] = {}
    for probe, kind, subject in wanted:
        module = probes.load(kind)
        identifier = f"{probe}[{subject}]"
        try:
            argv = module.command(subject)
        except ValueError as error:
            entries.append(FactEntry(identifier, unreadable=str(error)))
            continue
        output = collection.run(argv, TIMEOUT_S)
        if isinstance(output, Unreadable):
            entries.append(FactEntry(identifier, source=argv[0], unreadable=output.reason))
            continue
        answers[probe, subject] = module.parse(output.stdout)
        entries.extend(_entries(identifier, answers[probe, subject], argv[0]))
    return entries, answers


def facts(collection: HostReader, wanted: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return the facts of each (kind, subject), by kind, for a comparison of hosts. A failure is an Unreadable."""
    found: dict[str, object] = {}
    for kind, subject in wanted:
        module = probes.load(kind)
        output = collection.run(module.command(subject), TIMEOUT_S)
        found[kind] = output if isinstance(output, Unreadable) else module.parse(output.stdout)
    return found


def _entries(identifier: str, facts: object, source: str) -> list[FactEntry]:
    if isinstance(facts, Unreadable) or not is_dataclass(facts):
        return [FactEntry(identifier, source=source, unreadable=getattr(facts, "reason", "no answer"))]
    entries = []
    for entry in fields(facts):
        value = getattr(facts, entry.name)
        name, unit = f"{identifier}.{entry.name}", entry.metadata.get("unit", "")
        if isinstance(value, (Unreadable, Collection)):
            continue  # what a unit does not set is no evidence; of many elements the checks cite those that they judge
        if isinstance(value, tuple):
            value = "; ".join(str(item) for item in value)
        if value != "":
            entries.append(FactEntry(name, unit, entry.metadata.get("source", source), (Reading(1, value),)))
    return entries
