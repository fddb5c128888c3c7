"""`triagebook diff BEFORE AFTER` compares two answers, saved ones or by their ids, as before and after a fix."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from triagebook.bot.cli.answer_source import answers_of
from triagebook.bot.cli.server_call import JsonOption, SocketOption
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis.difference import differences

DIFFER = 1


def diff(
    before: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="What `diagnose --save` or `--json` wrote at first, or an answer's id")
    ],
    after: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="What it wrote later (- is standard input), or the later answer's id")
    ],
    *,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Compare two diagnoses: status, causes and figures. The approval server keeps answers by their id for 30 days.

    Example: triagebook diff before.json after.json

    Example: triagebook diff 20261130T040937-4730955b 20261130T043012-11d0c2aa

    Exit status: 0 no difference, 1 they differ.
    """
    found = differences(_only(before, socket), _only(after, socket))
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


def _only(file: str, socket: Path | None) -> Found:
    found = answers_of(file, socket)
    if len(found) != 1:
        raise UsageError(f"{file}: {len(found)} diagnoses; one is compared with one", reason="usage")
    return found[0]
