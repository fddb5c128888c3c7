"""The user's own ssh program: for FIDO keys, Kerberos, `Match exec` and whatever else it alone can do.

Its own messages go to a pipe of their own (`-E`), so that nothing a host prints is taken for them, and nothing of them
for output of the host. They tell how far the login went.
"""

import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.command import render
from triagebook.tools.ssh.destination import Destination, parse_destination
from triagebook.tools.ssh.openssh_log import OpensshLog
from triagebook.tools.transport.base import Exit, Login, LoginFailed, ProcessDeadlines, Route, Timeouts
from triagebook.tools.transport.pipes import LocalProcess, PipeProcess

# What the user's configuration may say and a diagnosis must not do. LogLevel: the marks of openssh_log.
_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "LogLevel=DEBUG2",
    "RequestTTY=no",
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "EscapeChar=none",
)


class OpensshTransport:
    """Reaches hosts by `ssh`. Every process is a login of its own, unless the user's ssh_config shares connections."""

    def __init__(self, *, config_file: Path | None = None, timeouts: Timeouts | None = None, program: str = "ssh") -> None:
        self._config_file = config_file
        self._timeouts = timeouts or Timeouts()
        self._program = program

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "OpensshProcess":
        """Log in and start the first process. Raises LoginFailed, UsageError."""
        target = parse_destination(host)  # no option can hide in it
        if self._config_file and not os.access(self._config_file, os.R_OK):
            raise UsageError(f"cannot read {self._config_file}")
        return OpensshSession(host, self._command(target), self._timeouts).start(argv, cap_bytes=cap_bytes)

    def _command(self, target: Destination) -> tuple[str, ...]:
        port = ("-p", str(target.port)) if target.port else ()
        host = f"{target.user}@{target.host}" if target.user is not None else target.host
        file = ("-F", str(self._config_file)) if self._config_file else ()
        options = (*_OPTIONS, f"ConnectTimeout={math.ceil(self._timeouts.connect_s + self._timeouts.banner_s)}")
        return (self._program, *file, *port, "-T", *(word for option in options for word in ("-o", option)), "--", host)


class OpensshSession:
    """One host by ssh, a program for each process."""

    def __init__(self, host: str, command: tuple[str, ...], timeouts: Timeouts) -> None:
        self._host, self._command, self._timeouts = host, command, timeouts
        self._total_until = time.monotonic() + (timeouts.session_s or timeouts.total_s)
        self._running: list[tuple[PipeProcess, OpensshLog]] = []
        self.login = Login("exec", "ok")
        self.route = Route("openssh")

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "OpensshProcess":
        """Start one more process, by a login of its own."""
        log = OpensshLog(self._host)
        pipes = self._run(render(argv), cap_bytes, log)
        try:
            self._await_session(pipes, log)
        except BaseException:
            pipes.end()
            log.close()
            raise
        self._running.append((pipes, log))
        self.route.host_key = log.host_key or self.route.host_key
        self.route.timings_ms.update(log.timings_ms)
        return OpensshProcess(self, pipes, ProcessDeadlines(self._timeouts, self._total_until), log)

    def _run(self, command: str, cap_bytes: int, log: OpensshLog) -> PipeProcess:
        folder = Path(tempfile.mkdtemp(prefix="triagebook-"))
        pipe = folder / "log"
        try:
            os.mkfifo(pipe, 0o600)
            log.open(pipe)
            program, *options = self._command
            try:
                return PipeProcess([program, "-E", str(pipe), *options, command], cap_bytes, (log.descriptor, log.feed))
            except OSError as error:
                log.close()
                raise UsageError(f"cannot start {program}: {error.strerror or error}") from error
        finally:
            log.folder = folder

    def _await_session(self, pipes: PipeProcess, log: OpensshLog) -> None:
        """Until the process runs on the host. Each phase has its deadline."""
        limits = {"connect": self._timeouts.connect_s, "banner": self._timeouts.banner_s, "kex": self._timeouts.kex_s}
        limits |= {"auth": self._timeouts.auth_s, "session": self._timeouts.exec_s}
        while not log.is_running:
            phase = log.phase
            until = min(time.monotonic() + limits[phase], self._total_until)
            try:
                pipes.wait(lambda phase=phase: log.phase != phase or log.is_running or pipes.has_ended, until)  # type: ignore[misc]
            except TimeoutError:
                raise LoginFailed(log.timeout(limits[phase])) from None
            if pipes.has_ended and not log.is_running:
                if pipes.returncode != 255 or pipes.out:  # an ssh that words its log otherwise; the process ran
                    return
                pipes.drain_log()
                raise log.failure(bytes(pipes.err))

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Not by this transport: its users want few logins."""
        return dict.fromkeys(paths, "the openssh transport reads no files; use --transport ssh")

    def close(self) -> None:
        """End every ssh."""
        for pipes, log in self._running:
            pipes.end()
            log.close()
        self._running.clear()


class OpensshProcess(LocalProcess):
    """A process on the host, behind an ssh program here."""

    def __init__(self, session: OpensshSession, pipes: PipeProcess, deadlines: ProcessDeadlines, log: OpensshLog) -> None:
        super().__init__(session, pipes, deadlines)
        self._log = log

    def finish(self, timeout_s: float) -> Exit:
        """As LocalProcess. Status 255 with a word of ssh about the connection is a cut, not the process's."""
        ended = super().finish(timeout_s)
        if ended.status == 255 and (cut := self._log.cut):
            return Exit(None, ended.stderr, ended.is_truncated, ended="cut", detail=cut)
        return ended
