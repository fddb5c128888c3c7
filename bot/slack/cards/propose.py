"""Builds the form that proposes a fix: the offer, its numbers within bounds, a preview of the change, and the reason."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from triagebook.bot.slack.cards import mrkdwn, names
from triagebook.bot.slack.cards.blocks import Block, context, field, fixed_width, note, option, prose, run
from triagebook.bot.slack.cards.limits import Part
from triagebook.bot.slack.cards.views import modal, value_of
from triagebook.bot.slack.cards.wording import undo_text
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis, OfferedRemediation, ParamBounds
from triagebook.runbooks.engine.plan import MAX_REASON, Rendering
from triagebook.runbooks.engine.quantities import as_bytes, as_count
from triagebook.runbooks.engine.triage import Found, diagnoses_of

_WHOLE = re.compile(r"-?[0-9]{1,18}")
LIVE = {"trigger_actions_on": ["on_enter_pressed", "on_character_entered"]}
LEAST_REASON = 5
MAX_OFFERS = 12  # a select of more would not fit; the command line proposes the rest
BIG = 16 * 1024 * 1024  # a number from here on is also told in binary multiples when it is of bytes


@dataclass(frozen=True)
class Draft:
    """The content of the form: the offer by its number in the diagnosis, the chosen numbers, the reason."""

    offer: int = 0
    parameters: Mapping[str, int] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Preview:
    """What the service says the draft would change, or why it cannot be done."""

    rendering: Rendering | None = None
    problem: str = ""


EMPTY, NO_PREVIEW = Draft(), Preview()


def offers_of(found: Found) -> list[tuple[Diagnosis, OfferedRemediation]]:
    """Return the offers of every runbook of an answer, each with its diagnosis; the form numbers them so."""
    return [(diagnosis, offer) for diagnosis in diagnoses_of(found) for offer in diagnosis.remediations]


def join_offers(found: Found) -> Diagnosis:
    """Return the diagnosis that the form is about, with the offers of every runbook."""
    offers = tuple([offer for _diagnosis, offer in offers_of(found)])
    return replace(diagnoses_of(found)[0], headline=found.headline, remediations=offers)


def form(diagnosis: Diagnosis, token: str, draft: Draft = EMPTY, preview: Preview = NO_PREVIEW) -> dict[str, Any]:
    """Return the modal. `token` goes into `private_metadata`, all that comes back besides what the person chose.

    Raises ValueError when the diagnosis offers nothing.
    """
    offers = diagnosis.remediations[:MAX_OFFERS]
    if not offers:
        raise ValueError(f"{diagnosis.id}: it offers no fix")
    number = draft.offer if 0 <= draft.offer < len(offers) else 0
    offer = offers[number]
    parts: list[Part | Block] = [
        prose(run(f"{mrkdwn.plain(diagnosis.host.name)}: ", bold=True), run(mrkdwn.plain(diagnosis.headline))),
        _offers(offers, number),
        *_numbers(offer, number, draft.parameters or {}),
        *_preview(offer, preview),
        field(names.REASON, "Why, for those who decide", _reason(draft.reason), hint="Shown as your words, unverified."),
        context(f"Risk *{mrkdwn.escape(offer.risk)}* · {undo_text(offer.undo)}. Nothing changes now: another person decides."),
        note(f"Disruption: {offer.disruption}"),
    ]
    if more := len(diagnosis.remediations) - len(offers):
        parts.append(note(f"{more} more offers are not listed here: triagebook fix propose"))
    return modal(names.PROPOSE_VIEW, "Propose a fix", parts, token, submit="Ask for approval")


def read_draft(values: Mapping[str, Mapping[str, Any]]) -> Draft:
    """Read `view.state.values`. An invalid number is left out, and the service says what it must be."""
    chosen = value_of(values, names.OFFER)
    number = int(chosen) if _WHOLE.fullmatch(chosen) else 0
    prefix = f"{names.PARAM}.{number}."
    parameters = {}
    for block in values:
        text = value_of(values, block)
        if block.startswith(prefix) and _WHOLE.fullmatch(text):
            parameters[block.removeprefix(prefix)] = int(text)
    return Draft(number, parameters, value_of(values, names.REASON))


def errors(diagnosis: Diagnosis, draft: Draft) -> dict[str, str]:
    """Return the errors of a submission by block id, for `response_action: errors`. The service checks everything again."""
    if not 0 <= draft.offer < min(MAX_OFFERS, len(diagnosis.remediations)):
        return {names.OFFER: "This offer is no longer available. Diagnose the host again."}
    offer = diagnosis.remediations[draft.offer]
    found = {}
    for name, bound in free_parameters(offer).items():
        value = (draft.parameters or {}).get(name)
        if value is None or not _least(bound) <= value <= _most(bound):
            found[f"{names.PARAM}.{draft.offer}.{name}"] = f"A whole number from {_least(bound)} to {_most(bound)}."
    if len(draft.reason.strip()) < LEAST_REASON:
        found[names.REASON] = f"Say why, in {LEAST_REASON} to {MAX_REASON} characters."
    return found


def free_parameters(offer: OfferedRemediation) -> dict[str, ParamBounds]:
    """Return the parameters that a person chooses: whole numbers with room between their bounds."""
    return {
        name: bound
        for name, bound in offer.params.items()
        if isinstance(bound.default, int) and bound.min is not None and bound.max is not None and bound.min < bound.max
    }


def _offers(offers: Sequence[OfferedRemediation], number: int) -> Block:
    options = [
        option(f"{offer.title}: {offer.culprit}", str(at), f"risk {offer.risk}, {undo_text(offer.undo)}")
        for at, offer in enumerate(offers)
    ]
    select = {"type": "static_select", "action_id": names.OFFER, "options": options, "initial_option": options[number]}
    return {**field(names.OFFER, "Fix", select), "dispatch_action": True}


def _numbers(offer: OfferedRemediation, number: int, given: Mapping[str, int]) -> list[Block]:
    return [
        _number(f"{names.PARAM}.{number}.{name}", name, bound, given.get(name)) for name, bound in free_parameters(offer).items()
    ]


def _number(block_id: str, name: str, bound: ParamBounds, given: int | None) -> Block:
    """Return the input of a number. Its block id names the offer, so that choosing another offer shows its default."""
    value = given if given is not None else bound.default
    element = {
        "type": "number_input",
        "action_id": names.PARAM,
        "is_decimal_allowed": False,
        "initial_value": str(value),
        "min_value": str(bound.min),
        "max_value": str(bound.max),
        "dispatch_action_config": LIVE,
    }
    hint = f"From {as_count(bound.min)} to {as_count(bound.max)}."
    if isinstance(value, int) and _least(bound) >= BIG:
        hint += f" In bytes: {as_bytes(bound.min)} to {as_bytes(bound.max)}; {as_bytes(value)} is set."
    label = name.replace("_", " ").capitalize()
    return {**field(block_id, label, element, hint=hint), "dispatch_action": True}


def _reason(text: str) -> dict[str, Any]:
    return {
        "type": "plain_text_input",
        "action_id": names.REASON,
        "multiline": True,
        "min_length": LEAST_REASON,
        "max_length": MAX_REASON,
        **({"initial_value": text[:MAX_REASON]} if text else {}),
    }


def _preview(offer: OfferedRemediation, preview: Preview) -> list[Part | Block]:
    if preview.problem:
        return [prose(run("⚠ This cannot be planned: ", bold=True), run(mrkdwn.plain(preview.problem)))]
    if preview.rendering is None:
        lines = [mrkdwn.exact(line, 600) for line in offer.commands]
        return [Part(fixed_width("With the values suggested, this would run", lines or ["nothing"]), 2, len(lines))]
    made = preview.rendering
    changes = [
        f"{mrkdwn.exact(item.what, 300)}: {mrkdwn.exact(item.now, 120)} -> {mrkdwn.exact(item.then, 120)}" for item in made.changes
    ]
    commands = [mrkdwn.exact(line, 600) for line in made.commands]
    undo = [mrkdwn.exact(line, 600) for line in made.undo_commands]
    return [
        Part(fixed_width("This would change", changes), 1, len(changes)),
        Part(fixed_width("Exact commands", commands), 2, len(commands)),
        *([Part(fixed_width("Undo", undo), 3, len(undo))] if undo else []),
    ]


def _least(bound: ParamBounds) -> int:
    return bound.min if bound.min is not None else 0


def _most(bound: ParamBounds) -> int:
    return bound.max if bound.max is not None else 0
