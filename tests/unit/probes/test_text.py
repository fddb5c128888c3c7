"""Text from a host, made fit to be shown."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from triagebook.runbooks.engine.text import safe_text


def test_controls_and_bidirectional_marks_are_shown_as_escapes() -> None:
    assert safe_text("a\x1b[2Jb\tc\x7f\x85") == "a\\x1b[2Jb\\x09c\\x7f\\x85"
    assert safe_text("user\u202egnp.exe\u200b\u2066") == "user\\u202egnp.exe\\u200b\\u2066"
    assert safe_text("\U000e0041") == "\\U000e0041"
    assert safe_text("straße 東京 café \\x2d") == "straße 東京 café \\x2d"


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert safe_text("x" * 10, 10) == "x" * 10
    assert safe_text("x" * 11, 10) == "x" * 9 + "…"
    assert safe_text("\x00" * 11, 10) == "\\x00\\x00\\…"


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(), max_size=200), st.integers(1, 100))
def test_nothing_unsafe_is_left_and_twice_is_once(value: str, limit: int) -> None:
    shown = safe_text(value, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert safe_text(shown, limit) == shown
