"""Writing an answer to a file: whole or not at all."""

import json
import os
import tempfile
from pathlib import Path

from triagebook.runbooks.engine import factbook
from triagebook.runbooks.engine.diagnosis import as_json
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.service import Answer


def save_answer(file: Path, answer: Answer) -> None:
    """The diagnosis and all facts of each sample, as one JSON object. Raises UsageError when it cannot be written."""
    facts = [{name: factbook.dump(value) for name, value in step.items()} for step in answer.history]
    write_whole(file, json.dumps({"diagnosis": as_json(answer.diagnosis), "facts": facts}, ensure_ascii=False, indent=1) + "\n")


def write_whole(file: Path, text: str) -> None:
    """Write through a temporary file beside it, readable by the owner only, and rename. Raises UsageError."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(file)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
