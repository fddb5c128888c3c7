"""The course of one login: its phases, their deadlines and times, and what a failure in each of them means."""

import math
import time
from types import TracebackType

from triagebook.tools.log import is_logged, log_event
from triagebook.tools.ssh.config import HostConfig
from triagebook.tools.ssh.failures import FAILURES, NotAgreed, classify
from triagebook.tools.ssh.stream import Dialing
from triagebook.tools.ssh.wire import Malformed
from triagebook.tools.transport.base import LoginFailed, Timeouts


class LoginAttempt:
    """One try to reach one host. `name` is the host as people know it; times are of the monotonic clock."""

    def __init__(self, name: str, timeouts: Timeouts) -> None:
        self.name = name
        self.timeouts = timeouts
        self.total_until = time.monotonic() + timeouts.total_s
        self.until = self.total_until
        self.timings_ms: dict[str, float] = {}
        self.notes: list[str] = []

    def phase(self, name: str, seconds: float = math.inf, *, starts: bool = True, ends: bool = True, **about: object) -> "_Phase":
        """`until` is the phase's deadline inside. Raises LoginFailed with the evidence for what went wrong in it.

        A phase that other work comes between has parts: one that `starts`, one that `ends` it. `about` goes into the log.
        """
        return _Phase(self, name, seconds, (starts, ends), about)

    def add_time(self, phase: str, milliseconds: float) -> None:
        """Count time to a phase that may come more than once."""
        self.timings_ms[phase] = self.timings_ms.get(phase, 0.0) + milliseconds

    def note(self, *notes: str) -> None:
        """Keep what the reader of the result should know."""
        for note in notes:
            if note not in self.notes:
                self.notes.append(note)
                log_event("ssh.note", host=self.name, says=note)

    def hop(self, name: str) -> "LoginAttempt":
        """The login at a jump host: its own phases, within the same total, with the same notes."""
        hop = LoginAttempt(name, self.timeouts)
        hop.total_until, hop.notes = self.total_until, self.notes
        return hop

    def connect_limit(self, configured_s: float | None) -> float:
        """ssh_config's ConnectTimeout may shorten ours."""
        return min(self.timeouts.connect_s, configured_s or math.inf)

    def dial(self, config: HostConfig) -> Dialing | None:
        """Begin the TCP connection, where the host is reached directly. Raises LoginFailed."""
        if config.proxy_jump or config.proxy_command:
            return None
        limit_s = self.connect_limit(config.connect_timeout_s)
        with self.phase("connect", limit_s, ends=False, address=config.host, port=config.port):
            return Dialing(config.host, config.port, self.until)


class _Phase:
    """One phase of an attempt, while it lasts. What becomes known of it goes to `about`, for the log."""

    def __init__(
        self, attempt: LoginAttempt, name: str, seconds: float, parts: tuple[bool, bool], about: dict[str, object]
    ) -> None:
        self._attempt, self._name, self._seconds = attempt, name, seconds
        self._starts, self._ends = parts
        self.about = about

    def __enter__(self) -> "_Phase":
        self._started = time.monotonic()
        self._attempt.until = min(self._started + self._seconds, self._attempt.total_until)
        if self._starts and is_logged(event := f"ssh.{self._name}.started"):
            log_event(event, host=self._attempt.name, **self.about)
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        attempt = self._attempt
        spent_ms = (time.monotonic() - self._started) * 1000
        attempt.add_time(self._name, spent_ms)
        if error is None:
            if self._ends and is_logged(event := f"ssh.{self._name}.complete"):
                log_event(event, host=attempt.name, ms=spent_ms if self._starts else attempt.timings_ms[self._name], **self.about)
            return
        if isinstance(error, Malformed):  # a message that ends early, or counts what is not there
            error = NotAgreed(f"the host sent a message that cannot be read: {error}")
        if isinstance(error, FAILURES):
            login = classify(self._name, error, attempt.name, attempt.until - self._started)
            self._log_failure(spent_ms, phase=login.phase, outcome=login.outcome, says=login.message)
            raise LoginFailed(login) from error
        self._log_failure(spent_ms, says=f"{type(error).__name__}: {error}")

    def _log_failure(self, spent_ms: float, **why: str) -> None:
        log_event(f"ssh.{self._name}.failed", host=self._attempt.name, ms=spent_ms, **why, **self.about)
