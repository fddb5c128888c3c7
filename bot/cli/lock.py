"""`triagebook lock ...` shows host locks and breaks one whose fix cannot be settled."""

import sys
from typing import Annotated

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, ask_why, show_answer
from triagebook.bot.render.plan import table
from triagebook.bot.render.style import room_of

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(name="list")
def locks(*, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """List host locks. Shows the host, the fix that holds the lock, since when, and why.

    Example: triagebook lock list
    """
    show_answer({"do": "locks"}, socket, as_json, _render_locks)


@app.command(name="break")
def break_lock(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The locked host")],
    *,
    why: Annotated[
        str,
        typer.Option(metavar="TEXT", help="The reason, recorded prominently in the audit log; asked for if omitted"),
    ] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Break the lock of a host whose fix ended in an unknown state. Check the host first.

    Example: triagebook lock break web01 --why 'host was reinstalled'
    """
    show_answer(
        {"do": "break_lock", "host": host, "why": ask_why(why, "lock break")},
        socket,
        as_json,
        lambda lock: f"{lock['host']}: the lock of {lock['fix']} is broken.\n",
    )


def _render_locks(found: list[dict[str, str]]) -> str:
    if not found:
        return "No host is locked.\n"
    columns = ("host", "fix", "person", "taken_at", "reason")
    return table(columns, [[lock[name] for name in columns] for lock in found], room_of(sys.stdout))
