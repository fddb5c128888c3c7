"""Sends requests to the approval server, which learns the caller from the kernel and not from the request."""

import grp
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from triagebook.runbooks.engine import errors
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.tools import unix_socket
from triagebook.tools.server.protocol import MAX_ANSWER
from triagebook.tools.unix_socket import LineReader, decode_message, encode_message

SOCKET = "/run/triagebook/triagebook.sock"
VARIABLE = "TRIAGEBOOK_SOCKET"
BUSY_TRIES, BUSY_S = 10, 0.5
TIMEOUT_S = 900.0  # an execution with its validation


def default_socket(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the socket on which a server is expected."""
    return Path(environment.get(VARIABLE) or SOCKET)


def ask(path: Path, request: Mapping[str, object], pause: Callable[[float], None] = time.sleep) -> Any:
    """Return the answer to a request. A busy server did nothing and is asked again a few times.

    Raises the server's own refusal, or UsageError `no_server`.
    """
    for remaining in range(BUSY_TRIES, -1, -1):
        try:
            for line in _lines(path, request):
                return _check(line)["answer"]
        except UsageError as error:
            if error.reason != "busy" or not remaining:
                raise
            pause(BUSY_S)
    raise UsageError(f"{path}: the approval server closed the connection", reason="no_server")


def ask_items(path: Path, request: Mapping[str, object]) -> Iterator[Any]:
    """Yield the items of a streamed answer. Raises UsageError `cut`: the answer ended early."""
    for line in _lines(path, request):
        answer = _check(line)
        if "end" in answer:
            return
        yield answer["item"]
    raise UsageError(f"{path}: the answer ended early", reason="cut")


def _lines(path: Path, request: Mapping[str, object]) -> Iterator[bytes]:
    try:
        with unix_socket.connect(path, TIMEOUT_S) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it answered `busy` and hung up before it read
                connection.sendall(encode_message(request))
            reader = LineReader(connection, MAX_ANSWER)
            while (line := reader.read(time.monotonic() + TIMEOUT_S)) is not None:
                yield line
    except (ConnectionResetError, BlockingIOError) as error:
        raise UsageError(f"{path}: busy, retry in 1 s", reason="busy") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}: {_hint(path, error)}", reason="no_server") from error
    except ValueError as error:
        raise UsageError(f"not an answer of triagebook serve: {error}", reason="no_server") from error


def _hint(path: Path, error: OSError) -> str:
    """Return what to do about a socket that cannot be used."""
    if isinstance(error, PermissionError):
        try:
            group = grp.getgrgid(path.stat().st_gid).gr_name
        except (OSError, KeyError):
            group = "the socket's group"
        return f"the approval server is for members of {group}; who has just become one logs in anew first"
    return f"is the approval server (`triagebook serve`) running here? ${VARIABLE} names another socket"


def _check(line: bytes) -> dict[str, Any]:
    try:
        answer = decode_message(line)
        if answer["ok"]:
            return answer
        refusal = answer["error"]
        kind = getattr(errors, refusal["kind"], TriagebookError)
        message, reason = str(refusal["message"]), str(refusal["reason"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"not an answer of triagebook serve: {error}", reason="no_server") from None
    if not (isinstance(kind, type) and issubclass(kind, TriagebookError)):
        kind = TriagebookError
    raise kind(message, reason=reason)
