"""`triagebook mcp install CLIENT` writes an assistant's configuration, after showing what it would write."""

import difflib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from triagebook.bot.cli.mcp_client_file import add_entry, remove_entry
from triagebook.bot.cli.mcp_clients import CLIENTS, NAME, Client
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean, safe_text
from triagebook.tools.files import write_whole
from triagebook.tools.redact import redact

MAX_BYTES = 16 * 1024 * 1024
NAMES = ", ".join(CLIENTS)
ClientName = Annotated[str, typer.Argument(metavar="CLIENT", help=f"The assistant: {NAMES}")]
Write = Annotated[bool, typer.Option("--write", help="Write the file; without this option it only shows what it would write")]
Undo = Annotated[bool, typer.Option("--undo", help="Take out again what this command has put in")]
Url = Annotated[
    str, typer.Option("--url", metavar="URL", help="Have the assistant call this server over HTTP, instead of starting triagebook")
]
File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The file to write, where the assistant reads another one")
]


def install(client: ClientName, *, write: Write = False, undo: Undo = False, url: Url = "", file: File = None) -> None:
    """Prepare an assistant to ask triagebook, in its own configuration. Shows what it would write; --write does it.

    All else in the file stays as it is, comments too. An entry that is there and differs is not touched.

    Example: triagebook mcp install claude-code

    Exit status: 0 done, shown, or nothing to do; 2 usage, or a file that it does not change.
    """
    if client not in CLIENTS:
        raise UsageError(f"no client {safe_text(client, 60)!r}{did_you_mean(client, CLIENTS)}", reason="usage")
    if url:
        _require_safe(url)
    known = CLIENTS[client]
    path = (file or client_file(known, os.environ, sys.platform)).absolute()
    before = _read(path)
    try:
        after = _new_text(before, known, url, is_undone=undo)
    except UsageError as error:
        raise UsageError(f"{path}: {error}", reason=error.reason) from None
    if before == after:
        sys.stdout.write(f"{path}: nothing to do, triagebook {'is not' if undo else 'is already'} there\n")
        return
    sys.stdout.writelines(difflib.unified_diff(*_lines(before, after), str(path), str(path), n=1))
    if not write:
        sys.stdout.write(f"\nNothing is written. Do it: triagebook mcp install {client}{_options(url, undo, file)} --write\n")
        return
    _write(path, after)
    sys.stdout.write(f"\nWritten: {path}. {known.title}: {known.restart}\n")
    if not undo:
        sys.stdout.write(f"Take it out again: triagebook mcp install {client} --undo --write\n")


def _require_safe(url: str) -> None:
    """Refuse an address over which others could read. Raises UsageError."""
    from triagebook.tools.sinks.webhook import check_url  # noqa: PLC0415 - light start

    try:
        check_url(url)
    except UsageError as error:
        said = f"--url {safe_text(url, 100)!r}: an address begins with https://" if "://" not in url else f"--url: {error}"
        raise UsageError(said, reason="usage") from None


def client_file(client: Client, environment: Mapping[str, str], platform: str) -> Path:
    """Return the file that the client reads for this account."""
    relative = client.mac_file if platform == "darwin" and client.mac_file else client.file
    variable, first = client.home_variable
    moved = environment.get(variable, "") if variable else ""
    if moved and relative.parts[0] == first:
        return Path(moved).joinpath(*relative.parts[1:])
    return Path(environment.get("HOME") or Path.home()) / relative


def _new_text(before: str, client: Client, url: str, *, is_undone: bool) -> str:
    path = (*client.under, NAME)
    if is_undone:
        return remove_entry(before, client.form, path)
    program = shutil.which("triagebook") or "triagebook"  # whole: a desktop program has another PATH
    return add_entry(before, client.form, path, client.entry(program, url))


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", reason="client_file") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than 16 MiB; no configuration is", reason="client_file")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: no UTF-8", reason="client_file") from error


def _write(path: Path, text: str) -> None:
    """Replace the file, with the mode it has; a symbolic link stays one. A file that came by this command goes with its entry."""
    target = path.resolve()
    if not text:
        target.unlink()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, text.encode(), mode=target.stat().st_mode & 0o777 if target.exists() else 0o600)


def _lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return both texts as lines to be shown: neighbours of the entry may hold other servers' secrets."""

    def safe_lines(text: str) -> list[str]:
        return [safe_text(redact(line), 2000) + "\n" for line in text.splitlines()]

    return safe_lines(before), safe_lines(after)


def _options(url: str, is_undone: bool, file: Path | None) -> str:
    given = (f"--url {url}" if url else "", "--undo" if is_undone else "", f"--file {file}" if file else "")
    return "".join(f" {option}" for option in given if option)
