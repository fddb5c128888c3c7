"""Verifies an export (JSON Lines) with nothing but the file and the verifier key that somebody kept."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.audit.event import LogRow
from triagebook.tools.audit.note import verify as verify_note
from triagebook.tools.audit.verify import verify


def verify_export(lines: Iterable[str], vkey: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return a report as `audit verify --json` prints it. An export that begins after row 0 lacks the rows before it.

    Raises UsageError: its first line is none of an export, so it is another file.
    """
    rows: list[LogRow] = []
    kept, odd = list(notes), []
    for number, line in enumerate(lines, 1):
        try:
            item = json.loads(line)
            if "checkpoint" in item:
                kept.append(item["checkpoint"])
            else:
                rows.append(LogRow(item["index"], item["leaf"].encode(), bytes.fromhex(item["hash"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == 1:
                raise UsageError(f"this is not an export of the audit log (line 1: {error})", reason="usage") from None
            odd.append(f"line {number} cannot be read: {error}")
    checkpoints = []
    for note in kept:
        try:
            checkpoints.append(verify_note(note, vkey))
        except TrustError as error:
            odd.append(str(error))
    if not kept:
        odd.append("there is no checkpoint: nothing says how long the log was")
    report = verify(rows, None, checkpoints, odd)
    problems = [{"kind": item.kind, "row": -1 if item.row is None else item.row, "says": item.says} for item in report.problems]
    return {
        "warnings": [],
        "holds": report.holds,
        "size": report.size,
        "root": report.root.hex(),
        "checkpoints": report.checkpoints,
        "problems": problems,
        "checkpoint": kept[-1] if kept else "",
        "vkey": vkey,
    }
