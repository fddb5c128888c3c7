"""`triagebook audit ...` reads, verifies and exports the audit log; an export is verified without the server."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, call_server, show_answer
from triagebook.bot.render.plan import table
from triagebook.bot.render.style import room_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.server.client import ask_items, default_socket

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
CheckpointOption = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Compare with a checkpoint (signed note) you saved; repeatable")
]
BROKEN = 1  # exit status for a log that fails verification


@app.command(name="list")
def list_(
    *,
    limit: Annotated[int, typer.Option(metavar="N", help="Show at most N rows", min=1, max=1000)] = 50,
    fix: Annotated[str, typer.Option(metavar="FIX", help="Show only rows of this fix")] = "",
    host: Annotated[str, typer.Option(metavar="HOST", help="Show only rows of this host")] = "",
    person: Annotated[str, typer.Option(metavar="PERSON", help="Show only rows of this person")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """List audit rows that you may read, newest first.

    Example: triagebook audit list --host web01 --limit 20
    """
    request = {"do": "audit_list", "limit": limit, "fix": fix, "host": host, "person": person}
    show_answer(request, socket, as_json, _render_rows)


@app.command()
def show(
    index: Annotated[int, typer.Argument(metavar="ROW", help="The number of the row", min=0)],
    *,
    since: Annotated[int, typer.Option(metavar="N", help="Also prove that the log only grew since it had N rows", min=0)] = 0,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Show one audit row with the proof that the log contains it.

    The proof is the leaf, the Merkle path and the signed checkpoint. It is verified before it is printed, and any C2SP
    verifier can verify it again.

    Example: triagebook audit show 41 --since 12
    """
    from triagebook.tools.audit.proof import check_proof  # noqa: PLC0415 - light start

    found = call_server({"do": "audit_show", "index": index, "old_size": since}, socket)
    size = check_proof(found["proof"])
    sys.stdout.write(json_line(found) if as_json else _render_row(found, size))


@app.command()
def verify(
    *,
    checkpoint: CheckpointOption = None,
    since: Annotated[int, typer.Option(metavar="ROW", help="Check only the rows from this one on", min=0)] = 0,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Verify this export, without the server; requires --key")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Verify this incident record, without the server; requires --key")
    ] = None,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="For --export and --record: the verifier key you saved, NAME+HASH+KEY")
    ] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Verify the audit log. Names the first bad row.

    Save the checkpoint that it prints: the next verification can prove that no row was cut since. With --since the rows
    before that one are taken from their hashes, and fixes and votes are not compared with the log.

    Example: triagebook audit verify --checkpoint saved.txt

    Exit status: 0 the log is intact, 1 it fails verification, 2 usage, 5 refused by policy.
    """
    if key and record is None and export is None:
        raise UsageError("--key is for --export or --record; the server verifies its log with its own keys", reason="usage")
    notes = [path.read_text(encoding="utf-8") for path in checkpoint or []]
    if record is not None:
        report = _verify_record_file(record, key)
        sys.stdout.write(json.dumps(report) + "\n" if as_json else _render_record_report(report))
    elif export is not None:
        report = _verify_export_file(export, key, notes)
        sys.stdout.write(json.dumps(report) + "\n" if as_json else _render_report(report))
    else:
        request = {"do": "audit_verify", "checkpoints": notes, **({"since": since} if since else {})}
        report = show_answer(request, socket, as_json, _render_report, "The approval server verifies the audit log")
    raise typer.Exit(0 if report["holds"] else BROKEN)


@app.command()
def repair(
    *,
    columns: Annotated[bool, typer.Option("--columns", help="Write the search columns anew that differ from the log")] = False,
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Repair what stands beside the audit log. The log itself is never changed, and the repair is a row of it.

    `audit list --host` and the like search by columns that repeat the log. `audit verify` warns where they differ from it.

    Example: triagebook audit repair --columns
    """
    if not columns:
        raise UsageError("say what to repair: --columns", reason="usage")
    show_answer({"do": "audit_repair", "what": "columns"}, socket, as_json, _render_repair)


