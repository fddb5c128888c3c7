"""Literal error texts of the world are routed to their class: the reports' own words, and those of the programs named in them."""

from pathlib import Path

import pytest
from triagebook.runbooks.engine.symptoms import route

from tests.quick import quick_share
from tests.runbooks import CATALOG

RUNBOOK = CATALOG.load("enomem@1.2.0")
LINES = [
    line.split("\t")
    for name in (
        "texts-reported.tsv",
        "texts-of-programs.tsv",
        "texts-collected.tsv",
        "texts-second.tsv",
        "texts-third.tsv",
        "texts-fourth.tsv",
    )
    for line in Path(__file__).with_name(name).read_text().splitlines()
    if line and not line.startswith("#")
]
ONE_OF_EACH_CLASS = list({line[0]: line for line in LINES}.values())


def test_the_tables_hold_hundreds_of_texts_and_each_once() -> None:
    texts = [line[1] for line in LINES]
    assert len(texts) > 700
    assert [text for text in texts if texts.count(text) > 1] == []


# A text costs 40 ms, for each pattern is compiled anew.
@pytest.mark.parametrize("line", quick_share(LINES, name=lambda line: line[1][:60], always=ONE_OF_EACH_CLASS))
def test_a_text_is_routed_to_its_class(line: list[str]) -> None:
    symptom = route(RUNBOOK, line[1])
    found = "" if symptom is None else symptom.error_class if symptom.error_class != "other" else f"other:{symptom.matter}"
    assert found == line[0]


def test_a_text_of_another_matter_says_which() -> None:
    assert [symptom.match for symptom in RUNBOOK.symptoms if symptom.error_class == "other" and not symptom.says] == []
