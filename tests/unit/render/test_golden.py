"""What terminals of several sizes, colours and encodings are sent is what the pictures in `golden` show (`make golden`)."""

import re
import unicodedata

import pytest

from tests import golden

EXACT = re.compile(r"  (?:change|command|undo|rests on|runbook|digest)  ")  # of a fix: what is compared or copied as it is


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    return dict(golden.pictures())


def test_every_picture_of_text_is_current(printed: dict[str, str]) -> None:
    kept = {file.name: file.read_text() for file in golden.FOLDER.glob("*.txt")}
    assert set(printed) == set(kept), "make golden"
    for name, text in printed.items():
        assert text == kept[name], f"{name}: look at it, then `make golden`"


def test_text_keeps_to_the_columns_but_for_words_that_cannot_be_broken(printed: dict[str, str]) -> None:
    """A command, a path, a figure's name stand alone on a longer line, and can be copied whole. Escapes come after that."""
    for name, text in ((name, text) for name, text in printed.items() if not name.endswith("-other-letters.txt")):
        columns = int(match[1]) if (match := re.search(r"-(\d+)x\d+\.txt$", name)) else 80
        for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines():
            if len(line) > columns:
                assert is_one_piece(line) or (name.startswith("fix-") and EXACT.match(line)), f"{name}: {line}"


def is_one_piece(line: str) -> bool:
    """Tell whether a long line is one that is not broken: the title, a command, a path, a bar, one of those who use it up."""
    return bool(re.match(r"[A-Z]+( FOUND)?  replay:| {4,}\S|Limit  |[A-Z][a-z ]*: \S+$", line)) or len(line.split()) <= 2


def test_a_watch_never_prints_more_lines_than_the_terminal_has(printed: dict[str, str]) -> None:
    for name, text in printed.items():
        if match := re.match(r"watch-\d+x(\d+)\.txt", name):
            assert text.count("\n") < int(match[1]), name


def test_no_colour_where_none_is_wanted_and_colour_where_it_is(printed: dict[str, str]) -> None:
    assert "\x1b[" in printed[f"{golden.CASES[0]}-80x24.txt"]
    assert not [name for name in ("no-color.txt", "dumb.txt") if "\x1b" in printed[name]]


def test_letters_that_an_encoding_lacks_are_escapes_and_others_are_themselves(printed: dict[str, str]) -> None:
    assert "\\u5c71\\u7530" in printed["ascii-other-letters.txt"]
    assert printed["ascii-other-letters.txt"].isascii()
    assert "山田" in printed["eucjp-other-letters.txt"]
    assert unicodedata.name("山") in {unicodedata.name(letter) for letter in printed["eucjp-other-letters.txt"] if letter > "\xff"}
