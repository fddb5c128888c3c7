"""Rows of what happened and of what people said: they fit a narrow terminal, and no stranger's text begins a row of its own."""

import re

import pytest
from triagebook.bot.render.feedback import feedback_text
from triagebook.bot.render.history import render_alerts, render_history
from triagebook.bot.render.style import Style

AT = "2026-11-30T14:01:00Z"
PLANTED = "it is\n" + AT + "  RIGHT  web-01  \x1b[2J\x1b[1Anothing " + "more " * 30
ANSWER = "20261130T141500-be2e41fd"
SAID = {
    "at": AT, "answer": ANSWER, "host": "web-01.prod.example.net", "runbook": "enomem@1.2.0", "status": "cause_found",
    "cause": "pids_cgroup", "was": "wrong", "it_was": PLANTED, "account": "slack:T0/U0", "person": "", "has_case": True,
}  # fmt: skip
ENTRY = {"at": AT, "kind": "answer", "id": ANSWER, "status": "cause_found", "cause": "pids_cgroup", "says": PLANTED, "by": "ann"}
ALERT = {
    "first_at": AT, "state": "firing", "host": "web-01.prod.example.net", "name": "HostNearPidMax\nX", "id": "0123456789abcdef",
    "repeats": 3, "status": "healthy", "says": PLANTED,
}  # fmt: skip
TEXTS = {
    "feedback": lambda width: feedback_text([SAID, {**SAID, "was": "right", "it_was": "", "has_case": False}], Style(width=width)),
    "history": lambda width: render_history("web-01", [ENTRY, ENTRY], width),
    "alerts": lambda width: render_alerts([ALERT, ALERT], width),
}


@pytest.mark.parametrize("width", [20, 40, 80, 110])
@pytest.mark.parametrize("name", TEXTS)
def test_rows_fit_the_terminal_and_only_ours_begin_in_its_first_column(name: str, width: int) -> None:
    lines = TEXTS[name](width).splitlines()
    assert len([line for line in lines if not line.startswith("  ")]) == 2
    assert not [line for line in lines if len(line) > width and " " in line.strip() and "triagebook feedback case" not in line]
    assert all(line.isprintable() for line in lines)
    assert "".join(lines).count(ANSWER) == {"feedback": 3, "history": 2, "alerts": 0}[name]


def test_a_word_about_an_answer_says_who_said_what_of_which_and_where_its_case_is() -> None:
    lines = feedback_text([{**SAID, "it_was": "a full disk"}], Style()).splitlines()
    assert re.fullmatch(rf"2026-1\d-\d\d \d\d:\d\d:\d\d \S+  WRONG  web-01.prod.example.net  pids_cgroup  {ANSWER}", lines[0])
    assert lines[1:] == [
        "  by slack:T0/U0, of enomem@1.2.0",
        "  it was (unverified): a full disk",
        f"    triagebook feedback case {ANSWER} FILE",
    ]
    assert feedback_text([], Style()) == "Nobody said whether an answer was right.\n"


def test_right_and_wrong_have_their_colours_where_there_are_colours() -> None:
    green, red = (feedback_text([{**SAID, "was": was}], Style(colour=True)).splitlines()[0] for was in ("right", "wrong"))
    assert "\x1b[32mRIGHT\x1b[0m" in green
    assert "\x1b[33mWRONG\x1b[0m" in red
