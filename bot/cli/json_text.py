"""Finds places in the text of a JSON file that may have comments and trailing commas, as VS Code and Zed write it."""

import re
from collections.abc import Iterator

from triagebook.runbooks.engine.dataclass import dataclass

PIECE = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|[{}\[\]:,]|[^\s{}\[\]:,"/]+|\s+|.', re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Right after the opening brace of an object. `depth` counts the names of its path."""

    at: int
    depth: int
    is_empty: bool
    outer: str  # the indentation of the line that the brace stands on
    indent: str  # what members are indented by beyond that


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the pieces that mean something, with where they begin."""
    for match in PIECE.finditer(text):
        piece = match[0]
        if not piece.isspace() and not piece.startswith(("//", "/*")):
            yield match.start(), piece


def without_comments(text: str) -> str:
    """Return the file as plain JSON, without its byte order mark, comments and trailing commas."""
    return " ".join(piece for _, piece in _plain_pieces(text))


def line_of(text: str, position: int) -> int:
    """Return the line of the file that holds this position of `without_comments`, from 1 on."""
    reached = 0
    for offset, piece in _plain_pieces(text):
        reached += len(piece) + 1
        if position < reached:
            return text.count("\n", 0, offset) + 1
    return text.rstrip().count("\n") + 1


def _plain_pieces(text: str) -> list[tuple[int, str]]:
    """The pieces of plain JSON, each with its offset."""
    pieces = list(_pieces(text.removeprefix("\ufeff")))
    after = [piece for _, piece in pieces[1:]] + [""]
    return [item for item, behind in zip(pieces, after, strict=True) if item[1] != "," or behind not in {"}", "]"}]


def member_places(text: str, path: tuple[str, ...]) -> list[Place]:
    """Return the objects on the way to that path, from the root as far as they exist.

    The text must be readable (`without_comments`), with an object at its root.
    """
    pieces = list(_pieces(text))
    start = next(number for number, (_, piece) in enumerate(pieces) if piece == "{")
    places = [_place(text, pieces, start, 0)]
    for depth, name in enumerate(path, 1):
        found = _member(pieces, start, name)
        if found is None or pieces[found][1] != "{":
            break
        start = found
        places.append(_place(text, pieces, start, depth))
    return places


def _member(pieces: list[tuple[int, str]], start: int, name: str) -> int | None:
    """Return the number of the piece at which the member's value begins."""
    level = 0
    for number in range(start, len(pieces)):
        piece = pieces[number][1]
        level += (piece in "{[") - (piece in "}]")
        if level == 0:
            return None
        if level == 1 and piece == f'"{name}"' and number + 2 < len(pieces) and pieces[number + 1][1] == ":":
            return number + 2
    return None


def _place(text: str, pieces: list[tuple[int, str]], number: int, depth: int) -> Place:
    at = pieces[number][0] + 1
    line = text[text.rfind("\n", 0, at) + 1 : at]
    outer = line[: len(line) - len(line.lstrip())]
    after, piece = pieces[number + 1]
    before = text[text.rfind("\n", 0, after) + 1 : after]
    is_empty = piece == "}"
    inner = before if before.isspace() and not is_empty else ""
    return Place(at, depth, is_empty, outer, inner.removeprefix(outer) if inner.startswith(outer) else "")
