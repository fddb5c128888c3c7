"""`triagebook show FILE` shows a saved diagnosis again, as text, JSON or Markdown."""

import sys
from typing import Annotated

import typer
from triagebook.bot.render.markdown import render_markdown
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import json_line
from triagebook.bot.render.text import render
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.diagnosis.saved import read_saved

FORMS = ("text", "json", "markdown")


def show(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `diagnose --save` or `--json` wrote; - is standard input")],
    *,
    form: Annotated[str, typer.Option("--format", metavar="FORM", help="Print text, json or markdown")] = "text",
    explain: Annotated[bool, typer.Option("--explain", help="Show for each check the figures it was judged by")] = False,
) -> None:
    """Show a saved diagnosis again, as text, JSON or Markdown. No host is asked.

    \b
    Examples:
      triagebook show found.json --explain
      triagebook show found.json --format markdown > post-mortem.md
    """
    if form not in FORMS:
        raise UsageError(f"--format {form[:40]!r}: expected text, json or markdown{did_you_mean(form, FORMS)}", reason="usage")
    style = style_of(sys.stdout, explain=explain)
    for number, diagnosis in enumerate(read_saved(file, sys.stdin)):
        if form == "json":
            sys.stdout.write(json_line(to_plain(diagnosis)))
        else:
            text = render(diagnosis, style) if form == "text" else render_markdown(diagnosis, explain=explain)
            sys.stdout.write(f"\n{text}" if number else text)
