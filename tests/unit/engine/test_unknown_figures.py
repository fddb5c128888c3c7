"""Sentences from figures that could not be read, and from what is more than used up: in every face, as all share them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from triagebook.runbooks.engine import template
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.model import Runbook
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.quantities import quantity

from tests.runbooks import CATALOG

NOT_READ = Unreadable("permission denied")
FACTS = {"mem": {"a": NOT_READ, "b": NOT_READ, "c": 5 << 30, "n": 12, "room": -3, "room_bytes": -6000000, "score": -1000}}
NAMES = [entry.name for entry in CATALOG.entries()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A limit ({{ mem.a | bytes }} of {{ mem.b | bytes }} memory available). More", "A limit. More"),
        ("A limit ({{ mem.c | bytes }} of {{ mem.b | bytes }} memory available).", "A limit (5.0 GiB memory available)."),
        ("Short: {{ mem.a | bytes }} of {{ mem.b | bytes }} available, swap", "Short: an unknown amount available, swap"),
        ("{{ mem.a | bytes }} of {{ mem.b | bytes }} memory.", "an unknown amount of memory."),
        ("{{ mem.a | bytes }} of {{ mem.c | bytes }} available", "an unknown part of 5.0 GiB available"),
        ("At it: {{ mem.a }} of {{ mem.b }} tasks.", "At it: an unknown number of tasks."),
        ("At it: {{ mem.a }} tasks of {{ mem.b }}.", "At it: an unknown number of tasks."),
        ("At it: {{ mem.n }} tasks of {{ mem.b }}.", "At it: 12 tasks."),
        ("At it: {{ mem.a }} of {{ mem.n }} tasks.", "At it: an unknown part of 12 tasks."),
        ("{{ mem.a }} (PID {{ mem.b }}) failed", "unknown failed"),
        ("(mode {{ mem.n }}, PID {{ mem.b }})", "(mode 12, PID unknown)"),
        ("{{ mem.room_bytes | bytes }} are left, {{ mem.room }} maps", "0 B (5.7 MiB too many) are left, 0 maps"),
        ("{{ mem.n - mem.c | bytes }} less", "0 B (5.0 GiB too many) less"),
        ("{% if mem.room > 0 %}some{% else %}none{% endif %}, {% if mem.a >= 0 %}some{% else %}?{% endif %}", "none, ?"),
        ("oom_score_adj {{ mem.score }}", "oom_score_adj -1000"),
    ],
)
def test_a_sentence_words_what_is_not_known_and_what_is_used_up(text: str, said: str) -> None:
    if " - " in text:
        text = text.replace("mem.n - mem.c", "(mem.n - mem.c)")
    assert template.render(text, FACTS) == said


def sentences(runbook: Runbook) -> Iterator[str]:
    """Every template of a runbook."""
    pending: list[Any] = [to_plain(runbook)]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, str) and "{{" in value:
            yield value


class Blind(dict[str, Any]):
    """Facts of which not one could be read."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Unreadable:
        return NOT_READ


@pytest.mark.parametrize("name", NAMES)
def test_no_sentence_of_a_runbook_says_unknown_of_unknown(name: str) -> None:
    said = [template.render(text, Blind()) for text in sentences(CATALOG.load(name))]
    assert len(said) > 20
    assert [text for text in said if re.search(r"unknown (\w+ )?of unknown|[\ue000\ue001]", text)] == []


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(-6000000, "bytes", "0 B (5.7 MiB over)"), (-3, "tasks", "0 tasks (3 tasks over)"), (-1000, "", "-1000"), (-1, "mode", "-1")],
)
def test_a_figure_below_nothing_is_said_to_be_over(value: int, unit: str, said: str) -> None:
    assert quantity(value, unit) == said
