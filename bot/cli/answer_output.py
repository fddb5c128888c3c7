"""Prints one answer as it was asked for: JSON, or text for people."""

from typing import TextIO

from triagebook.bot.cli.diagnose_options import DiagnoseOptions
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import write_json
from triagebook.bot.render.text import render
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.triage import Found


def print_answer(result: Found, options: DiagnoseOptions, out: TextIO) -> None:
    """Print an answer as it was asked for."""
    if options.as_json:
        write_json(out, to_plain(result))
    else:
        out.write(render(result, style_of(out, explain=options.explain)))
