"""How long a process may be waited for: the caller's timeout within the deadlines of its session."""

import time

from triagebook.tools.transport.base import Deadlines


class Allowance:
    """Times of the monotonic clock, in seconds."""

    def __init__(self, deadlines: Deadlines, total_until: float) -> None:
        self._total_until = total_until
        self._first_until = time.monotonic() + deadlines.first_byte_s
        self._exec_s = deadlines.exec_s

    def for_output(self, timeout_s: float, *, has_begun: bool) -> float:
        """Until when output may be waited for; the first byte has a deadline of its own."""
        until = self.for_end(timeout_s)
        return until if has_begun else min(until, self._first_until)

    def for_input(self) -> float:
        """Until when the process may take to read what is written."""
        return self.for_end(self._exec_s)

    def for_end(self, timeout_s: float) -> float:
        """Until when its end may be waited for."""
        return min(time.monotonic() + timeout_s, self._total_until)
