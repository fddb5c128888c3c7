"""Says on standard error what a command is waiting for, once it has waited for two seconds, and then from time to time."""

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

AFTER_S, EVERY_S = 2.0, 15.0


class Progress:
    """Shows what is being done while the block runs. What is done within two seconds stays unsaid."""

    def __init__(self, doing: str, stream: TextIO | None = None, *, after_s: float = AFTER_S, every_s: float = EVERY_S) -> None:
        self._doing, self._stream = doing, stream or sys.stderr
        self._after_s, self._every_s = after_s, every_s
        self._began = time.monotonic()
        self._is_over, self._is_late = threading.Event(), False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        if self._doing:
            self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._is_over.set()
        if self._doing:
            self._thread.join()

    def step(self, doing: str) -> None:
        """Say that something else is being done now."""
        with self._lock:
            self._doing = doing
            if self._is_late:
                self._write(doing)

    def _tell(self) -> None:
        wait_s = self._after_s
        while not self._is_over.wait(wait_s):
            with self._lock:
                spent = f", {time.monotonic() - self._began:.0f} s so far" if self._is_late else ""
                self._is_late = True
                self._write(f"{self._doing}{spent}")
            wait_s = self._every_s

    def _write(self, text: str) -> None:
        self._stream.write(f"{text} ...\n")
        self._stream.flush()
