"""Taking a policy file apart: each value checked where it stands, each error with file, line and the nearest right word."""

import re
from collections.abc import Iterator, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import PolicyError, RunbookError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, PathKey, read_document, render_path

_DURATION = re.compile(r"([1-9][0-9]{0,4})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
MIN_S, MAX_S = 60, 24 * 3600


def read_policy_document(text: str, file: str) -> "Node":
    """The top of the file. Raises PolicyError."""
    try:
        return Node(read_document(text, file), ())
    except RunbookError as error:
        raise PolicyError(str(error)) from None


@dataclass(frozen=True)
class Node:
    """One value of the file and its path."""

    document: Document
    path: PathKey

    @property
    def value(self) -> object:
        """The plain value; None where the path ends in nothing."""
        found: object = self.document.data
        for part in self.path:
            found = found[part]  # type: ignore[index]
        return found

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.document.file}:{self.document.line(self.path)}"

    def error(self, what: str) -> PolicyError:
        """`file:line: path: what`."""
        return PolicyError(f"{self.where}: {render_path(self.path)}: {what}")

    def members(self, known: Sequence[str] | None, required: Sequence[str] = ()) -> dict[str, "Node"]:
        """Its members; unknown ones are refused unless `known` is None."""
        if not isinstance(self.value, dict):
            raise self.error("expected a mapping")
        members = {str(key): Node(self.document, (*self.path, key)) for key in self.value}
        for key, node in members.items():
            if known is not None and key not in known:
                raise node.error(f"unknown key{did_you_mean(key, known)}")
        for key in required:
            if key not in members:
                raise self.error(f"{key!r} is missing")
        return members

    def items(self) -> Iterator["Node"]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise self.error("expected a list")
        for index in range(len(self.value)):
            yield Node(self.document, (*self.path, index))

    def text(self, shape: str = r"[^\x00-\x1f\x7f]{1,200}", what: str = "text") -> str:
        """A text that matches `shape` as a whole."""
        if not isinstance(self.value, str) or not re.fullmatch(shape, self.value):
            raise self.error(f"expected {what}, got {self.value!r}")
        return self.value

    def choice(self, choices: Sequence[str]) -> str:
        """One of these words."""
        word = self.text()
        if word not in choices:
            raise self.error(f"unknown word {word!r}{did_you_mean(word, choices)}")
        return word

    def count(self, most: int) -> int:
        """A whole number from 1 to `most`."""
        if type(self.value) is not int or not 1 <= self.value <= most:
            raise self.error(f"expected a number from 1 to {most}, got {self.value!r}")
        return self.value

    def duration_s(self) -> int:
        """`90s`, `15m` or `2h` in seconds, from a minute to a day."""
        match = _DURATION.fullmatch(self.value) if isinstance(self.value, str) else None
        seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
        if not MIN_S <= seconds <= MAX_S:
            raise self.error(f"expected a time such as 15m, from 60s to 24h, got {self.value!r}")
        return seconds
