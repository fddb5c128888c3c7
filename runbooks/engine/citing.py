"""Cites evidence: fact ids like `pids[/system.slice/x.service].current`, their readings over the samples, their sources."""

from collections.abc import Iterable, Mapping, Sequence

from triagebook.runbooks.engine import model, rules
from triagebook.runbooks.engine.diagnosis import FactEntry, Reading
from triagebook.runbooks.engine.facts import Collection, Source, Unreadable, has_fact, identity_of, source_of

Facts = Mapping[str, object]


def fact_id(path: str, check: model.Check, element: object | None) -> str:
    """Return the id of a fact: `it.current` of an element becomes `pids[IDENTITY].current`; other paths are their own id."""
    first, _, rest = path.partition(".")
    if first == "it" and element is not None:
        probe = check.each.split(".", 1)[0]
        return f"{probe}[{identity_of(element)}].{rest}"
    return path


def evidence_of(check: model.Check, element: object | None) -> tuple[str, ...]:
    """Return what a finding rests on: the check's evidence, and where a process runs, whatever its runbook cites.

    The last name of a cgroup's path may be of a user's choice: who approves a change sees the whole of it.
    """
    return (*check.evidence, "it.cgroup") if getattr(element, "cgroup", "") else check.evidence


def cgroups_of(culprit: str, cited: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the whole paths of the cgroups that a plan is about: its culprit, or where the culprit's process runs."""
    paths = [culprit, *(value for identifier, value in cited if identifier.endswith(".cgroup"))]
    return tuple(dict.fromkeys([path for path in paths if path.startswith("/")]))


def cite(path: str, check: model.Check, element: object | None, history: Sequence[Facts]) -> FactEntry:
    """Return one cited fact with a reading for every sample in which it could be read."""
    owner_path, _, name = path.rpartition(".")
    is_of_element = path.startswith("it.")
    readings: list[Reading] = []
    unreadable, seen = "", None
    for number, facts in enumerate(history, 1):
        known: Facts = facts
        if is_of_element:
            known = {"it": element if number == len(history) else _element_in(facts, check, element)}
        owner: object = rules.resolve(owner_path, known) if owner_path else known
        value = Unreadable("not seen") if owner is None else rules.value_of(owner, name)
        if isinstance(value, Unreadable):
            unreadable = value.reason
        elif isinstance(value, (int, float, bool, str)):
            readings.append(Reading(number, value))
        seen = seen if owner is None or isinstance(owner, Unreadable) else owner
    where = source_of(seen, name) if has_fact(seen, name) else Source("", "")
    return FactEntry(fact_id(path, check, element), where.unit, where.path, tuple(readings), "" if readings else unreadable)


def _element_in(facts: Facts, check: model.Check, element: object | None) -> object | None:
    if element is None:
        return None
    collection = rules.resolve(check.each, facts)
    if not isinstance(collection, Collection):
        return None
    wanted = identity_of(element)
    return next((item for item in collection.items if identity_of(item) == wanted), None)
