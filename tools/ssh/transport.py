"""The default transport: SSH on our own connection, with our own key exchange or paramiko's.

This module is light: TCP is under way before the heavy ones (paramiko, cryptography) are imported.
"""

import contextlib
import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.log import log_event
from triagebook.tools.ssh.attempt import LoginAttempt
from triagebook.tools.ssh.config import look_up
from triagebook.tools.ssh.destination import parse_destination
from triagebook.tools.ssh.failures import Cut, NotAgreed, TimedOut
from triagebook.tools.ssh.recent_logins import RecentLogins
from triagebook.tools.transport.base import Exit, Login, ProcessDeadlines, Route, Timeouts

if TYPE_CHECKING:
    from triagebook.tools.ssh.channels import Channel
    from triagebook.tools.ssh.config import HostConfig
    from triagebook.tools.ssh.connection import Connection
    from triagebook.tools.ssh.connector import CompletedLogin, Connector, PendingLogin
    from triagebook.tools.ssh.stream import Dialing

CLOSE_S = 1.0  # for the last message, which nobody may read


def render(argv: Sequence[str]) -> str:
    """The one place where an argv becomes a string. `exec`: the login shell becomes the program, without a fork."""
    return _render(tuple(argv))


@lru_cache(maxsize=8)
def _render(argv: tuple[str, ...]) -> str:
    """A fleet gets the same program, which is long."""
    return "exec " + shlex.join(argv)


class SshTransport:
    """Reaches hosts as the user's ssh would, by his ssh_config, known_hosts, agent and key files.

    Safe for many threads, one host each. `recent_logins_file` keeps what is known of hosts between runs.
    `allows_one_flight=False` keeps to the stock order: for orders that must not be sent twice.
    """

    def __init__(
        self,
        *,
        config_file: Path | None = None,
        timeouts: Timeouts | None = None,
        recent_logins_file: Path | None = None,
        allows_one_flight: bool = True,
    ) -> None:
        self._config_file = config_file
        self._timeouts = timeouts or Timeouts()
        self._recent_logins_file = recent_logins_file
        self._allows_one_flight = allows_one_flight
        self._connector: Connector | None = None
        self._lock = threading.Lock()
        self._early: dict[str, _EarlyConnection] = {}

    def dial(self, host: str) -> None:
        """Begin the connection to a host that will be launched on soon. A failure is raised by `launch`."""
        with contextlib.suppress(TriagebookError):
            config, attempt, dialing = self._dial(host)
            self._early[host] = _EarlyConnection(self._get_connector(), config, attempt, dialing)

    def _dial(self, host: str) -> "tuple[HostConfig, LoginAttempt, Dialing | None]":
        config = look_up(parse_destination(host), self._config_file)
        attempt = LoginAttempt(config.alias, self._timeouts)
        return config, attempt, attempt.dial(config)

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "SshProcess":
        """Connect and start the first process. Raises LoginFailed, UsageError."""
        early = self._early.pop(host) if host in self._early else _EarlyConnection(None, *self._dial(host))
        from triagebook.tools.ssh.opening import Exec  # noqa: PLC0415 - after the SYN

        connector, attempt = self._get_connector(), early.attempt
        login = connector.complete_login(early.config, Exec(render(argv), cap_bytes), attempt, early.wait(connector))
        if self._timeouts.session_s is not None:
            attempt.total_until = time.monotonic() + self._timeouts.session_s
        session = SshSession(login, attempt)
        return SshProcess(session, login.channel, attempt)

    def _get_connector(self) -> "Connector":
        from triagebook.tools.ssh.connector import Connector  # noqa: PLC0415

        with self._lock:
            if self._connector is None:
                self._connector = Connector(
                    self._config_file, RecentLogins(self._recent_logins_file), allows_one_flight=self._allows_one_flight
                )
            return self._connector


class _EarlyConnection:
    """Connects in a thread while the caller imports what it needs. Without a connector it connects when asked."""

    def __init__(
        self, connector: "Connector | None", config: "HostConfig", attempt: LoginAttempt, dialing: "Dialing | None"
    ) -> None:
        self.config, self.attempt, self._dialing = config, attempt, dialing
        self._pending: PendingLogin | None = None
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        if connector is not None:
            self._thread = threading.Thread(target=self._begin, args=(connector,), daemon=True, name=f"dial {config.alias}")
            self._thread.start()

    def _begin(self, connector: "Connector") -> None:
        try:
            self._pending = connector.start_login(self.config, self.attempt, self._dialing)
        except Exception as error:  # noqa: BLE001 - raised where the answer is asked for
            self._failure = error

    def wait(self, connector: "Connector") -> "PendingLogin":
        """Wait for it. Raises LoginFailed, UsageError."""
        if self._thread is None:
            return connector.start_login(self.config, self.attempt, self._dialing)
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        assert self._pending is not None  # noqa: S101 - it failed, or it is there
        return self._pending


