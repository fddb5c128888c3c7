"""What a host calls its units reaches Slack as inert text: in the card, in its fallback text, in the approval card, anywhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from triagebook.bot.render.text import check_name
from triagebook.bot.slack.cards import approval, diagnosis, names
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.plan import PlannedValue

from tests.system.slack import surfaces
from tests.system.slack.blockkit_html import surface
from tests.system.slack.samples import HOSTILE, fix_of, made, recorded

FORM = re.compile(r"<[!@#]|<[A-Za-z][\w+.-]*:|\w://|mailto:", re.IGNORECASE)
OURS = re.compile(r"<!date\^\d+\^[{}_ a-z]+\|[0-9 :UTC-]+>|<@U0(?:ANN|BOB)>|<https://x\.slack\.com/archives/C1/p1\|open>")
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff]")
SEEDS = range(0, 100, 5)


def with_unit(name: str) -> Diagnosis:
    """A recorded host whose unit at its limit has that name, unescaped wherever the name stands."""
    found = recorded("unit-tasksmax-now")

    def renamed(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("worker.service", name)
        if isinstance(value, tuple):
            return tuple(map(renamed, value))
        if hasattr(value, "__dataclass_fields__"):
            return replace(value, **{key: renamed(getattr(value, key)) for key in value.__dataclass_fields__})
        if isinstance(value, dict):
            return {renamed(key): renamed(item) for key, item in value.items()}
        return value

    changed = renamed(found)
    assert isinstance(changed, Diagnosis)
    return changed


def texts(node: Any, literal: bool = False) -> Iterator[tuple[bool, str]]:
    """Every text of a payload, and whether Slack takes it literally (rich text) or parses or detects things in it."""
    if isinstance(node, dict):
        is_literal = literal or node.get("type") == "rich_text_preformatted"
        for key, value in node.items():
            if isinstance(value, str) and key in {"text", "initial_value"}:
                yield is_literal, value
            elif not isinstance(value, str):
                yield from texts(value, is_literal)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item, literal)


def judge(name: str, payload: dict[str, Any]) -> None:
    assert list(unguarded(payload)) == [], name
    for is_literal, text in texts(payload):
        assert not UNSEEN.search(text), (name, text)
        assert is_literal or not FORM.search(OURS.sub("", text)), (name, text)


def unguarded(node: Any) -> Iterator[str]:
    """Texts in which Slack would look for names, addresses or emoji of its own."""
    if isinstance(node, dict):
        kind = node.get("type")
        if (kind == "mrkdwn" and node.get("verbatim") is not True) or (kind == "plain_text" and node.get("emoji") is not False):
            yield node["text"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from unguarded(item)


def clickable(blocks: list[dict[str, Any]]) -> list[str]:
    return [element["action_id"] for block in blocks if block["type"] == "actions" for element in block["elements"]]


class Seen(HTMLParser):
    """The links and mentions that a reader of the rendered card would see."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" or ("class", "mention") in attrs:
            self.found.append(str(dict(attrs).get("href", "mention")))


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name)[1:24] for name in HOSTILE])
def test_a_hostile_unit_name_is_inert_in_the_card_and_in_its_fallback_text(name: str) -> None:
    found = with_unit(name)
    for where, payload in (*surfaces.of_diagnosis(found), *surfaces.of_fixes(found)):
        judge(where, payload)
        seen = Seen()
        seen.feed(surface(payload))
        assert set(seen.found) <= {"mention"}, where
        assert len(seen.found) <= 3, where  # ours: who asked, who decided


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_host_says_is_inert_everywhere(seed: int) -> None:
    found = made(seed)
    for where, payload in (*surfaces.of_diagnosis(found), *surfaces.of_fixes(found)):
        judge(where, payload)


def test_fleets_and_app_home_are_inert() -> None:
    for where, payload in surfaces.of_many(40):
        judge(where, payload)


@pytest.mark.parametrize("name", HOSTILE, ids=[ascii(name)[1:24] for name in HOSTILE])
def test_commands_are_shown_exactly_as_they_would_run_or_there_is_no_approve(name: str) -> None:
    fix = fix_of(with_unit(name))
    if fix is None or fix.plan is None:
        assert not name.isprintable() or len(name) > 1000, "the engine plans for every name that can be printed"
        return
    blocks = list(approval.approval(fix, surfaces.TOKENS).blocks)
    shown = "\n".join(text for is_literal, text in texts(blocks) if is_literal).splitlines()
    whole = [*fix.plan.commands, *fix.plan.undo_commands]
    assert names.APPROVE not in clickable(blocks) or [line for line in shown if line in whole] == whole
    assert names.APPROVE in clickable(blocks) or len(name.encode()) > 500


def test_a_plan_too_large_to_be_shown_whole_cannot_be_approved_from_the_card() -> None:
    fix = fix_of(recorded("unit-tasksmax-now"))
    assert fix is not None
    assert fix.plan is not None
    for plan in (
        replace(fix.plan, commands=("echo " + "x" * 4000,)),
        replace(fix.plan, commands=tuple(f"echo {number:0100}" for number in range(60))),
        replace(fix.plan, commands=("echo " + "\x1b" * 900,)),
        replace(fix.plan, changes=tuple(PlannedValue("w" * 300, "n" * 300, "t" * 300) for _ in range(5))),
        replace(fix.plan, undo_commands=("echo " + "x" * 3000,)),
    ):
        card = approval.approval(replace(fix, plan=plan), surfaces.TOKENS)
        assert clickable(list(card.blocks)) == [names.DENY, names.DETAILS, names.WITHDRAW]
        assert "cannot be approved here" in json.dumps(card.payload())
        assert names.APPROVE not in clickable(approval.details(replace(fix, plan=plan), surfaces.TOKENS))


def test_values_of_buttons_are_the_tokens_and_nothing_else() -> None:
    given = set(surfaces.TOKENS.values())
    fixes = [fix_of(made(seed)) for seed in range(100) if made(seed).remediations]
    payloads = [
        payload for seed in SEEDS for _name, payload in (*surfaces.of_diagnosis(made(seed)), *surfaces.of_fixes(made(seed)))
    ]
    payloads.append(surfaces.app_home([fix for fix in fixes if fix], []))
    buttons = [button for payload in payloads for button in _buttons(payload)]
    assert {button["value"] for button in buttons} == given
    assert not [button for button in buttons if "url" in button]


def _buttons(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "button":
            yield node
        if node.get("type") == "feedback_buttons":
            yield from (node["positive_button"], node["negative_button"])
        for value in node.values():
            yield from _buttons(value)
    elif isinstance(node, list):
        for item in node:
            yield from _buttons(item)


@pytest.mark.parametrize("seed", range(100))
def test_an_unknown_is_never_shown_as_fine(seed: int) -> None:
    found = made(seed)
    card = diagnosis.verdict(found, surfaces.ASKED, {})
    ruled_out = [text for _literal, text in texts(card.payload()) if text.startswith("Ruled out")]
    for item in found.unknown:
        (check,) = (one for one in found.checks if one.id == item.check)
        listed = "".join(ruled_out).removeprefix("Ruled out: ").split(", ")
        assert not {check.id, check.title, check_name(check)} & set(listed)
        assert item.check in json.dumps(card.blocks)
        assert f"{item.check}" in card.text or len(card.text) > 2900
    if found.unknown:
        header = card.blocks[0]["text"]["text"]
        assert "HEALTHY" not in header or found.caveats
        assert "udged" in card.text
        assert "may still be a cause" in json.dumps(card.blocks)
