"""`triagebook fix ...` sends requests about fixes to the approval server, which learns the caller from the kernel."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from triagebook.bot.cli import options
from triagebook.bot.cli.server_call import (
    FixArgument,
    JsonOption,
    SocketOption,
    call_server,
    parse_assignments,
    parse_parameters,
    show_answer,
    show_fix,
)
from triagebook.bot.render.plan import render_fix, render_fixes
from triagebook.bot.render.style import room_of
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
DigestOption = Annotated[
    str, typer.Option(metavar="DIGEST", help="Digest of the plan you reviewed; without it the plan is shown and you are asked")
]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Tell the approver why; shown as unverified")]
# Exit status of `fix apply` by the state that it ends in; failed, reverted and all others: 4.
APPLIED = {"validated": 0, "unresolved": 6, "unknown": 3, "running": 3}
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation; requires --digest")]


@app.command()
def propose(
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the approval server's inventory, or replay:CASE")],
    remediation: Annotated[str, typer.Argument(metavar="REMEDIATION", help="A remediation that `diagnose` offered for the host")],
    *,
    runbook: options.RunbookOption = "",
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Set a parameter within the bounds that `diagnose` showed; repeatable"),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="Pass an input to the diagnosis, such as unit=x.service; repeatable"),
    ] = None,
    culprit: Annotated[str, typer.Option(metavar="CULPRIT", help="Fix this culprit, if several are at their limit")] = "",
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Propose a fix for another person to approve. The approval server diagnoses HOST and writes the exact plan.

    Nothing is changed on the host.

    Example: triagebook fix propose web01 raise_tasks_max --param limit=64
    """
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
    doing = f"The approval server diagnoses {safe_text(host, 60)} and writes the plan"
    show_fix(request, socket, as_json, doing)


@app.command()
def show(fix: FixArgument, *, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Show one fix. Includes the change, exact commands, risk, disruption, undo, requester, expiry and digest.

    Example: triagebook fix show F-7K2M9QXB
    """
    show_fix({"do": "show", "fix": fix}, socket, as_json)


@app.command(name="list")
def list_(
    *,
    state: Annotated[str, typer.Option(metavar="STATE", help="List only fixes in this state")] = "",
    host: Annotated[str, typer.Option(metavar="HOST", help="List only fixes of this host")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """List the newest fixes on hosts that you may diagnose.

    Example: triagebook fix list --state proposed
    """
    show_answer({"do": "list", "state": state, "host": host}, socket, as_json, _text_of_fixes)


@app.command()
def approve(
    fix: FixArgument,
    *,
    digest: DigestOption = "",
    yes: YesOption = False,
    break_glass: Annotated[
        str, typer.Option(metavar="REASON", help="Approve your own plan in an emergency; recorded prominently in the audit log")
    ] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Approve exactly the plan shown. The requester cannot approve it.

    Example: triagebook fix approve F-7K2M9QXB
    """
    seen = _confirm_digest("approve", fix, digest, is_sure=yes, socket=socket)
    show_fix({"do": "approve", "fix": fix, "digest": seen, "break_glass": break_glass}, socket, as_json)


@app.command()
def deny(
    fix: FixArgument,
    *,
    digest: DigestOption = "",
    yes: YesOption = False,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Tell the requester why")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Deny a fix; this is final.

    Example: triagebook fix deny F-7K2M9QXB --why 'the unit leaks tasks'
    """
    seen = _confirm_digest("deny", fix, digest, is_sure=yes, socket=socket)
    show_fix({"do": "deny", "fix": fix, "digest": seen, "why": why}, socket, as_json)


@app.command()
def withdraw(fix: FixArgument, *, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Withdraw a fix you requested, even if it was already approved.

    Example: triagebook fix withdraw F-7K2M9QXB
    """
    show_fix({"do": "withdraw", "fix": fix}, socket, as_json)


@app.command()
def apply(fix: FixArgument, *, as_json: JsonOption = False, socket: SocketOption = None) -> None:
    """Apply an approved fix, once.

    The approval server diagnoses the host again, changes it, and validates the result with fresh facts.

    Example: triagebook fix apply F-7K2M9QXB

    Exit status: 0 the cause is gone, 6 the change is in place but was not shown to help, 3 the outcome is not known yet,
    4 failed or put back, 5 refused (nothing was done).
    """
    doing = "The approval server diagnoses the host again, has the helper make the change, and validates it"
    answer = show_fix({"do": "apply", "fix": fix}, socket, as_json, doing)
    raise typer.Exit(APPLIED.get(str(answer["state"]), 4))


@app.command()
def revert(
    fix: FixArgument,
    *,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Propose to undo an applied fix. The new fix needs its own approval and `fix apply`.

    Example: triagebook fix revert F-7K2M9QXB --reason 'load is back to normal'
    """
    doing = "The approval server asks the host what is in place and writes the plan"
    show_fix({"do": "revert", "fix": fix, "reason": reason}, socket, as_json, doing)


@app.command()
def persist(
    fix: FixArgument,
    *,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Propose to make a live fix permanent. The new fix needs its own approval and `fix apply`.

    Example: triagebook fix persist F-7K2M9QXB
    """
    doing = "The approval server asks the host what is in place and writes the plan"
    show_fix({"do": "persist", "fix": fix, "reason": reason}, socket, as_json, doing)


def _text_of_fixes(fixes: Sequence[Mapping[str, Any]]) -> str:
    return render_fixes(fixes, room=room_of(sys.stdout))


def _confirm_digest(verb: str, fix: str, digest: str, *, is_sure: bool, socket: Any) -> str:
    """Return the digest of the reviewed plan: the one given, or that of the plan shown now and confirmed."""
    if digest:
        return digest
    if is_sure or not sys.stdin.isatty():
        raise UsageError(
            f"{verb} without a terminal requires --digest of the reviewed plan (see: triagebook fix show {fix})", reason="usage"
        )
    found = call_server({"do": "show", "fix": fix}, socket)
    sys.stderr.write(render_fix(found, room=room_of(sys.stderr)))
    if not typer.confirm(f"{verb} exactly this plan?", err=True):
        raise typer.Exit(1)
    return str(found["digest"])
