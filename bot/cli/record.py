"""`triagebook record` writes what happened around a host, a fix or an alert, each line with the proof that the audit log has it."""

import contextlib
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from triagebook.bot.cli.server_call import SocketOption, call_server
from triagebook.bot.render.record import render_record
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.times import DURATIONS, parse_duration, rfc3339

FORMS = ("markdown", "html", "json")


def record(
    subject: Annotated[str, typer.Argument(metavar="HOST|FIX|ALERT", help="A host of the inventory, or the id of a fix or alert")],
    *,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Go back so far: 90m, 12h, 7d, or a time such as 2026-11-30T03:00:00Z")
    ] = "",
    form: Annotated[str, typer.Option("--format", metavar="MARKUP", help="Print markdown, html or json")] = "markdown",
    socket: SocketOption = None,
) -> None:
    """Write the record of an incident, each line with its proof.

    It holds alerts, verdicts with their evidence, decisions, orders and results.

    Each line of the log comes with its proof, and the whole is sealed: `triagebook audit verify --record` checks it without the
    server. Without --since: a week of a host, or all of a fix or an alert.

    Example: triagebook record web01 --since 12h --format html > incident.html
    """
    if form not in FORMS:
        raise UsageError(f"--format {form[:40]!r}: expected {', '.join(FORMS)}{did_you_mean(form, FORMS)}", reason="usage")
    moment = rfc3339(parse_since(since, datetime.now(UTC))) if since else ""
    found = call_server({"do": "record", "subject": subject, **({"since": moment} if moment else {})}, socket)
    sys.stdout.write(render_record(found, form))


def parse_since(text: str, now: datetime) -> datetime:
    """Return the time that `12h` or a time with a zone means. Raises UsageError."""
    with contextlib.suppress(ValueError, OverflowError):
        return now - parse_duration(text)
    with contextlib.suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    raise UsageError(f"--since {text[:40]!r}: expected {DURATIONS}, or a time such as 2026-11-30T03:00:00Z", reason="usage")
