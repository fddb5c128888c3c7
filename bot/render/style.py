"""Lays text out for a terminal: how wide, with colour or not, and every command on a line of its own that can be pasted."""

import os
from typing import TextIO

from triagebook.runbooks.engine.dataclass import dataclass

WIDTH = 110  # of text that goes to no terminal, and the most that is easy to read on a wide one
NARROWEST = 20


@dataclass(frozen=True)
class Style:
    """How to print: with colour or without, everything (`--explain`) or only what matters, and how many columns there are."""

    colour: bool = False
    explain: bool = False
    width: int = WIDTH

    def paint(self, text: str, code: str) -> str:
        """Return the text in that colour if colour is on."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def wrap(self, text: str, first: str = "", rest: str = "") -> list[str]:
        """Return the text in lines of this width. A command in it, between backticks, gets a line of its own and is not broken.

        Of what stands between backticks only a command of several words is moved; a single word stays in its sentence.
        """
        lines: list[str] = []
        for number, part in enumerate(_parts(text)):
            if number % 2:
                lines.append(f"{rest}    {part}")
            elif words := part.strip(" "):
                lines += self.fill(words, rest if lines else first, rest)
        return lines or [first]

    def row(self, head: str, text: str, column: int, *, is_quoted: bool = False) -> list[str]:
        """Return a row whose text starts in that column, beside `head`; below it where too little of the terminal is left.

        `is_quoted`: the text is somebody else's, and a command in it is no command of ours.
        """
        lay_out = self.fill if is_quoted else self.wrap
        if self.width - column < NARROWEST:
            return [*self.fill(head.strip(), head[: len(head) - len(head.lstrip())], "  "), *lay_out(text, "    ", "    ")]
        return lay_out(text, head.ljust(column), " " * column)

    def fill(self, text: str, first: str, rest: str) -> list[str]:
        """Return the text in lines of this width, broken between words only."""
        import textwrap  # noqa: PLC0415 - 10 ms: not for --json

        return textwrap.wrap(
            text, self.width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
        )


def style_of(out: TextIO, *, explain: bool = False) -> Style:
    """Return the style of an output: a terminal's width, and its colour unless NO_COLOR is set or TERM is dumb."""
    is_terminal = out.isatty()
    colour = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(colour=colour, explain=explain, width=max(NARROWEST, min(WIDTH, _columns(out) if is_terminal else WIDTH)))


def room_of(out: TextIO) -> int | None:
    """Return how many columns a terminal has, however wide; None where text goes to no terminal, and any line is short enough."""
    return max(NARROWEST, _columns(out)) if out.isatty() else None


def _columns(out: TextIO) -> int:
    """Return how many columns a terminal has; COLUMNS says otherwise where somebody set it."""
    chosen = os.environ.get("COLUMNS", "")
    if chosen.isdecimal() and int(chosen) > 0:
        return int(chosen)
    try:
        return os.get_terminal_size(out.fileno()).columns or WIDTH
    except (OSError, ValueError):  # no descriptor, as in a test
        return WIDTH


def _parts(text: str) -> list[str]:
    """Return prose and commands in turn, prose first. An odd backtick, or one word between two, is prose."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return [text]
    found = [pieces[0]]
    for number in range(1, len(pieces), 2):
        inside, after = pieces[number], pieces[number + 1]
        if " " in inside.strip():
            found += [inside, after]
        else:
            found[-1] += f"`{inside}`{after}"
    return found
