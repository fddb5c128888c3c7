"""`triagebook alerts` shows the alerts that a server took, and what came of each."""

import sys
from typing import Annotated

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, show_answer
from triagebook.bot.render.history import render_alerts
from triagebook.bot.render.style import style_of


def alerts(
    host: Annotated[str, typer.Argument(metavar="[HOST]", help="Only the alerts of this host")] = "",
    *,
    limit: Annotated[int, typer.Option(metavar="N", help="How many to show", min=1, max=500)] = 20,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Show the alerts that the server took, and what came of each.

    The newest are first. One that names no host of the inventory is shown too, with the reason.

    Example: triagebook alerts web01
    """
    request = {"do": "alerts", "host": host, "limit": limit}
    show_answer(request, socket, as_json, lambda found: render_alerts(found, style_of(sys.stdout).width))
