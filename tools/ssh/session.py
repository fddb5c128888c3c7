"""A session of the default transport, and the processes on it: one connection, one channel for each process."""

import contextlib
import time
from collections.abc import Mapping, Sequence

from triagebook.tools.log import log_event
from triagebook.tools.ssh.attempt import LoginAttempt
from triagebook.tools.ssh.channels import Channel
from triagebook.tools.ssh.command import render
from triagebook.tools.ssh.config import HostConfig
from triagebook.tools.ssh.connection import Connection
from triagebook.tools.ssh.connector import CompletedLogin, Connector, PendingLogin
from triagebook.tools.ssh.failures import Cut, NotAgreed, TimedOut
from triagebook.tools.ssh.opening import Exec, wait_open
from triagebook.tools.ssh.sftp import read_files
from triagebook.tools.transport.base import Exit, Login, ProcessDeadlines, Route

CLOSE_S = 1.0  # for the last message, which nobody may read


def launch(
    connector: Connector, config: HostConfig, attempt: LoginAttempt, pending: PendingLogin, argv: Sequence[str], *, cap_bytes: int
) -> "SshProcess":
    """Complete the login and start the first process of a session. Raises LoginFailed, UsageError."""
    login = connector.complete_login(config, Exec(render(argv), cap_bytes), attempt, pending)
    if attempt.timeouts.session_s is not None:
        attempt.total_until = time.monotonic() + attempt.timeouts.session_s
    return SshProcess(SshSession(login, attempt), login.channel, attempt)


class SshSession:
    """A logged-in connection. It belongs to one thread at a time."""

    def __init__(self, login: CompletedLogin, attempt: LoginAttempt) -> None:
        self.connection = login.connection
        self._attempt = attempt
        self.login = Login("exec", "ok")
        self.route = Route(f"ssh:{login.order}", attempt.timings_ms, attempt.notes, self.connection.handshake.fingerprint)
        log_event("ssh.open", host=attempt.name, order=login.order, host_key=self.route.host_key)

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "SshProcess":
        """Start one more process on the connection. Raises LoginFailed (phase exec) when the host refuses it."""
        return SshProcess(self, self._open(render(argv), cap_bytes, "exec"), self._attempt)

    def _open(self, command: str, cap_bytes: int, request: str) -> Channel:
        opening = Exec(command, cap_bytes, request)
        with self._attempt.phase("exec", self._attempt.timeouts.exec_s):
            until = self._attempt.until
            channel = opening.queue(self.connection, is_ahead=False)
            wait_open(self.connection, channel, until)
            opening.start(self.connection, channel, until, is_ahead=False)
        return channel

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Read files by SFTP, all at once; a str is why not. Raises LoginFailed where there is no SFTP."""
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

    def __init__(self, session: SshSession, channel: Channel, attempt: LoginAttempt) -> None:
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
    def _connection(self) -> Connection:
        return self._session.connection
