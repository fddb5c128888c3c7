"""Reads answers that were kept in files: what `diagnose --save` wrote, or lines of `diagnose --json`, of one runbook or several."""

import json
from pathlib import Path
from typing import Any, TextIO

from triagebook.runbooks.engine.diagnosis import SCHEMA
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.triage import SCHEMA as TRIAGE
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis.stored import load

MOST_BYTES = 64 << 20
STANDARD_INPUT = "-"


def read_saved(name: str, standard_input: TextIO) -> tuple[Found, ...]:
    """Return the answers of a file, or of standard input if it is `-`. Raises UsageError: it holds none, or other things."""
    try:
        text = standard_input.read(MOST_BYTES) if name == STANDARD_INPUT else _text_of(Path(name))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: {getattr(error, 'strerror', None) or error}", reason="usage") from None
    found = [_answer_of(member, f"{name}:{number}") for number, member in _members(text, name)]
    if not found:
        raise UsageError(f"{name}: empty; it takes what diagnose --save or --json wrote", reason="usage")
    return tuple(found)


def _text_of(file: Path) -> str:
    with file.open(encoding="utf-8") as opened:
        return opened.read(MOST_BYTES)


def _members(text: str, name: str) -> list[tuple[int, Any]]:
    """Return the JSON values with the line each begins at: one over many lines, or one a line."""
    try:
        return [(1, json.loads(text))] if text.strip() else []
    except ValueError:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [(number, _json(line, f"{name}:{number}")) for number, line in lines]


def _json(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: not JSON: {error}", reason="usage") from None


def _answer_of(value: Any, where: str) -> Found:
    data = value.get("triage", value.get("diagnosis", value)) if isinstance(value, dict) else value
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema not in (SCHEMA, TRIAGE):
        other = f"it is a {schema}" if isinstance(schema, str) else "it says no such schema"
        raise UsageError(f"{where}: not a diagnosis ({SCHEMA} or {TRIAGE}): {other}", reason="usage")
    try:
        return load(json.dumps(data))
    except ValueError as error:
        raise UsageError(f"{where}: {error}", reason="usage") from None
