"""`triagebook history` shows what a host was found to have before: answers, alerts, fixes and boots."""

import sys
from typing import Annotated

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, show_answer
from triagebook.bot.render.history import render_history
from triagebook.bot.render.style import style_of


def history(
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the server's inventory")],
    *,
    days: Annotated[int, typer.Option(metavar="N", help="How many days to look back", min=1, max=365)] = 30,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Show what a host was found to have before.

    Its diagnoses, alerts, fixes and boots are shown, newest first. The approval server keeps every diagnosis that Slack, assistants
    or alerts asked it for, for a year.

    Example: triagebook history web01 --days 7
    """
    request = {"do": "history", "host": host, "days": days}
    show_answer(request, socket, as_json, lambda entries: render_history(host, entries, style_of(sys.stdout).width))
