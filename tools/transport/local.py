"""This machine, by subprocess: no shell, no login."""

import time
from collections.abc import Mapping, Sequence

from triagebook.tools.log import log_event
from triagebook.tools.transport.base import Login, LoginFailed, ProcessDeadlines, Route, Timeouts
from triagebook.tools.transport.pipes import LocalProcess, PipeProcess, read_local_files


class LocalTransport:
    """Starts processes here; the host's name does not matter."""

    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self._timeouts = timeouts or Timeouts()

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> LocalProcess:
        """Start the first process. Raises LoginFailed (phase exec) where it cannot be started: fork refused is evidence."""
        return LocalSession(host, self._timeouts).start(argv, cap_bytes=cap_bytes)


class LocalSession:
    """The processes started here in one go."""

    def __init__(self, host: str, timeouts: Timeouts) -> None:
        self._host, self._timeouts = host, timeouts
        self._total_until = time.monotonic() + (timeouts.session_s or timeouts.total_s)
        self._pipes: list[PipeProcess] = []
        self.login = Login("exec", "ok")
        self.route = Route("local")

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> LocalProcess:
        """Start one more process."""
        started = time.monotonic()
        try:
            pipes = PipeProcess(argv, cap_bytes)
        except OSError as error:
            raise LoginFailed(
                Login("exec", "no_session", f"{self._host}: cannot start {argv[0]}: {error.strerror or error}")
            ) from error
        self._pipes.append(pipes)
        log_event("transport.local", host=self._host, program=argv[0])
        self.route.timings_ms["exec"] = round((time.monotonic() - started) * 1000, 1)
        return LocalProcess(self, pipes, ProcessDeadlines(self._timeouts, self._total_until))

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Read files of this machine."""
        return read_local_files(paths, cap_bytes)

    def close(self) -> None:
        """End the processes: their input first."""
        for pipes in self._pipes:
            pipes.end()
        self._pipes.clear()
