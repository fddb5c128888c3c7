"""Pieces of Markdown: a table, a cell, a text with what looks like code set in code."""

import re
from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Return a text that fits into one cell of a table. Between backticks only the sign that ends a cell is escaped."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part.replace("|", "\\|") if part.startswith("`") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or nothing where there are no rows."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]) + "\n\n"


def code(text: str) -> str:
    """Return a text as code, or nothing where there is none."""
    return f"`{text}`" if text else ""


def fenced(text: str, language: str = "") -> str:
    """Return a block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n\n"


def made_by(source: str) -> str:
    """Return the line that says where a page comes from."""
    return f"<!-- Made by `make reference` from {source}. Edit it there. -->\n\n"


def first_sentences(text: str | None) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())
