"""Reads samples from a process on a host, up to each `end` record, within a deadline and a number of bytes."""

import time
from dataclasses import dataclass, field

from triagebook.runbooks.probes.records import END, HEADER
from triagebook.tools.transport.base import Process

_HEADER_AREA = 1 << 16  # a login shell's greeting is shorter


@dataclass
class Stream:
    """The answer of one program so far. `why` says why the last sample asked for is not complete."""

    process: Process
    cap_bytes: int = 1 << 18
    answer: bytearray = field(default_factory=bytearray)
    has_ended: bool = False
    why: str = ""

    def read_sample(self, n: int, timeout_s: float) -> bool:
        """Read until sample `n` is complete; false when it does not become so, `why` says why.

        Never longer than `timeout_s` and never more than `cap_bytes` a sample. What was read stays in `answer`.
        """
        deadline, limit, searched = time.monotonic() + timeout_s, len(self.answer) + self.cap_bytes, 0
        while True:
            marker = self._marker(n)
            start = self.answer.find(marker, searched) if marker else -1
            if start >= 0 and self.answer.find(b"\n", start + len(marker)) >= 0:
                self.why = ""
                return True
            if start < 0 and marker:
                searched = max(0, len(self.answer) - len(marker))
            if len(self.answer) >= limit:
                self.why = f"the host sent more than {self.cap_bytes} bytes"
                return False
            if not self._receive(deadline - time.monotonic(), timeout_s):
                return False

    def text(self) -> str:
        """The answer as text; bytes that are no UTF-8 are replaced."""
        return self.answer.decode("utf-8", errors="replace")

    @property
    def has_begun(self) -> bool:
        """The program printed its first line."""
        return bool(self._marker(1))

    def _receive(self, left_s: float, timeout_s: float) -> bool:
        try:
            if left_s <= 0:
                raise TimeoutError
            chunk = self.process.read(left_s)
        except TimeoutError:
            self.why = f"no complete answer within {timeout_s:g} s"
            return False
        except OSError as error:
            self.why = f"the connection broke: {error}"
            self.has_ended = True
            return False
        if not chunk:
            self.why = "the program ended"
            self.has_ended = True
            return False
        self.answer += chunk
        return True

    def _marker(self, n: int) -> bytes:
        header = HEADER.search(self.answer[:_HEADER_AREA].decode("utf-8", errors="replace"))
        return f"\n{header[1]}\t{n}\t{END}\t".encode() if header else b""