class SshSession:
    """A logged-in connection. It belongs to one thread at a time."""

    def __init__(self, login: "CompletedLogin", attempt: LoginAttempt) -> None:
        self.connection = login.connection
        self._attempt = attempt
        self.login = Login("exec", "ok")
        self.route = Route(f"ssh:{login.order}", attempt.timings_ms, attempt.notes, self.connection.handshake.fingerprint)
        log_event("ssh.open", host=attempt.name, order=login.order, host_key=self.route.host_key)

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "SshProcess":
        """Start one more process on the connection. Raises LoginFailed (phase exec) when the host refuses it."""
        return SshProcess(self, self._open(render(argv), cap_bytes, "exec"), self._attempt)

    def _open(self, command: str, cap_bytes: int, request: str) -> "Channel":
        from triagebook.tools.ssh.opening import Exec, wait_open  # noqa: PLC0415

        opening = Exec(command, cap_bytes, request)
        with self._attempt.phase("exec", self._attempt.timeouts.exec_s):
            until = self._attempt.until
            channel = opening.queue(self.connection, is_ahead=False)
            wait_open(self.connection, channel, until)
            opening.start(self.connection, channel, until, is_ahead=False)
        return channel

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Read files by SFTP, all at once; a str is why not. Raises LoginFailed where there is no SFTP."""
        from triagebook.tools.ssh.sftp import read_files  # noqa: PLC0415

        channel = self._open("sftp", (cap_bytes + 1024) * (len(paths) + 1), "subsystem")
        with self._attempt.phase("exec"):
            try:
                return read_files(self.connection, channel, paths, cap_bytes, self._attempt.total_until)
            finally:
                self.connection.channels.close(channel)

    def close(self) -> None:
        """End the session; ends its processes' input."""
        self.connection.disconnect(time.monotonic() + CLOSE_S)


class SshProcess:
    """A process on the host, behind one channel."""

    def __init__(self, session: SshSession, channel: "Channel", attempt: LoginAttempt) -> None:
        self._session, self._channel = session, channel
        self._deadlines = ProcessDeadlines(attempt.timeouts, attempt.total_until)

    @property
    def session(self) -> SshSession:
        return self._session

    def read(self, timeout_s: float) -> bytes:
        """The next bytes of standard output; b"" at its end. Raises TimeoutError."""
        channel = self._channel
        try:
            until = self._deadlines.for_output(timeout_s, has_begun=channel.out_total > 0)
            self._connection.wait(lambda: bool(channel.out) or channel.is_over, until)
        except TimedOut:
            raise TimeoutError("the process prints nothing") from None
        except (Cut, NotAgreed):  # the channel has it: `finish` tells
            pass
        return channel.take()

    def write(self, data: bytes) -> None:
        """Send to standard input. Raises OSError when the process is gone or does not read."""
        try:
            self._connection.write(self._channel, data, self._deadlines.for_input())
        except TimedOut:
            raise TimeoutError("the process does not read its input") from None
        except (Cut, NotAgreed) as error:
            raise BrokenPipeError(32, f"the connection is gone: {error}") from error

    def finish(self, timeout_s: float) -> Exit:
        """Close standard input, drain and wait; at the timeout the channel is closed. Output stays to be read."""
        channel, connection = self._channel, self._connection
        until = self._deadlines.for_end(timeout_s)
        is_timed_out = False
        try:
            connection.channels.end_input(channel)
            connection.wait(lambda: channel.is_closed, until)
        except TimedOut:
            is_timed_out = True
            self._abandon()
        except (Cut, NotAgreed):
            pass
        ended = "timeout" if is_timed_out else "cut" if channel.cut else "signal" if channel.signal else "exit"
        return Exit(channel.status, bytes(channel.err), channel.is_truncated, ended=ended, detail=channel.cut or channel.signal)

    def _abandon(self) -> None:
        self._connection.channels.close(self._channel)
        with contextlib.suppress(TimedOut, Cut):
            self._connection.flush(time.monotonic() + CLOSE_S)

    @property
    def _connection(self) -> "Connection":
        return self._session.connection
