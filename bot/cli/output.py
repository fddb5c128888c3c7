"""Prints in any encoding, and says in a sentence when standard output is closed or full."""

import errno
import io
import os
import sys

UNWRITABLE = 74  # EX_IOERR of sysexits.h
BROKEN_PIPE = 141  # as a shell has it for SIGPIPE
INTERRUPTED = 130  # as shells report a command that SIGINT ended
_OF_OUTPUT = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EBADF}


class ClosedOutput(io.TextIOBase):
    """Stands for a standard output that was closed before the start: whoever writes to it gets an OSError, not nothing."""

    def write(self, text: str) -> int:
        """Raise OSError, as the closed descriptor would."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def prepare() -> None:
    """Let every character be printed: what the terminal's encoding lacks is written as an escape such as `\\u2026`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the life of the process


def is_about_output(error: OSError) -> bool:
    """Tell whether an error is that of writing to standard output: it names no file."""
    return error.filename is None and error.errno in _OF_OUTPUT


def status_after_flush(status: int) -> int:
    """Return the status to end with once all that was printed is written: another one if that fails."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except OSError as error:
        return status_of_failure(error)
    return status


def status_of_failure(error: OSError) -> int:
    """Say that the answer could not be printed, and return the exit status of that."""
    sys.stderr.write(f"triagebook: standard output cannot be written: {error.strerror}; the answer was not printed whole\n")
    _drop_output()
    return UNWRITABLE


def _drop_output() -> None:
    """Send what is left in the buffer nowhere: Python would fail once more while it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
    finally:
        os.close(null)
