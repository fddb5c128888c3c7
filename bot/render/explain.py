"""Renders the words of runbooks for people: kinds and facts, checks, remediations, actions. One function a noun."""

from collections.abc import Iterable, Mapping

from triagebook.bot.render.style import Style
from triagebook.runbooks.engine import model
from triagebook.runbooks.engine.naming import title_of
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.library.vocabulary import FactDescription, KindDescription
from triagebook.tools.actions import Action, Parameter

Lines = list[str]


def kinds_text(kinds: Iterable[KindDescription], style: Style) -> str:
    """Return a line for each kind: its name and its first sentence."""
    found = list(kinds)
    width = max(len(kind.kind) for kind in found) + 2
    lines = [line for kind in found for line in style.row(kind.kind, _first_sentence(kind.about), width)]
    return "\n".join([*lines, "", *style.wrap("Facts of one: `triagebook runbook explain KIND`")]) + "\n"


def kind_text(kind: KindDescription, facts: Iterable[FactDescription], style: Style) -> str:
    """Return a kind with these of its facts."""
    lines = [*style.wrap(f"{kind.kind}: {kind.about}"), "", *style.wrap(f"It is {kind.how}.", "", ""), ""]
    return "\n".join([*lines, *(line for fact in facts for line in _fact(fact, style))]) + "\n"


def _fact(fact: FactDescription, style: Style) -> Lines:
    unit = f", {fact.unit}" if fact.unit else ""
    absent = ", or unreadable" if fact.may_be_unreadable else ""
    lines = style.wrap(f"{fact.path}  {fact.type}{unit}{absent}", "  ", "      ")
    if fact.source:
        lines += style.wrap(f"from {fact.source}", "      ", "      ")
    return lines + (style.wrap(fact.about, "      ", "      ") if fact.about else [])


def check_text(runbook: model.Runbook, check: model.Check, style: Style) -> str:
    """Return a check: where it looks, its states in order, what it says and what it offers."""
    lines = style.wrap(f"{check.id}: {title_of(check)}. A check of {runbook.name}, {check.nature}.")
    explains = ", ".join(check.explains) or "no error text by itself"
    rows = [("looks at", f"each of {check.each}" if check.each else "the host as a whole"), ("explains", explains)]
    if check.limit is not None:
        rows += [("limit", check.limit.name), ("value", check.limit.value), ("used", check.limit.used)]
    lines += [line for name, text in rows for line in style.wrap(text, f"  {name:<10}", " " * 12)]
    lines += ["", "States, the first that is true:"]
    for state in check.states:
        second = "  (two samples)" if state.samples > 1 else ""
        lines += [*style.wrap(f"{state.active}, {state.strength}{second}", "  ", "    "), *style.wrap(state.when, "    ", "      ")]
    if check.offers:
        lines += ["", "Offers:", *(f"  {offer.id}" for offer in check.offers)]
    if check.evidence:
        lines += ["", *style.wrap(", ".join(check.evidence), "Evidence: ", "          ")]
    return "\n".join(lines) + "\n"


def remediation_text(runbook: model.Runbook, remediation: model.Remediation, style: Style) -> str:
    """Return a remediation: its action, its bounded parameters, its disruption and how it is undone."""
    lines = style.wrap(
        f"{remediation.id}: {remediation.title}. A remediation of {runbook.name}, by the action {remediation.action}."
    )
    rows = [
        ("risk", remediation.risk),
        ("disruption", remediation.disruption),
        ("undo", "what was before is captured and put back" if remediation.undo == "captured" else "none"),
        ("validated", f"{', '.join(remediation.validates_cleared)} cleared within {remediation.validates_within_s} s"),
    ]
    lines += [line for name, text in rows for line in style.wrap(text, f"  {name:<11}", " " * 13)]
    lines += ["", "Parameters:"]
    for name, param in remediation.params.items():
        bounds = f", from {param.min} to {param.max}" if param.min and param.max else ""
        lines += style.wrap(f"{name}  {param.type}, default {param.default}{bounds}", "  ", "      ")
    return "\n".join([*lines, "", *style.wrap(f"What the action takes: `triagebook runbook explain {remediation.action}`")]) + "\n"


def action_text(action: Action, offered_by: Mapping[str, str], style: Style) -> str:
    """Return an action: its parameters with bounds and words, its steps, and the remediations that use it."""
    lines = style.wrap(f"{action.name}: an action, carried out as {action.privilege}")
    undo = "what was before is captured and put back" if action.undo == "captured" else "none"
    rows = [("steps", ", ".join(action.steps)), ("disruption", action.disruption), ("undo", undo)]
    lines += [line for name, text in rows for line in style.wrap(text, f"  {name:<10}", " " * 12)]
    lines += ["", "Parameters:"]
    for name, parameter in action.parameters.items():
        optional = ", may be left out" if name in action.optional else ""
        lines += style.wrap(f"{name}  {parameter_words(parameter)}{optional}", "  ", "      ")
    if offered_by:
        lines += ["", "Used by:", *(f"  {name}  ({where})" for name, where in offered_by.items())]
    return "\n".join(lines) + "\n"


def parameter_words(parameter: Parameter) -> str:
    """Return the type of a parameter with what it accepts."""
    if parameter.words:
        return f"one of {', '.join(parameter.words)}"
    if parameter.type in ("int", "pid"):
        return f"{'whole number' if parameter.type == 'int' else 'PID'} from {parameter.minimum} to {parameter.maximum}"
    return {"unit": "name of a systemd unit", "user": "login name", "path": "path"}.get(parameter.type, parameter.type)


def _first_sentence(text: str) -> str:
    return safe_text(text.partition(". ")[0].rstrip(".") + ".", 300)
