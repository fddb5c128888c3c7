"""Text of people and assistants made inert: one line, printable, bounded. Used for reasons before they are stored."""

import unicodedata

_KEPT = {" "}


def plain_line(text: str, limit: int) -> str:
    """One line of at most `limit` characters; control, format and bidirectional characters as visible escapes."""
    shown = "".join(_shown(character) for character in " ".join(text.split()))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _shown(character: str) -> str:
    # Cc control, Cf format (bidi, zero width), Cs surrogates, Co private use, Zl/Zp line ends
    if character in _KEPT or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}:
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
