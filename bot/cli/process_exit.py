"""Ends the process at once if threads are still at work, with the exit status that the command had.

A thread that Python ends while it is inside a Rust extension aborts the process ("FATAL: exception not rethrown",
status 134): Rust does not let the unwinding of pthread_exit(3) pass. `os._exit` ends such threads without unwinding.
"""

import atexit
import contextlib
import os
import sys
import threading


class ProcessExit:
    """Remembers the exit status, and acts on it after the exit handlers of the command."""

    def __init__(self) -> None:
        self._status = 0
        atexit.register(self._end)  # before any of the command's own, so called after them

    def status(self, status: int) -> int:
        """Remember the status that the process is about to end with, and return it."""
        self._status = status
        return status

    def _end(self) -> None:
        """End without finalizing the interpreter if a daemon thread lives: Python has waited for all others by now."""
        if any(thread.daemon for thread in threading.enumerate()):
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    stream.flush()
            os._exit(self._status)
