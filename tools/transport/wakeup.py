"""Ends a wait from another thread: a descriptor that becomes readable, in a session's wait like any other."""

import contextlib
import os
import threading

from triagebook.tools.transport import waiting


class Wakeup:
    """Something one waits for and others set, from any thread and from a signal handler. Setting it after its end does nothing."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._guard = threading.RLock()  # a signal's handler may find it held by its own thread

    def set(self) -> None:
        """End the wait that is under way, or the next."""
        with self._guard:  # the number of a closed descriptor is soon another file's
            if self._descriptor >= 0:
                os.eventfd_write(self._descriptor, 1)

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, and clear it; False: nobody set it within that time."""
        is_set = bool(waiting.ready({self._descriptor: waiting.READABLE}, seconds))
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)
        return is_set

    def close(self) -> None:
        """Give the descriptor back."""
        with self._guard:
            os.close(self._descriptor)
            self._descriptor = -1
