"""`triagebook lock ...`: which hosts a fix has to itself, and freeing one whose fix nobody can settle."""

from typing import Annotated

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, show_answer
from triagebook.bot.render.plan import table

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Hosts that a fix has to itself.")


@app.command(name="list")
def locks(*, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Locked hosts, by what, since when, and why."""
    show_answer({"do": "locks"}, socket, as_json, _render_locks)


@app.command(name="break")
def break_lock(
    host: Annotated[str, typer.Argument()],
    *,
    why: Annotated[str, typer.Option(help="Recorded loudly", prompt=True)],
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Free a host whose fix nobody can settle. Look at the host first."""
    show_answer(
        {"do": "break_lock", "host": host, "why": why},
        socket,
        as_json,
        lambda lock: f"{lock['host']} is free; {lock['fix']} held it.\n",
    )


def _render_locks(found: list[dict[str, str]]) -> str:
    columns = ("host", "fix", "person", "taken_at", "reason")
    return table(columns, [[lock[name] for name in columns] for lock in found]) if found else "No host is locked.\n"