@app.command()
def export(
    *,
    start: Annotated[int, typer.Option("--from", metavar="ROW", help="Start at this row", min=0)] = 0,
    socket: SocketOption = None,
) -> None:
    """Export the audit log as JSON Lines. Prints each row's leaf and hash, then the signed checkpoint that covers them.

    Example: triagebook audit export > audit.jsonl
    """
    for item in ask_items(socket or default_socket(), {"do": "audit_export", "from": start}):
        sys.stdout.write(json_line(item))


def _verify_export_file(path: Path, key: str, notes: list[str]) -> dict[str, Any]:
    from triagebook.tools.audit.export import verify_export  # noqa: PLC0415 - light start

    if not key:
        raise UsageError("--export requires --key: a key taken from the same file would prove nothing", reason="usage")
    with path.open(encoding="utf-8", errors="replace") as lines:
        try:
            return verify_export(lines, key, notes)
        except UsageError as error:
            raise UsageError(f"{path}: {error}; make one with: triagebook audit export > {path.name}", reason="usage") from None


def _verify_record_file(path: Path, key: str) -> dict[str, Any]:
    """Check an incident record: what its data proves, and that the file shows nothing else."""
    from triagebook.bot.render.record import find_difference, read_record  # noqa: PLC0415 - light start
    from triagebook.tools.audit.record import check_record  # noqa: PLC0415

    if not key:
        raise UsageError("--record requires --key: a key taken from the same file would prove nothing", reason="usage")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        form, found = read_record(text)
        checked = check_record(found, key)
    except UsageError as error:
        raise UsageError(f"{path}: {error}; make one with: triagebook record HOST > {path.name}", reason="usage") from None
    problems = [*checked.problems, *filter(None, (find_difference(text, found, form),))]
    return {"holds": not problems, "size": checked.size, "lines": checked.lines, "problems": problems}


def _render_record_report(report: dict[str, Any]) -> str:
    if report["holds"]:
        lines = "its line is" if report["lines"] == 1 else f"each of its {report['lines']} lines is"
        return f"The record is intact: {lines} in the signed log of {report['size']} rows.\n"
    return "\n".join(["THE RECORD FAILS VERIFICATION", *(safe_text(says, 400) for says in report["problems"][:20])]) + "\n"


def _render_rows(rows: list[dict[str, Any]]) -> str:
    columns = ("index", "at", "action", "outcome", "reason", "person", "account", "host", "fix")
    if not rows:
        return "No audit rows that you may read.\n"
    return table(columns, [[str(row[name]) for name in columns] for row in rows], room_of(sys.stdout))


def _render_row(found: dict[str, Any], size: int) -> str:
    row, proof = found["row"], found["proof"]
    lines = [f"{name:<15} {safe_text(str(value), 400)}" for name, value in row.items() if value and name != "detail"]
    lines += [f"  {safe_text(name, 40):<13} {safe_text(value, 400)}" for name, value in row["detail"].items()]
    grew = f", and that log only grew since it had {proof['old_size']}" if proof["old_size"] else ""
    lines += ["", f"verified        the signed log of {size} rows has this row{grew}"]
    lines += [f"leaf            {proof['leaf']}", *(f"inclusion       {node}" for node in proof["inclusion"])]
    lines += [f"old root        {proof['old_root']}", *(f"consistency     {node}" for node in proof["consistency"])] if grew else []
    return "\n".join([*lines, f"key             {proof['vkey']}", "", proof["checkpoint"]])


def _render_repair(answer: dict[str, Any]) -> str:
    count = len(answer["rows"])
    return f"Wrote the search columns of {count} {'row' if count == 1 else 'rows'} anew.\n"


def _render_report(report: dict[str, Any]) -> str:
    if report["holds"]:
        warnings = "".join(f"warning: {safe_text(item['says'], 400)}\n" for item in report["warnings"][:20])
        hint = "`triagebook audit repair --columns` writes the search columns anew.\n" if warnings else ""
        summary = f"The audit log is intact: {report['size']} rows, compared with {report['checkpoints']} checkpoints.\n"
        return f"{summary}{warnings}{hint}key {report['vkey']}\n\n{report['checkpoint']}"
    places = [
        f"{'row ' + str(item['row']) if item['row'] >= 0 else 'log'}: {safe_text(item['says'], 400)}" for item in report["problems"]
    ]
    return "THE AUDIT LOG FAILS VERIFICATION\n" + "\n".join(places[:20]) + "\n"
