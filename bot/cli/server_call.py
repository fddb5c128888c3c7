"""Shares what commands that call the approval server need: the socket option, JSON or text, NAME=VALUE options."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from triagebook.bot.cli.progress import Progress
from triagebook.bot.render.plan import render_fix
from triagebook.bot.render.style import room_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.server.client import ask, default_socket

SocketOption = Annotated[
    Path | None, typer.Option("--socket", metavar="PATH", help="Socket of the approval server (default: $TRIAGEBOOK_SOCKET)")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line")]
FixArgument = Annotated[str, typer.Argument(metavar="FIX", help="The id of the fix, such as F-7K2M9QXB")]


def ask_why(given: str, doing: str) -> str:
    """Return the reason that was given, else ask for it. Raises UsageError: without a terminal there is nobody to ask."""
    if given:
        return given
    if not sys.stdin.isatty():
        raise UsageError(f"{doing} needs --why TEXT: the reason, for the audit log", reason="usage")
    return str(typer.prompt("Why", err=True))


def show_fix(request: Mapping[str, object], socket: Path | None, as_json: bool, doing: str = "") -> Any:
    """Send a request whose answer is a fix, and show it as `show_answer` does."""
    return show_answer(request, socket, as_json, lambda fix: render_fix(fix, room=room_of(sys.stdout)), doing)


def show_answer(
    request: Mapping[str, object], socket: Path | None, as_json: bool, render: Callable[[Any], str], doing: str = ""
) -> Any:
    """Send a request to the approval server, print the answer and return it. `doing` is said while it takes long."""
    with Progress(doing):
        answer = call_server(request, socket)
    sys.stdout.write(json_line(answer) if as_json else render(answer))
    return answer


def call_server(request: Mapping[str, object], socket: Path | None) -> Any:
    """Return the answer of the approval server. Raises the refusal that it answered with."""
    return ask(socket or default_socket(), request)


def parse_assignments(values: list[str] | None) -> dict[str, str]:
    """Return `NAME=VALUE` options as a mapping. Raises UsageError: not of that form."""
    found = {}
    for value in values or []:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{value[:40]!r}: expected NAME=VALUE", reason="usage")
        found[name] = text
    return found


def parse_parameters(values: Mapping[str, str]) -> dict[str, int | str]:
    """Return parameters with whole numbers converted to integers."""
    return {name: int(text) if is_whole_number(text.removeprefix("-")) else text for name, text in values.items()}
