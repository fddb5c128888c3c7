"""Finds the answers that a person names: saved ones by their file, and one that the approval server keeps by its id."""

import re
import sys
from pathlib import Path

from triagebook.bot.cli.server_call import call_server
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.triage import Found
from triagebook.tools.diagnosis.answer_files import read_saved
from triagebook.tools.diagnosis.stored_diagnosis import read_plain

ANSWER_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
FIX_ID = re.compile(r"F-[0-9A-Za-z]{8}")


def is_answer_id(name: str) -> bool:
    """Say whether this is the id of an answer, and no file of that name."""
    return ANSWER_ID.fullmatch(name) is not None and not Path(name).exists()


def is_fix_id(name: str) -> bool:
    """Say whether this is the id of a fix, and no file of that name."""
    return FIX_ID.fullmatch(name) is not None and not Path(name).exists()


def answers_of(name: str, socket: Path | None) -> tuple[Found, ...]:
    """Return the answers of a file, of standard input (`-`), or the one of that id. Raises UsageError, or the server's refusal."""
    if not is_answer_id(name):
        return read_saved(name, sys.stdin)
    try:
        return (read_plain(call_server({"do": "get_diagnosis", "diagnosis": name}, socket)),)
    except ValueError as error:
        raise UsageError(
            f"{name}: the approval server answers what this release cannot read: {error}", reason="no_server"
        ) from None
