"""Renders what people said of answers. The input is the server's JSON, and none of it is trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

from triagebook.bot.render.style import Style
from triagebook.bot.render.text import local_time
from triagebook.runbooks.engine.text import safe_text


def feedback_text(said: Sequence[Mapping[str, Any]], style: Style) -> str:
    """Return a line for each word: when, which answer, right or wrong; below it what it was, and where a draft is."""
    if not said:
        return "Nobody said whether an answer was right.\n"
    return "".join(f"{line}\n" for item in said for line in _lines(item, style))


def _lines(item: Mapping[str, Any], style: Style) -> list[str]:
    shown = {name: safe_text(" ".join(str(value).split()), 400) for name, value in item.items()}
    was = shown["was"].upper()
    parts = (local_time(str(item["at"])), was, shown["host"], shown["cause"] or shown["status"], shown["answer"])
    first, *rest = style.fill("  ".join(parts), "", "  ")
    lines = [first.replace(was, style.paint(was, "33" if item["was"] == "wrong" else "32"), 1), *rest]
    lines += style.fill(f"by {shown['person'] or shown['account']}, of {shown['runbook']}", "  ", "  ")
    if shown["it_was"]:
        lines += style.fill(f"it was (unverified): {shown['it_was']}", "  ", "    ")
    if item["has_case"]:
        lines.append(f"    triagebook feedback case {shown['answer']} FILE")
    return lines
