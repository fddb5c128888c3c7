"""A limit that is merely close is not called the cause by any face, where something was refused that nobody can see."""

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from triagebook.bot.cli.diagnose import EXIT_STATUS
from triagebook.bot.render.markdown import render_markdown
from triagebook.bot.render.style import Style
from triagebook.bot.render.text import render
from triagebook.bot.slack.cards import diagnosis as cards
from triagebook.bot.slack.cards import names
from triagebook.bot.slack.cards.wording import Origin, urgency_in
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.fixes.freshness import UNKNOWN, why_cause_is_gone
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.mcp_server.brief import answer_of, section_of, text_of
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG
from tests.system.fixes import samples

SERVICE = Service(CATALOG, lambda _target: LocalTransport())
RUNBOOKS = ("enomem@1.2.0", "emfile@1.0.0", "tcp-memory@1.0.0", "segfault@1.0.0")
CASES = [(name, file.stem) for name in RUNBOOKS for file in CATALOG.find(name).cases if file.stem.startswith("innocent-")]
UNNAMED = ("enomem@1.2.0", "innocent-near-and-nothing-named")
SAYS_NOT = "Close to a limit, but not at it: "


@cache
def replay(name: str, case: str) -> Diagnosis:
    return SERVICE.diagnose(Question(parse_target(f"replay:{case}"), name)).diagnosis


def test_there_are_neighbours_of_many_kinds() -> None:
    assert len(CASES) >= 20
    assert len({replay(*case).verdict.cause for case in CASES if replay(*case).verdict}) >= 15  # type: ignore[union-attr]


@pytest.mark.parametrize("case", [case for case in CASES if case != UNNAMED], ids=lambda case: case[1])
def test_each_face_says_that_it_is_merely_close_and_the_answer_stays_open(case: tuple[str, str]) -> None:
    found = replay(*case)
    assert found.verdict is not None
    assert found.verdict.explains_symptom != "yes"
    assert (found.status, EXIT_STATUS[found.status]) == ("inconclusive", 3)
    assert SAYS_NOT + found.verdict.summary in found.headline

    terminal = render(found, Style())
    assert f"Found     {found.verdict.cause}, close to the limit" in terminal
    assert "Cause  " not in terminal
    assert "close to the limit, likely" not in terminal
    assert "Changes that would help" not in terminal
    markdown = render_markdown(found)
    assert "## Found" in markdown
    assert "## Cause" not in markdown
    assert "## Changes that would help" not in markdown

    assert "likely" not in urgency_in(found, found.verdict)
    bold = bold_of(found)
    assert found.verdict.summary not in bold
    assert bold
    styles = [element.get("style") for element in buttons(found) if element["action_id"].startswith(names.PROPOSE)]
    assert "primary" not in styles

    answer = answer_of(found)
    assert answer.cause is None
    assert (answer.also[0].cause, answer.also[0].strength) == (found.verdict.cause, "not reached")
    text = text_of(answer)
    assert "\nCause: " not in text
    assert f"Also: {found.verdict.cause}, near, not reached" in text
    assert f"Do not call {found.verdict.cause} the cause" in text
    assert section_of(found, "verdicts")[0][1] == f"{found.verdict.cause}, near, not reached: {found.verdict.summary}"


def test_a_shortage_that_is_near_is_not_called_unreached() -> None:
    answer = answer_of(replay("enomem@1.2.0", "shortage-near"))
    (said,) = [one for one in (answer.cause, *answer.also) if one and one.cause == "memory_shortage"]
    assert (said.active, said.strength) == ("near", "likely")
    assert "memory_shortage, near, likely" in text_of(answer)


def bold_of(found: Diagnosis) -> str:
    """What the card of Slack prints in bold below its title."""
    card = cards.verdict(found, Origin("U1", "2026-11-23T14:00:00Z"), {})
    text = json.dumps(card.blocks[1], ensure_ascii=False)
    return " ".join(re.findall(r'"text": "([^"]*)", "style": {"bold": true', text) or re.findall(r"\*([^*]+)\*", text))


def buttons(found: Diagnosis) -> list[dict[str, Any]]:
    tokens = {names.PROPOSE: "t", names.RERUN: "t", names.EVIDENCE: "t", names.CLOSE: "t"}
    card = cards.verdict(found, Origin("U1", "2026-11-23T14:00:00Z"), tokens)
    return [element for block in card.blocks if block["type"] == "actions" for element in block["elements"]]


def test_without_a_question_it_warns_and_asks_for_the_error() -> None:
    found = replay(*UNNAMED)
    assert (found.status, EXIT_STATUS[found.status]) == ("warning", 6)
    assert found.headline.startswith("Nothing was seen to be refused; this is only close to a limit. ")
    assert "A limit, not a shortage" not in render(found, Style())
    assert answer_of(found).cause is None


def test_its_fix_is_not_refused_because_the_question_stays_open() -> None:
    """Somebody may raise a limit that is close all the same; what could not be told at all is refused as ever."""
    found = replay("enomem@1.2.0", "innocent-slice-near")
    offer = found.remediations[0]
    parameters = {name: bounds.default for name, bounds in offer.params.items()}
    plan = replace(samples.plan(), cause=offer.cause, culprit=offer.culprit, remediation=offer.id, parameters=parameters)
    assert why_cause_is_gone(plan, found) is None
    elsewhere = why_cause_is_gone(replace(plan, culprit="/system.slice/other.service"), found)
    assert elsewhere is not None
    assert elsewhere.reason == UNKNOWN


def test_all_runbooks_together_do_not_take_it_for_the_explanation() -> None:
    """One look by all of them: what leads is open, and no other runbook's nearly full limit closes the question."""
    inputs = {"symptom": "bash: fork: retry: Resource temporarily unavailable"}
    found = SERVICE.diagnose(Question(parse_target("replay:innocent-slice-near"), inputs=inputs)).result
    assert (found.status, SAYS_NOT in found.headline) == ("inconclusive", True)
