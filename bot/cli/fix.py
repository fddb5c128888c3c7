"""`triagebook fix ...` and `triagebook lock ...`: asks `triagebook serve`, which knows from the kernel who asks."""

import sys
from typing import Annotated, Any

import typer
from triagebook.bot.cli.server_call import (
    FixArgument,
    JsonOption,
    SocketOption,
    call_server,
    parse_assignments,
    parse_parameters,
    show_answer,
)
from triagebook.bot.render.plan import render_fix, render_fixes
from triagebook.runbooks.engine.errors import UsageError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Propose, decide on and carry out fixes.")
DigestOption = Annotated[str, typer.Option(help="The digest of the plan you saw; without it you are shown the plan and asked")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needs --digest")]


@app.command()
def propose(
    host: Annotated[str, typer.Argument(help="A host of the server's inventory, or replay:CASE")],
    remediation: Annotated[str, typer.Argument(help="As `diagnose` offers it")],
    *,
    runbook: Annotated[str, typer.Option("--runbook", "-r", help="ID or ID@VERSION")] = "",
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, within the bounds that `diagnose` shows")] = None,
    given: Annotated[list[str] | None, typer.Option("--input", help="NAME=VALUE for the diagnosis, such as unit=x.service")] = None,
    culprit: Annotated[str, typer.Option(help="Which one, where several are at their limit")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the approver; shown as unverified")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Have the server diagnose HOST and write down the exact change, for another person to decide on."""
    request = {
        "do": "propose",
        "host": host,
        "remediation": remediation,
        "runbook": runbook,
        "parameters": parse_parameters(parse_assignments(param)),
        "inputs": parse_assignments(given),
        "culprit": culprit,
        "reason": reason,
    }
    show_answer(request, socket, as_json, render_fix)


@app.command()
def show(fix: FixArgument, *, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """One fix: now -> then, exact commands, risk, disruption, undo, who asked, expiry, digest."""
    show_answer({"do": "show", "fix": fix}, socket, as_json, render_fix)


@app.command(name="list")
def list_(
    *,
    state: Annotated[str, typer.Option(help="Only fixes in this state")] = "",
    host: Annotated[str, typer.Option(help="Only fixes of this host")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """The newest fixes on hosts you may diagnose."""
    show_answer({"do": "list", "state": state, "host": host}, socket, as_json, render_fixes)


@app.command()
def approve(
    fix: FixArgument,
    *,
    digest: DigestOption = "",
    yes: YesOption = False,
    break_glass: Annotated[str, typer.Option(metavar="REASON", help="Approve your own plan in an emergency, loudly")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Say yes to exactly the plan you see. Another person than the one who asked."""
    seen = _confirm_digest("approve", fix, digest, is_sure=yes, socket=socket)
    show_answer({"do": "approve", "fix": fix, "digest": seen, "break_glass": break_glass}, socket, as_json, render_fix)


@app.command()
def deny(
    fix: FixArgument,
    *,
    digest: DigestOption = "",
    yes: YesOption = False,
    why: Annotated[str, typer.Option(help="For the one who asked")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Say no. That ends it."""
    seen = _confirm_digest("deny", fix, digest, is_sure=yes, socket=socket)
    show_answer({"do": "deny", "fix": fix, "digest": seen, "why": why}, socket, as_json, render_fix)


@app.command()
def withdraw(fix: FixArgument, *, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Take back a plan you asked for, also when it was approved."""
    show_answer({"do": "withdraw", "fix": fix}, socket, as_json, render_fix)


@app.command()
def apply(fix: FixArgument, *, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Carry out an approved fix, once. A server that cannot prints the commands for a person."""
    show_answer({"do": "apply", "fix": fix}, socket, as_json, render_fix)


@app.command()
def revert(
    fix: FixArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the approver; shown as unverified")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Write down the plan that puts back what an applied fix changed. It is approved and applied like any other."""
    show_answer({"do": "revert", "fix": fix, "reason": reason}, socket, as_json, render_fix)


@app.command()
def persist(
    fix: FixArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the approver; shown as unverified")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Write down the plan that makes a live fix permanent. It is approved and applied like any other."""
    show_answer({"do": "persist", "fix": fix, "reason": reason}, socket, as_json, render_fix)


def _confirm_digest(verb: str, fix: str, digest: str, *, is_sure: bool, socket: Any) -> str:
    """The digest of the plan the person saw: the one given, or the one shown now and said yes to."""
    if digest:
        return digest
    if is_sure or not sys.stdin.isatty():
        raise UsageError(f"{verb} without a terminal needs --digest, of the plan you saw (fix show {fix})", reason="usage")
    found = call_server({"do": "show", "fix": fix}, socket)
    sys.stderr.write(render_fix(found))
    if not typer.confirm(f"{verb} exactly this?", err=True):
        raise typer.Exit(1)
    return str(found["digest"])
