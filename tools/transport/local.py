"""This machine, by subprocess: no shell, no login."""

import time
from collections.abc import Mapping, Sequence

from triagebook.tools.log import log_event
from triagebook.tools.transport.base import Allowance, Deadlines, Login, LoginFailed, Route
from triagebook.tools.transport.pipes import LocalProcess, PipeProcess, read_local_files


class LocalTransport:
    """Starts processes here; the host's name does not matter."""

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self._deadlines = deadlines or Deadlines()

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> LocalProcess:
        """Start the first process. Raises LoginFailed (phase exec) where it cannot be started: fork refused is evidence."""
        return LocalSession(host, self._deadlines).start(argv, cap_bytes=cap_bytes)


class LocalSession:
    """The processes started here in one go."""

    def __init__(self, host: str, deadlines: Deadlines) -> None:
        self._host, self._deadlines = host, deadlines
        self._total_until = time.monotonic() + (deadlines.session_s or deadlines.total_s)
        self._pipes: list[PipeProcess] = []
        self.login = Login("exec", "ok")
        self.path = Route("local")

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
        self.path.timings_ms["exec"] = round((time.monotonic() - started) * 1000, 1)
        return LocalProcess(self, pipes, Allowance(self._deadlines, self._total_until))

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Read files of this machine."""
        return read_local_files(paths, cap_bytes)

    def close(self) -> None:
        """End the processes: their input first."""
        for pipes in self._pipes:
            pipes.end()
        self._pipes.clear()
