"""What the commands that talk to `triagebook serve` share: the socket's option, JSON or text, names of values."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.server.client import ask, default_socket

SocketOption = Annotated[Path | None, typer.Option("--socket", help="The server's socket (default: $TRIAGEBOOK_SOCKET)")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, one object a line")]
FixArgument = Annotated[str, typer.Argument(metavar="FIX", help="F-...")]


def show_answer(request: Mapping[str, object], socket: Path | None, as_json: bool, render: Callable[[Any], str]) -> Any:
    """Ask, print, and return the answer."""
    answer = call_server(request, socket)
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n" if as_json else render(answer))
    return answer


def call_server(request: Mapping[str, object], socket: Path | None) -> Any:
    """The server's answer. Raises its refusal."""
    return ask(socket or default_socket(), request)


def parse_assignments(values: list[str] | None) -> dict[str, str]:
    """`NAME=VALUE` options as a mapping."""
    found = {}
    for value in values or []:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{value[:40]!r}: write NAME=VALUE", reason="usage")
        found[name] = text
    return found


def parse_parameters(values: Mapping[str, str]) -> dict[str, int | str]:
    """Parameters: what is written as a whole number is one."""
    return {name: int(text) if text.lstrip("-").isdigit() and text.isascii() else text for name, text in values.items()}
