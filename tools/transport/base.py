"""The one protocol of every transport to a host: ssh, openssh, local, replay.

`launch` connects and starts the first process in one go (which lets a transport send both in one flight); further
processes start on the same session. A failed login raises LoginFailed with the evidence of the attempt.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol, runtime_checkable

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError


@dataclass(frozen=True)
class Timeouts:
    """Seconds each phase may take, and the whole. A host that takes TCP and stays silent is given up by `banner_s`."""

    connect_s: float = 8.0
    banner_s: float = 8.0
    kex_s: float = 10.0
    auth_s: float = 15.0
    exec_s: float = 20.0  # a busy host starts a user's manager before the session
    first_byte_s: float = 20.0
    total_s: float = 60.0
    session_s: float | None = None  # for a watch: how long a session may last once it is open; None is within `total_s`


def timeouts_for(silent_s: float) -> Timeouts:
    """The timeouts where somebody said for how long a host may be silent, in seconds; 0: the usual ones.

    A host that is given up sooner is given up as a whole by then. One that is waited for longer has so much for each phase, and
    that much more for all of them: it may be slow in each because it suffers.
    """
    usual = Timeouts()
    phases = {name: float(value) for name, value in vars(usual).items() if name not in {"total_s", "session_s"}}
    if not silent_s:
        return usual
    if silent_s <= usual.banner_s:
        return Timeouts(**{name: min(value, silent_s) for name, value in phases.items()}, total_s=silent_s)
    return Timeouts(**{name: max(value, silent_s) for name, value in phases.items()}, total_s=usual.total_s + silent_s)


@dataclass(frozen=True)
class Login:
    """How far a login went. phase: resolve | connect | banner | kex | host_key | auth | session | exec.

    outcome: ok | refused | no_banner | no_session | cut | timeout | host_key.
    """

    phase: str
    outcome: str
    message: str = ""


class LoginFailed(TriagebookError):
    """No session on the host; `login` is evidence in its own right (a host that cannot fork sends no banner)."""

    reason = "login"

    def __init__(self, login: Login, message: str = "") -> None:
        super().__init__(message or login.message)
        self.login = login


@dataclass(frozen=True)
class Exit:
    """How a process ended. `status` is None when there is none (RFC 4254, 6.10: death by signal; or see `ended`).

    ended: exit | signal (`detail` is its name, such as TERM) | cut (the connection went; `detail` says how) | timeout
    (it went on, and was closed). `stderr` and the output are capped by `cap_bytes` of the start; `is_truncated` says
    that more came and was dropped.
    """

    status: int | None
    stderr: bytes
    is_truncated: bool = False
    ended: str = "exit"
    detail: str = ""


@dataclass
class Route:
    """Which transport was used and how, for `target` and `timings_ms` of a diagnosis."""

    transport: str
    timings_ms: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    host_key: str = ""  # "SHA256:..." of the verified key; empty where there is none


class HostProcess(Protocol):
    """A running process on the host; its output is hostile bytes."""

    @property
    def session(self) -> "Session":
        """The session it runs on."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """The next bytes of standard output; b"" at end of file. Raises TimeoutError."""
        ...

    def write(self, data: bytes) -> None:
        """Send to standard input. Raises OSError when the process is gone."""
        ...

    def finish(self, timeout_s: float) -> Exit:
        """Close standard input, drain (both streams capped) and wait; never hangs past the timeout, then ends it.

        Output that was not read before stays there for `read`.
        """
        ...


class Session(Protocol):
    """An open session on a host."""

    @property
    def login(self) -> Login:
        """outcome is ok."""
        ...

    @property
    def route(self) -> Route:
        """Which transport was used and how long its phases took."""
        ...

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> HostProcess:
        """Start one more process from a fixed argv. Raises LoginFailed (phase exec) when the host refuses it."""
        ...

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Read files without a process of our own (SFTP), where the transport can; a str is why not."""
        ...

    def close(self) -> None:
        """End the session; ends its processes' input."""
        ...


class Transport(Protocol):
    """Reaches hosts by name."""

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> HostProcess:
        """Connect and start the first process. Raises LoginFailed or UsageError (unknown host, unreadable key)."""
        ...


@runtime_checkable
class FactTransport(Protocol):
    """A transport whose far end has the collector itself: it is told what to read, never what to run."""

    def collect(self, host: str, kinds: Sequence[str]) -> HostProcess:
        """Connect and take the first sample of these kinds. Raises LoginFailed or UsageError."""
        ...


class ProcessDeadlines:
    """Until when each wait on a process may last: times of the monotonic clock, from its Timeouts."""

    def __init__(self, timeouts: Timeouts, total_until: float) -> None:
        self._total_until = total_until
        self._first_until = time.monotonic() + timeouts.first_byte_s
        self._exec_s = timeouts.exec_s

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
