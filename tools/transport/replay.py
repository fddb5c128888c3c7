"""A host that is a recording: each process start gives the next recorded output. For cases, and to try all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.transport.base import Exit, Login, LoginFailed, Route

_OK = Login("exec", "ok")


@dataclass(frozen=True)
class Recording:
    """One process: its output in pieces. The first is there at once, each write sets free the next.

    With `goes_on` the process is silent after its last piece until its input is closed; else its output ends there.
    """

    pieces: tuple[bytes, ...]
    stderr: bytes = b""
    status: int | None = 0
    goes_on: bool = False


@dataclass(frozen=True)
class ReplayTransport:
    """Any host name gives the same recordings, in their order. A `login` that is not ok fails every launch."""

    recordings: tuple[Recording, ...]
    login: Login = _OK
    files: Mapping[str, bytes | str] = field(default_factory=dict)

    @classmethod
    def of(cls, *outputs: bytes) -> "ReplayTransport":
        """One process for each output."""
        return cls(tuple(Recording((output,)) for output in outputs))

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "ReplayProcess":
        """Start the first recorded process. Raises LoginFailed."""
        if self.login.outcome != "ok":
            raise LoginFailed(self.login)
        return ReplaySession(self, host).start(argv, cap_bytes=cap_bytes)


class ReplaySession:
    """Where in the recordings one session is."""

    def __init__(self, transport: ReplayTransport, host: str) -> None:
        self._transport, self._host = transport, host
        self._started = 0
        self.login = transport.login
        self.route = Route("replay")

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "ReplayProcess":
        """Return the next recorded process; `argv` does not matter."""
        if self._started >= len(self._transport.recordings):
            message = f"{self._host}: nothing is recorded for process {self._started + 1} ({argv[0]})"
            raise LoginFailed(Login("exec", "no_session", message))
        recording = self._transport.recordings[self._started]
        self._started += 1
        return ReplayProcess(self, recording, cap_bytes)

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """The recorded files; a str for those that are not."""
        answers: dict[str, bytes | str] = {}
        for path in paths:
            content = self._transport.files.get(path, "not recorded")
            answers[path] = content[:cap_bytes] if isinstance(content, bytes) else content
        return answers

    def close(self) -> None:
        """Nothing to end."""


class ReplayProcess:
    """A recorded process. It never waits: silence is a TimeoutError at once."""

    def __init__(self, session: ReplaySession, recording: Recording, cap_bytes: int) -> None:
        self._session, self._recording = session, recording
        self._room = cap_bytes
        self._free, self._next = list(recording.pieces[:1]), 1
        self._is_input_open = True
        self._is_truncated = len(recording.stderr) > cap_bytes
        self._stderr = recording.stderr[:cap_bytes]

    @property
    def session(self) -> ReplaySession:
        return self._session

    @property
    def _is_silent(self) -> bool:
        return self._is_input_open and (self._next < len(self._recording.pieces) or self._recording.goes_on)

    def read(self, timeout_s: float) -> bytes:
        """The next piece; b"" at the end. Raises TimeoutError where the recording waits for input."""
        while self._free:
            piece = self._free.pop(0)
            kept = piece[: self._room]
            self._is_truncated = self._is_truncated or len(kept) < len(piece)
            self._room -= len(kept)
            if kept:
                return kept
        if self._is_silent:
            raise TimeoutError(f"the recording prints nothing within {timeout_s:.3g} s")
        return b""

    def write(self, data: bytes) -> None:
        """Set the next piece free. Raises OSError when the recorded process has ended."""
        if not self._is_silent:
            raise BrokenPipeError(32, "the recorded process has ended")
        self._free.extend(self._recording.pieces[self._next : self._next + 1])
        self._next += 1

    def finish(self, timeout_s: float) -> Exit:
        """The recorded end."""
        self._is_input_open = False
        left = sum(map(len, self._free))
        return Exit(self._recording.status, self._stderr, self._is_truncated or left > self._room)
