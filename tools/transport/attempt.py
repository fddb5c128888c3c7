"""The course of one login: its phases, their deadlines and times, and what a failure in each of them means."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from triagebook.tools.transport.base import Deadlines, LoginFailed
from triagebook.tools.transport.failures import FAILURES, classify
from triagebook.tools.transport.ssh_config import HostConfig
from triagebook.tools.transport.stream import Dialing


class Attempt:
    """One try to reach one host. `name` is the host as people know it; times are of the monotonic clock."""

    def __init__(self, name: str, deadlines: Deadlines) -> None:
        self.name = name
        self.deadlines = deadlines
        self.total_until = time.monotonic() + deadlines.total_s
        self.until = self.total_until
        self.timings_ms: dict[str, float] = {}
        self.notes: list[str] = []

    @contextmanager
    def phase(self, name: str, seconds: float = math.inf) -> Iterator[None]:
        """`until` is the phase's deadline inside. Raises LoginFailed with the evidence for what went wrong in it."""
        started = time.monotonic()
        self.until = min(started + seconds, self.total_until)
        try:
            yield
        except FAILURES as error:
            raise LoginFailed(classify(name, error, self.name, self.until - started)) from error
        finally:
            self.spent(name, (time.monotonic() - started) * 1000)

    def spent(self, phase: str, milliseconds: float) -> None:
        """Count time to a phase that may come more than once."""
        self.timings_ms[phase] = round(self.timings_ms.get(phase, 0.0) + milliseconds, 1)

    def note(self, *notes: str) -> None:
        """Keep what the reader of the result should know."""
        self.notes.extend(note for note in notes if note not in self.notes)

    def hop(self, name: str) -> "Attempt":
        """The login at a jump host: its own phases, within the same total, with the same notes."""
        hop = Attempt(name, self.deadlines)
        hop.total_until, hop.notes = self.total_until, self.notes
        return hop

    def connect_limit(self, configured_s: float | None) -> float:
        """ssh_config's ConnectTimeout may shorten ours."""
        return min(self.deadlines.connect_s, configured_s or math.inf)

    def dial(self, config: HostConfig) -> Dialing | None:
        """Begin the TCP connection, where the way to the host is a direct one. Raises LoginFailed."""
        if config.proxy_jump or config.proxy_command:
            return None
        with self.phase("connect", self.connect_limit(config.connect_timeout_s)):
            return Dialing(config.host, config.port, self.until)
