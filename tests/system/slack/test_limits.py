"""The table of limits, and shrinking to it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.bot.slack.cards import blocks, limits, mrkdwn
from triagebook.bot.slack.cards.limits import Part, card, clip, fit, problems

BUTTON = blocks.button("Go", "a.b", "tok")


def message(*found: dict[str, Any], text: str = "text") -> dict[str, Any]:
    return {"text": text, "blocks": list(found)}


def raw(kind: str, length: int) -> dict[str, Any]:
    return {"type": kind, "text": "x" * length}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (message(*[blocks.divider()] * 51), "51 blocks"),
        (message(), "0 blocks"),
        (message(blocks.divider(), text=""), "text of 0"),
        (message(blocks.divider(), text="x" * 3001), "text of 3001"),
        (message({"type": "section", "text": raw("mrkdwn", 3001)}), "section text of 3001"),
        (message({"type": "header", "text": raw("plain_text", 151)}), "header text of 151"),
        (message({"type": "section", "text": raw("mrkdwn", 0)}), "section text of 0"),
        (message({"type": "actions", "elements": [{**BUTTON, "action_id": str(n)} for n in range(26)]}), "actions of 26 elements"),
        (message({"type": "actions", "elements": [BUTTON, BUTTON]}), "action_id twice"),
        (message({"type": "actions", "elements": []}), "actions of 0 elements"),
        (message({"type": "context_actions", "elements": [BUTTON] * 6}), "context_actions of 6 elements"),
        (message({"type": "actions", "elements": [{**BUTTON, "value": "x" * 2001}]}), "value of 2001"),
        (message({"type": "actions", "elements": [{**BUTTON, "action_id": "x" * 256}]}), "action_id of 256"),
        (message({"type": "actions", "elements": [{**BUTTON, "text": raw("plain_text", 76)}]}), "button text of 76"),
        (message({**blocks.divider(), "block_id": "x" * 256}), "block_id of 256"),
        (message({**blocks.divider(), "block_id": "a"}, {**blocks.divider(), "block_id": "a"}), "block_id twice"),
        (message({"type": "context", "elements": [raw("mrkdwn", 1)] * 11}), "context of 11 elements"),
        (message(blocks.fixed_width("", ["x" * 3001])), "rich_text of 3001"),
        (message(*[blocks.section("x" * 2900)] * 5), "bytes"),
        ({"type": "modal", "title": raw("plain_text", 25), "blocks": [blocks.divider()]}, "title of 25"),
        ({"type": "modal", "private_metadata": "x" * 3001, "blocks": [blocks.divider()]}, "private_metadata"),
        ({"type": "home", "blocks": [blocks.divider()] * 101}, "101 blocks"),
    ],
)
def test_what_slack_refuses_is_named(payload: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in problems(payload))


def test_the_confirm_dialog_and_options_have_limits_of_their_own() -> None:
    dialog = blocks.confirmation("t" * 200, "x" * 900, "y" * 90, "n" * 90)
    assert [len(dialog[name]["text"]) for name in ("title", "text", "confirm", "deny")] == [100, 300, 30, 30]
    assert problems(message({"type": "actions", "elements": [{**BUTTON, "confirm": dialog}]})) == []
    long = {**dialog, "text": raw("plain_text", 301)}
    assert problems(message({"type": "actions", "elements": [{**BUTTON, "confirm": long}]})) == ["blocks[0] confirm text"]
    options = [{"text": raw("plain_text", 76), "value": "v"}] * 2
    select = {"type": "static_select", "action_id": "s", "options": options}
    assert problems(message({"type": "actions", "elements": [select]})) == ["blocks[0] option of 76"] * 2
    many = {**select, "options": [{"text": raw("plain_text", 5), "value": "v"}] * 101}
    assert problems(message({"type": "actions", "elements": [many]})) == ["blocks[0] 101 options"]


def test_the_least_important_detail_goes_first_and_is_said_to_be_gone() -> None:
    parts = [
        blocks.header("verdict"),
        Part(blocks.section("b" * 2900), 2, 7),
        Part(blocks.section("a" * 2900), 1),
        Part(blocks.section("c" * 2900), 2, 5),
        *blocks.actions([BUTTON]),
    ]
    shown, omitted = fit(parts, 50, 7000, "in the thread")
    assert [block["type"] for block in shown] == ["header", "section", "section", "context", "actions"]
    assert [block["text"]["text"][0] for block in shown[1:3]] == ["b", "a"]
    assert shown[3]["elements"][0]["text"] == "5 more details in the thread."
    assert omitted == 5
    assert fit(parts, 50, 4000, "in the thread")[1] == 12


def test_what_should_stay_is_cut_shorter_before_it_goes_and_its_going_is_said() -> None:
    long = [blocks.header("verdict"), *[blocks.section("x" * 2900)] * 3, *blocks.actions([BUTTON])]
    shown, omitted = fit(long, 50, 6000, "elsewhere")
    assert [len(block["text"]["text"]) for block in shown[1:4]] == [1499] * 3
    assert omitted == 0
    shown, omitted = fit(long, 50, 560, "elsewhere")
    assert [block["type"] for block in shown] == ["header", "section", "context", "actions"]
    assert shown[2]["elements"][0]["text"] == "2 more details elsewhere."
    assert omitted == 2
    assert limits.size(shown) <= 560


@pytest.mark.parametrize("text", ["x" * 290, "🙂" * 70, "é" * 130], ids=["ascii", "emoji", "accents"])
def test_a_card_is_as_large_as_it_may_be_and_no_larger(text: str) -> None:
    shown = card([blocks.header("verdict"), *[Part(blocks.section(text), 1)] * 49], mrkdwn.fallback([text] * 9))
    assert problems(shown.payload()) == []
    assert 11_000 < limits.size(shown.payload()) < 13_000
    assert shown.omitted > 10


def test_whole_is_nothing_cut_and_nothing_left_out() -> None:
    assert limits.is_whole([blocks.fixed_width("", ["x" * 3000])], 1, 4000)
    assert not limits.is_whole([blocks.fixed_width("", ["x" * 3001])], 1, 4000)
    assert not limits.is_whole([blocks.fixed_width("", ["x" * 3000])], 1, 3000)
    assert not limits.is_whole([blocks.divider()] * 2, 1, 3000)


@given(st.lists(st.tuples(st.text(max_size=4000), st.integers(1, 5)), max_size=70))
def test_whatever_is_put_in_fits(items: list[tuple[str, int]]) -> None:
    made = [Part(blocks.fixed_width("title", [text]) if spare % 2 else blocks.section(text or "-"), spare) for text, spare in items]
    shown = card([blocks.header("verdict"), *made, *blocks.actions([BUTTON])], "said")
    assert problems(shown.payload()) == []
    assert limits.size(shown.payload()) < 13_000
    assert len(shown.blocks) + shown.omitted >= len(items) + 2


PIECE = st.one_of(
    st.text(alphabet="<>&;ab`|!", max_size=20).map(mrkdwn.escape),
    st.text(alphabet="<>&;ab`|!", max_size=20).map(mrkdwn.code),
    st.just(mrkdwn.date("2026-11-23T14:00:00Z")),
    st.just(mrkdwn.person("U012AB3CD")),
)


@given(st.lists(PIECE, max_size=8).map("".join), st.integers(2900, 3010))
def test_a_cut_leaves_no_open_entity_form_or_span(tail: str, length: int) -> None:
    text = clip(blocks.section("x" * length + tail))["text"]["text"]
    assert len(text) <= 3000
    rest = re.sub(r"<[^<>]*>|&(amp|lt|gt);", "", text)
    assert not re.search("[<>&]", rest)
    assert text.count("`") % 2 == 0
