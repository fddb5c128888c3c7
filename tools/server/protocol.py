"""Reads requests and writes answers on the socket: one JSON object per line, capped in size, every member known and typed.

    {"do": "approve", "fix": "F-...", "digest": "..."}  ->  {"ok": true, "answer": {...}}
                                                         or {"ok": false, "error": {"reason": "...", "message": "..."}}

A stream of items ends with {"ok": true, "end": COUNT}. No request has a member for who asks.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plan import Value
from triagebook.tools.unix_socket import decode_message, encode_message

MAX_REQUEST = 64 * 1024
MAX_ANSWER = 4 * 1024 * 1024
MAX_TEXT = 2000
MAX_ITEMS = 64


class Members:
    """The members of a request. One that the handler does not read is refused, not ignored."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = dict(raw)

    def text(self, name: str, default: str | None = None, limit: int = MAX_TEXT) -> str:
        """Return a text; it is required if there is no default."""
        value = self._take(name, default)
        if not isinstance(value, str) or len(value) > limit:
            raise UsageError(f"{name}: expected a text of at most {limit} characters", reason="request")
        return value

    def integer(self, name: str, default: int, most: int) -> int:
        """Return a number from 0 to `most`."""
        value = self._take(name, default)
        if type(value) is not int or not 0 <= value <= most:
            raise UsageError(f"{name}: expected a number from 0 to {most}", reason="request")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """Return a mapping of texts; empty if absent."""
        return {key: str(value) for key, value in self.values(name).items()}

    def values(self, name: str) -> dict[str, Value]:
        """Return a mapping of texts and integers; empty if absent."""
        value = self._take(name, {})
        if not isinstance(value, dict) or len(value) > MAX_ITEMS:
            raise UsageError(f"{name}: expected a mapping of at most {MAX_ITEMS} members", reason="request")
        for key, item in value.items():
            if type(item) not in (int, str) or len(str(item)) > MAX_TEXT or len(key) > MAX_TEXT:
                raise UsageError(f"{name}.{key[:40]}: expected a text or a number", reason="request")
        return value

    def list(self, name: str) -> list[str]:
        """Return a list of texts; empty if absent."""
        value = self._take(name, [])
        if not isinstance(value, list) or len(value) > MAX_ITEMS or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{name}: expected a list of at most {MAX_ITEMS} texts", reason="request")
        return value

    def about(self) -> dict[str, str]:
        """Return what the log says about a request: its fix and its host, if it names them as texts."""
        return {name: value for name in ("fix", "host") if isinstance(value := self._raw.get(name), str)}

    def finish(self) -> None:
        """Refuse members that were not read."""
        if self._raw:
            raise UsageError(f"unknown member {sorted(self._raw)[0][:40]!r}", reason="request")

    def _take(self, name: str, default: object) -> Any:
        if name not in self._raw:
            if default is None:
                raise UsageError(f"{name}: missing", reason="request")
            return default
        return self._raw.pop(name)


def parse_request(line: bytes) -> Members:
    """Read one request. Raises UsageError `request`: not a JSON object with each member once."""
    try:
        message = decode_message(line)
        if not all(map(_is_storable, _texts_in(message))):
            raise UsageError("a text has a NUL or half a surrogate pair: no database keeps that", reason="request")
        return Members(message)
    except (ValueError, RecursionError):
        raise UsageError("expected one JSON object on a line", reason="request") from None


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def answer_line(answer: Mapping[str, object]) -> bytes:
    """Return an answer as a line. Raises UsageError `too_large`: above the cap."""
    line = encode_message(answer)
    if len(line) > MAX_ANSWER:
        raise UsageError(f"the answer takes {len(line)} bytes, more than {MAX_ANSWER}; ask for less", reason="too_large")
    return line
