"""Writes to a terminal so that nothing but our own code moves its cursor: what is unsafe in any text is written as an escape.

Texts come from hosts, servers, files and the environment, and reach the standard streams on many ways. So the streams
themselves are wrapped: a control character, a mark that turns a line around or half a surrogate pair cannot be printed.
"""

import json
import re
from functools import lru_cache
from typing import Any, TextIO

_COLOURS = r"\x1b\[(?:0|1|2|3[1-6](?:;1)?)m"  # what `Style.paint` writes; no colour hides text
_ODD = re.compile(rf"{_COLOURS}|[^\n\t -~]")


class SafeStream:
    """Wraps a text stream: everything written passes `clean`. `move` is for our own cursor sequences."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text with unsafe characters as escapes."""
        return self._stream.write(clean(text) if isinstance(text, str) else text)

    def writelines(self, lines: Any) -> None:
        """Write each text."""
        for line in lines:
            self.write(line)

    def move(self, sequence: str) -> None:
        """Write a sequence that moves the cursor or erases."""
        self._stream.write(sequence)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def clean(text: str) -> str:
    """Return the text with unsafe characters as escapes; line ends, tabs and our own colours stay. Idempotent."""
    return _ODD.sub(_replacement, text)


def move(out: TextIO, sequence: str) -> None:
    """Write one of our own sequences that move the cursor or erase; the only way to a terminal for them."""
    getattr(out, "move", out.write)(sequence)


def json_line(value: object) -> str:
    """Return a value as a line of JSON. Unsafe characters are JSON's own escapes, so that the line stays JSON on a terminal."""
    return _ODD.sub(_json_replacement, json.dumps(value, ensure_ascii=False)) + "\n"


def write_json(out: TextIO, value: object) -> None:
    """Write a value as a line of JSON, at once."""
    out.write(json_line(value))
    out.flush()


def _replacement(found: re.Match[str]) -> str:
    return found[0] if len(found[0]) > 1 else _escape(found[0])


def _json_replacement(found: re.Match[str]) -> str:
    return found[0] if _replacement(found) == found[0] else json.dumps(found[0])[1:-1]


@lru_cache(maxsize=4096)
def _escape(character: str) -> str:
    from triagebook.runbooks.engine.text import safe_text  # noqa: PLC0415 - 10 ms of a start, where all is ASCII

    return safe_text(character)
