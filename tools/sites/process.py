"""What a worker read on a host, in the form of a process: the rest of the product reads hosts by processes."""

from collections.abc import Sequence
from typing import Protocol

from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.transport.base import Exit, Session


class SamplingSession(Session, Protocol):
    """A session that takes further samples."""

    def sample(self, n: int, suspects: Sequence[int], asked: Sequence[str], *, is_brief: bool) -> str:
        """Return sample `n` as text. Raises OSError: it did not come, and why."""
        ...


class SiteProcess:
    """The collector that a worker runs as if it were ours (`status` None), or the finished output of a command."""

    def __init__(self, session: SamplingSession, text: str, cap_bytes: int = 1 << 22, *, status: int | None = None) -> None:
        self.session = session
        self._pending, self._status = text.encode("utf-8", "replace"), status
        self._is_truncated = len(self._pending) > cap_bytes
        self._pending = self._pending[:cap_bytes]
        self._n = 1

    def read(self, timeout_s: float) -> bytes:
        """Return what came. Raises TimeoutError: nothing more comes unless it is asked for."""
        data, self._pending = self._pending, b""
        if not data and self._status is None:
            raise TimeoutError("the sample did not come whole")
        return data

    def write(self, data: bytes) -> None:
        """Ask for one more sample by a pace line, with its suspects and the kinds that are asked. Raises OSError."""
        if self._status is not None:
            raise BrokenPipeError(32, "it has ended")
        words = data.decode("ascii").split()[1:]
        self._n += 1
        suspects = [int(word) for word in words if word.isdecimal()]
        asked = [word[1:] for word in words if word.startswith("+")]
        try:
            self._pending += self.session.sample(self._n, suspects, asked, is_brief="brief" in words).encode()
        except TriagebookError as error:
            raise BrokenPipeError(32, str(error)) from None

    def finish(self, timeout_s: float) -> Exit:
        """Return how it ended: nothing runs here that could be waited for."""
        return Exit(self._status or 0, b"", self._is_truncated)
