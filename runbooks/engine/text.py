"""Makes text from a host fit to be shown: nothing in it moves a cursor, turns a line around or hides."""

import unicodedata
from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the choice that is most like a word, where one is as like it as `cutoff` (0 to 1) asks."""
    from difflib import get_close_matches  # noqa: PLC0415 - 3.4 M instructions of every start: for a mistake only

    return next(iter(get_close_matches(word, sorted(set(choices)), n=1, cutoff=cutoff)), None)


def why_unreadable(error: Exception) -> str:
    """Say in words why a text could not be read as the data it should be; Python's own words are for nobody on call."""
    if isinstance(error, ValueError) and hasattr(error, "colno"):  # a JSONDecodeError, without json at each start
        line = getattr(error, "lineno", 1)
        return f"not JSON from {f'line {line}, ' if line > 1 else ''}column {error.colno} on"
    if isinstance(error, KeyError):
        return f"it has no {str(error.args[0])[:60]!r}" if error.args else "a member is missing"
    if isinstance(error, RecursionError):
        return "not JSON: it is nested too deeply"
    return "it has another form" if isinstance(error, (TypeError, AttributeError)) else str(error)


def is_whole_number(text: str) -> bool:
    """Say whether a text is ASCII digits, as many as 64 bits need at most: "²" is a digit to Python, and no number."""
    return 0 < len(text) <= 20 and text.isascii() and text.isdigit()


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ` (did you mean 'room'?)`, or the choices when none is near and they are few, or nothing."""
    known = sorted(set(choices))
    close = nearest(word, known)
    if close is not None:
        return f" (did you mean {close!r}?)"
    return f" (one of: {', '.join(known)})" if 0 < len(known) <= 14 else ""


# Controls, formats (bidirectional marks, zero width), surrogates, private use, unassigned, line, paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_text(value: str, limit: int = 400) -> str:
    """Return at most `limit` characters, unsafe ones as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`; a cut ends in "…".

    Idempotent, and the identity on printable text within the limit. A backslash stays as it is: systemd's own
    escapes (`\\x2d`) must remain readable, so an escape shown is not proof that the character was there.
    """
    if not value.isascii() or not value.isprintable():
        value = "".join(_escape(character) for character in value[: limit + 1])
    return value if len(value) <= limit else value[: limit - 1] + "…"


def safe_line(raw: bytes | str, limit: int = 200) -> str:
    """Return at most `limit` characters as `safe_text` gives them, on one line: one space between words."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return safe_text(" ".join(text.split()), limit)


def _escape(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
