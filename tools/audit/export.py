"""Verifies an export (JSON Lines) with nothing but the file and the verifier key that somebody kept."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.runbooks.engine.text import why_unreadable
from triagebook.tools.audit.event import LogRow
from triagebook.tools.audit.note import verify as verify_note
from triagebook.tools.audit.verify import verify

Kind = TypeVar("Kind")


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
                kept.append(_exactly(str, item["checkpoint"]))
            else:
                rows.append(_row(item))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if number == 1:
                raise UsageError(
                    f"this is not an export of the audit log (line 1: {why_unreadable(error)})", reason="usage"
                ) from None
            odd.append(f"line {number} cannot be read: {why_unreadable(error)}")
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


def _row(item: Mapping[str, Any]) -> LogRow:
    return LogRow(_exactly(int, item["index"]), item["leaf"].encode(), bytes.fromhex(item["hash"]))


def _exactly(kind: type[Kind], value: object) -> Kind:
    """Return a value of that type. Raises TypeError: it is of another."""
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {str(value)[:60]!r}")
    return value
