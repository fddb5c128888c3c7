"""`triagebook diff BEFORE AFTER` compares two saved diagnoses, as before and after a fix."""

import sys
from typing import Annotated

import typer
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis.difference import differences
from triagebook.tools.diagnosis.saved import read_saved

DIFFER = 1


def diff(
    before: Annotated[str, typer.Argument(metavar="FILE", help="What `diagnose --save` or `--json` wrote at first")],
    after: Annotated[str, typer.Argument(metavar="FILE", help="What it wrote later; - is standard input")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line")] = False,
) -> None:
    """Compare two saved diagnoses: status, causes and figures.

    Example: triagebook diff before.json after.json

    Exit status: 0 no difference, 1 they differ.
    """
    found = differences(_only(before), _only(after))
    style = style_of(sys.stdout)
    for difference in found:
        if as_json:
            sys.stdout.write(json_line(to_plain(difference)))
            continue
        sys.stdout.write(f"{difference.what}\n")
        for sign, text in (("-", difference.before), ("+", difference.after)):
            sys.stdout.write("\n".join(style.wrap(text, f"  {sign} ", "    ")) + "\n")
    if not found and not as_json:
        sys.stdout.write("no difference\n")
    raise typer.Exit(DIFFER if found else 0)


def _only(file: str) -> Found:
    found = read_saved(file, sys.stdin)
    if len(found) != 1:
        raise UsageError(f"{file}: {len(found)} diagnoses; one is compared with one", reason="usage")
    return found[0]
