"""A thread that does one thing again and again: every so many seconds, and at once when somebody wakes it."""

import threading
from collections.abc import Callable

from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.log import log_event

PATIENCE_S = 10.0


class PeriodicThread:
    """Calls `step` until it is stopped: again at once while `step` returns True, otherwise after `every_s` seconds or a wake-up.

    A step that raises is logged and tried again like any other, so one failure never ends the thread.
    """

    def __init__(self, name: str, step: Callable[[], object], every_s: float = 1.0, *, is_first_late: bool = False) -> None:
        self.every_s, self._is_late = every_s, is_first_late
        self._step, self._woken, self._stopping = step, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether the thread was told to end; a long step looks at it between two pieces of work."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin; the first step is done at once, or after `every_s` seconds where that was asked for."""
        self._thread.start()

    def wake(self) -> None:
        """Have the next step done at once; one that is under way is followed by another."""
        self._woken.set()

    def end(self) -> None:
        """Do no further step. Unlike `stop` it may be called by the step itself."""
        self._stopping.set()
        self._woken.set()

    def stop(self, patience_s: float | None = PATIENCE_S) -> None:
        """End, and wait for the step that is under way: so many seconds, or (None) as long as it takes."""
        self.end()
        if self._thread.ident is not None:
            self._thread.join(patience_s)

    def _run(self) -> None:
        if self._is_late:
            self._wait()
        while not self._stopping.is_set():
            if self._try_step() is not True:
                self._wait()

    def _wait(self) -> None:
        self._woken.wait(self.every_s)
        self._woken.clear()  # after the wait: a wake-up or an end during a step is never missed

    def _try_step(self) -> object:
        try:
            return self._step()
        except TriagebookError as error:
            log_event("thread.failed", thread=self._thread.name, reason=error.reason, error=error)
        except Exception as error:  # noqa: BLE001 - the defect of one step must not end every later one
            log_event("thread.defect", thread=self._thread.name, error=error)
        return None
