"""`triagebook policy check` validates a policy file and explains what the policy decides."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, show_answer
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean, safe_text

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
DENIED = 5


@app.command()
def check(
    *,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="Use this file instead of the approval server's policy")] = None,
    action: Annotated[
        str, typer.Option(metavar="ACTION", help="diagnose, propose, approve, apply, break_lock, bind_host or read_audit")
    ] = "",
    account: Annotated[
        str,
        typer.Option(metavar="ACCOUNT", help="os:NAME, slack:TEAM/USER or mcp:ISSUER#SUBJECT; your own account if omitted"),
    ] = "",
    host: Annotated[str, typer.Option(metavar="HOST", help="The host the action is for")] = "",
    runbook: Annotated[str, typer.Option("--runbook", "-r", metavar="RUNBOOK", help="The runbook the action is for")] = "",
    risk: Annotated[str, typer.Option(metavar="RISK", help="The risk of the plan: low, medium or high")] = "",
    requester: Annotated[str, typer.Option(metavar="PERSON", help="For --action approve: the person who requested the fix")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Explain whether the policy allows an action, and by which rule. Exits 5 if it is denied.

    With --file and no --action, only check that the file is valid; --file with --action also requires --account.

    Example: triagebook policy check --action approve --account os:ana
    """
    asked = {"action": action, "host": host, "runbook": runbook, "risk": risk}
    if file is None:
        request = {"do": "policy_check", **asked, "account": account, "requester": requester}
        answer = show_answer(request, socket, as_json, _render)
    else:
        answer = _decide(file, asked, account, requester)
        sys.stdout.write(json.dumps(answer) + "\n" if as_json else _render(answer))
    raise typer.Exit(0 if answer["is_allowed"] else DENIED)


def _decide(file: Path, asked: dict[str, str], account: str, requester: str) -> dict[str, Any]:
    from triagebook.tools.policy.decide import may, may_vote  # noqa: PLC0415
    from triagebook.tools.policy.identity import parse_account  # noqa: PLC0415 - light start
    from triagebook.tools.policy.load import load_policy  # noqa: PLC0415
    from triagebook.tools.policy.model import RULED, PolicyQuestion  # noqa: PLC0415

    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"--file {file}: it is no text", reason="usage") from None
    policy = load_policy(text, str(file))
    if not asked["action"]:
        groups = sorted({str(group) for terms in policy.approvals for group in terms.unasked_groups})
        asked_for = f"; members of {', '.join(groups)} are looked up in Slack at each decision" if groups else ""
        counts = f"{len(policy.names)} persons, {len(policy.rules)} rules, {len(policy.approvals)} approval terms{asked_for}"
        return {
            "is_allowed": True,
            "reason": "valid",
            "says": f"{file} is valid: {counts}",
            "account": "",
            "person": "",
            "service": "",
        }
    if asked["action"] not in {*RULED, "approve"} or not account:
        raise UsageError(
            f"--file with --action also requires --account; --action is one of: {', '.join(RULED)}, approve", reason="usage"
        )
    if requester and requester not in policy.names:
        raise UsageError(f"no person {requester!r} in {file}{did_you_mean(requester, policy.names)}", reason="usage")
    identity, question = policy.directory.identify(parse_account(account)), PolicyQuestion(**asked)
    is_vote = asked["action"] == "approve"
    decision = may_vote(policy, identity, question, requester) if is_vote else may(policy, identity, question)
    who = {"account": account, "person": identity.person, "service": identity.service}
    return {"is_allowed": decision.is_allowed, "reason": decision.reason, "says": decision.says, **who}


def _render(answer: dict[str, Any]) -> str:
    person = answer["person"] or "account of no known person"
    who = f"{answer['account']} ({answer['service'] or person}): " if answer["account"] else ""
    return f"{who}{'yes' if answer['is_allowed'] else 'no'} [{answer['reason']}]: {safe_text(answer['says'], 600)}\n"
