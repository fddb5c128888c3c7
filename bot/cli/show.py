"""`triagebook show` shows an answer again, of a file or by its id, as text, JSON or Markdown; a fix too."""

import sys
from typing import Annotated

import typer
from triagebook.bot.cli.answer_source import answers_of, is_fix_id
from triagebook.bot.cli.server_call import SocketOption, show_fix
from triagebook.bot.render.markdown import render_markdown
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import json_line
from triagebook.bot.render.text import render
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import did_you_mean

FORMS = ("text", "json", "markdown")


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|ID",
            help="A file that `diagnose --save` or `--json` wrote (- is standard input), or the id of an answer or of a fix",
        ),
    ],
    *,
    form: Annotated[str, typer.Option("--format", metavar="FORM", help="Print text, json or markdown")] = "text",
    explain: Annotated[bool, typer.Option("--explain", help="Show for each check the figures it was judged by")] = False,
    socket: SocketOption = None,
) -> None:
    """Show a diagnosis again, of a file or by its id. No host is asked.

    The id stands in the last line of an answer and in `triagebook history`. The approval server keeps whole answers that it,
    Slack, assistants or alerts gave for 30 days; you see those about hosts that you may diagnose.

    \b
    Examples:
      triagebook show found.json --explain
      triagebook show found.json --format markdown > post-mortem.md
      triagebook show 20261130T040937-4730955b
      triagebook show F-7K2M9QXB
    """
    if form not in FORMS:
        raise UsageError(f"--format {form[:40]!r}: expected text, json or markdown{did_you_mean(form, FORMS)}", reason="usage")
    if is_fix_id(what):
        if form == "markdown":
            raise UsageError("--format markdown: a fix is shown as text or json", reason="usage")
        show_fix({"do": "show", "fix": what}, socket, form == "json")
        return
    style = style_of(sys.stdout, explain=explain)
    for number, found in enumerate(answers_of(what, socket)):
        if form == "json":
            sys.stdout.write(json_line(to_plain(found)))
        else:
            text = render(found, style) if form == "text" else render_markdown(found, explain=explain)
            sys.stdout.write(f"\n{text}" if number else text)
