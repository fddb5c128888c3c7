"""The files that a command writes where a person says. Nothing of theirs is replaced: such a file is new, or this product's own.

Own is a file that the same option wrote before and writes anew each time, known by its first line: hosts to ask again, metrics.
"""

import os
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.files import create_private, write_whole

HOSTS_LEFT = "# Hosts to try again, for --hosts-from; `triagebook --retry-file` writes this file anew each time.\n"


def say_refusal(path: Path) -> str:
    """Say that something is there already, and what to do."""
    return f"{path}: is there already, and is not overwritten; name another file, or remove that one first"


def require_new(path: Path) -> None:
    """Refuse before the work what `write_new` would refuse after it. Raises UsageError."""
    if os.path.lexists(path):
        raise UsageError(say_refusal(path))
    _require_folder(path)


def _require_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}")


def write_new(path: Path, text: str) -> None:
    """Write a new file whole, readable by the owner only. Raises UsageError: it is there already, or cannot be written."""
    try:
        create_private(path, text.encode())
    except FileExistsError:
        raise UsageError(say_refusal(path)) from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def require_own(path: Path, first_line: str) -> None:
    """Refuse a file that is there, is not empty and does not begin so, or is no file. Raises UsageError."""
    _require_folder(path)
    if not os.path.lexists(path):
        return
    try:
        with path.open("rb") if path.is_file() else open(os.devnull, "rb") as file:
            begins = file.read(len(first_line))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if not path.is_file() or begins not in {b"", first_line.encode()}:
        raise UsageError(say_refusal(path))


def write_hosts_left(path: Path, names: list[str]) -> None:
    """Write the hosts to try again over those of the time before. Raises UsageError: it is another file, or cannot be written."""
    require_own(path, HOSTS_LEFT)
    try:
        write_whole(path, (HOSTS_LEFT + "".join(f"{name}\n" for name in names)).encode(), mode=0o644)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
