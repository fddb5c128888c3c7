"""Finds which of several runbooks an error text belongs to. Pure.

A runbook owns a text that its table of symptoms routes to one of its own causes. Of several that own it, the one that other
runbooks point to (`belongs_to`) leads; then the one whose table has the words of another owner too and still takes the text
("killed by SIGBUS"); then the one whose pattern takes in most of the text.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from triagebook.runbooks.engine import model, symptoms
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.expressions import matches
from triagebook.runbooks.engine.libc_messages import in_english

TextFit = Literal["leads", "fits", "other_matter", "unknown", ""]


@dataclass(frozen=True)
class TextRoute:
    """Says what one runbook makes of an error text: `fit` "" where there is none, and the class it has there ("": none)."""

    fit: TextFit = ""
    error_class: str = ""
    belongs_to: str = ""  # of another matter: the runbook for it
    says: str = ""  # of the one that leads by the word of another and does not know the text: that word

    @property
    def is_given(self) -> bool:
        """Say whether the runbook is told the text: not where another one owns it."""
        return self.fit in {"leads", "fits", "unknown"}


def route_text(runbooks: Sequence[model.Runbook], text: str) -> Mapping[str, TextRoute]:
    """Return the route of the text for each runbook, by its id. At most one leads; without a text, none does.

    A text that is another matter for all of them is led by the runbook it belongs to if that is asked, else by the first that
    names the matter. A text that none of them knows is told to all.
    """
    if not text:
        return {runbook.id: TextRoute() for runbook in runbooks}
    text = in_english(text[: symptoms.MAX_SYMPTOM])
    found = {runbook.id: symptoms.route(runbook, text) for runbook in runbooks}
    pointed = [symptom.belongs_to for symptom in found.values() if symptom is not None and symptom.matter and symptom.belongs_to]
    owners = {name: symptom for name, symptom in found.items() if symptom is not None and not symptom.matter}
    if len(owners) > 1:
        known = {runbook.id: _owners_it_knows(runbook, owners, text) for runbook in runbooks}
        extents = {name: _extent(symptom.match, text) for name, symptom in owners.items()}
        order = sorted(owners, key=lambda name: (-pointed.count(name), -known[name], -extents[name]))
    else:
        order = list(owners)
    leader = order[0] if order else next((name for name in pointed if name in found), "") or _first_that_names(found)
    routes = {name: _route(name, symptom, leader) for name, symptom in found.items()}
    if leader and found[leader] is None:
        says = next(symptom.says for symptom in found.values() if symptom is not None and symptom.belongs_to == leader)
        routes[leader] = replace(routes[leader], says=says)
    return routes


def runbooks_pointed_to(runbooks: Sequence[model.Runbook], text: str) -> tuple[str, ...]:
    """Return the ids of further runbooks that the text belongs to by the word of these, where none of these owns it."""
    found = [symptoms.route(runbook, text) for runbook in runbooks]
    if any(symptom is not None and not symptom.matter for symptom in found):
        return ()
    asked = {runbook.id for runbook in runbooks}
    named = dict.fromkeys(symptom.belongs_to for symptom in found if symptom is not None and symptom.belongs_to)
    return tuple(name for name in named if name not in asked)


def _owners_it_knows(runbook: model.Runbook, owners: Container[str], text: str) -> int:
    """Return how many further symptoms of the runbook match the text and belong to another owner of it."""
    others = [symptom for symptom in runbook.symptoms if symptom.belongs_to in owners]
    return sum(matches(symptom.match, text) for symptom in others)


def _first_that_names(found: Mapping[str, model.Symptom | None]) -> str:
    return next((name for name, symptom in found.items() if symptom is not None), "")


def _route(name: str, symptom: model.Symptom | None, leader: str) -> TextRoute:
    error_class = symptom.error_class if symptom is not None else ""
    belongs_to = symptom.belongs_to if symptom is not None else ""
    if name == leader:
        return TextRoute("leads", error_class, belongs_to)
    if symptom is None:
        return TextRoute("other_matter" if leader else "unknown")
    return TextRoute("other_matter" if symptom.matter else "fits", error_class, belongs_to)


def _extent(pattern: str, text: str) -> int:
    """Return how many characters the shortest stretch of the text has in which the pattern is found.

    By bisection: first the end, then the beginning. An anchor may make it longer than it is, never wrong about which text fits.
    """
    end = _least(1, len(text), lambda length: matches(pattern, text[:length]))
    start = end - _least(1, end, lambda length: matches(pattern, text[end - length : end]))
    return end - start


def _least(low: int, high: int, is_enough: Callable[[int], bool]) -> int:
    """Return the least number for which it is enough, where it is for the greatest."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return high
