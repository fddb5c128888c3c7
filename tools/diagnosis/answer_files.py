"""Reads answers that were kept in files: what `diagnose --save` wrote, or lines of `diagnose --json`, of one runbook or several."""

import json
from pathlib import Path
from typing import Any, TextIO

from triagebook.runbooks.engine.diagnosis import SCHEMA
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import why_unreadable
from triagebook.runbooks.engine.triage import SCHEMA as TRIAGE
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis.stored_diagnosis import read_plain

MOST_BYTES = 64 << 20
STANDARD_INPUT = "-"
TAKES = "give a file that `triagebook diagnose --save FILE` or `--json` wrote, or an id such as 20261130T040937-4730955b"


def read_saved(name: str, standard_input: TextIO) -> tuple[Found, ...]:
    """Return the answers of a file, or of standard input if it is `-`. Raises UsageError: it holds none, or other things."""
    try:
        text = standard_input.read(MOST_BYTES) if name == STANDARD_INPUT else _text_of(Path(name))
    except FileNotFoundError:
        raise UsageError(f"{name}: there is no such file, and it is no id of an answer or a fix; {TAKES}", reason="usage") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name}: it is no text; {TAKES}", reason="usage") from None
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}", reason="usage") from None
    found = [_answer_of(member, f"{name}:{number}") for number, member in _members(text, name)]
    if not found:
        raise UsageError(f"{name}: empty; {TAKES}", reason="usage")
    return tuple(found)


def _text_of(file: Path) -> str:
    with file.open(encoding="utf-8") as opened:
        return opened.read(MOST_BYTES)


def _members(text: str, name: str) -> list[tuple[int, Any]]:
    """Return the JSON values with the line each begins at: one over many lines, or one a line."""
    try:
        return [(1, json.loads(text))] if text.strip() else []
    except (ValueError, RecursionError):
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [(number, _json(line, f"{name}:{number}")) for number, line in lines]


def _json(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: {why_unreadable(error)}; {TAKES}", reason="usage") from None


def _answer_of(value: Any, where: str) -> Found:
    data = value.get("triage", value.get("diagnosis", value)) if isinstance(value, dict) else value
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema not in (SCHEMA, TRIAGE):
        other = f"it is a {schema}" if isinstance(schema, str) else "it says no such schema"
        raise UsageError(f"{where}: not a diagnosis ({SCHEMA} or {TRIAGE}): {other}", reason="usage")
    try:
        return read_plain(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: {error}", reason="usage") from None
