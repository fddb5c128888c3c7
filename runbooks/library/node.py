"""Takes a YAML file of settings apart: checks each value where it stands; each error has file, line and nearest right word.

The policy, the inventory and the configuration are read by it. Every error is a RunbookError; whoever reads the file
names it by its own class.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.runbooks.library.document import Document, PathKey, read_document, render_path


def read_node(text: str, file: str) -> "Node":
    """Read a file's text as the node of its top. Raises RunbookError."""
    return Node(read_document(text, file), ())


@dataclass(frozen=True)
class Node:
    """Describes one value of the file and its path."""

    document: Document
    path: PathKey

    @property
    def value(self) -> object:
        """Return the plain value; None where the path ends in nothing."""
        found: object = self.document.data
        for part in self.path:
            found = found[part]  # type: ignore[index]
        return found

    @property
    def where(self) -> str:
        """Return `file:line`."""
        return f"{self.document.file}:{self.document.line(self.path)}"

    def error(self, what: str) -> RunbookError:
        """Return `file:line: path: what`."""
        return RunbookError(f"{self.where}: {render_path(self.path)}: {what}")

    def members(self, known: Sequence[str] | None, required: Sequence[str] = ()) -> dict[str, "Node"]:
        """Return its members. Unknown ones are refused unless `known` is None."""
        if not isinstance(self.value, dict):
            raise self.error("expected a mapping" if known is None else f"expected the keys {', '.join(known)}")
        members = {str(key): Node(self.document, (*self.path, key)) for key in self.value}
        for key, node in members.items():
            if known is not None and key not in known:
                raise node.error(f"unknown key{did_you_mean(key, known)}")
        for key in required:
            if key not in members:
                raise self.error(f"{key!r} is missing")
        return members

    def items(self, what: str = "a list") -> Iterator["Node"]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            raise self.error(f"expected {what}")
        for index in range(len(self.value)):
            yield Node(self.document, (*self.path, index))

    def text(self, shape: str = r"[^\x00-\x1f\x7f]{1,200}", what: str = "text") -> str:
        """Return a text that matches `shape` as a whole."""
        if not isinstance(self.value, str) or not re.fullmatch(shape, self.value):
            raise self.error(f"expected {what}, got {self.value!r}")
        return self.value

    def choice(self, choices: Sequence[str]) -> str:
        """Return one of these words."""
        word = self.text()
        if word not in choices:
            raise self.error(f"unknown word {word!r}{did_you_mean(word, choices)}")
        return word

    def count(self, most: int) -> int:
        """Return a whole number from 1 to `most`."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or not 1 <= self.value <= most:
            raise self.error(f"expected a number from 1 to {most}, got {self.value!r}")
        return self.value


def find_member(members: Mapping[str, Node], key: str) -> Node | None:
    """Return the member of that key; None where it is absent or has no value."""
    node = members.get(key)
    return None if node is None or node.value is None else node
