"""Reads samples from a process on a host, up to each `end` record, within a deadline and a number of bytes."""

import time
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.probes.records import END, HEADER
from triagebook.tools.transport.base import HostProcess

_LONGEST_END = 4096
_POLL_S = 0.005


@dataclass
class SampleStream:
    """What a process prints. `why` says why the last reading is not complete; `received` counts all bytes."""

    process: HostProcess
    cap_bytes: int = 1 << 18
    received: int = 0
    tag: str = ""
    has_ended: bool = False
    why: str = ""
    _pending: bytearray = field(default_factory=bytearray)
    _looked: int = 0  # how far the header was searched for

    def read_sample(self, n: int, timeout_s: float) -> str:
        """The text up to the `end` record of sample `n`, or what there is of it: then `why` is set.

        Never longer than `timeout_s` and never more than `cap_bytes`. Each sample's text begins with the header, so
        that it is parsed by itself, and what was returned is forgotten: a watch may last for days.
        """
        return self._read_to(f"{n}\t{END}", timeout_s, self.cap_bytes)

    def read_record(self, kind: str, timeout_s: float, cap_bytes: int) -> str:
        """The text up to a record of that kind which belongs to no sample; bounded as a sample is."""
        return self._read_to(kind, timeout_s, cap_bytes)

    def _read_to(self, mark: str, timeout_s: float, cap_bytes: int) -> str:
        deadline, searched = time.monotonic() + timeout_s, 0
        self.why = ""
        while True:
            end = self._end_of(mark, searched)
            if end:
                return self._take(end)
            searched = max(0, len(self._pending) - _LONGEST_END)  # the line may be cut between two readings
            if not self._receive(deadline, timeout_s, cap_bytes):
                return self._take(len(self._pending))

    def poll_keepalive(self) -> None:
        """Take what is there, without waiting for more."""
        if not self.has_ended:
            self._receive(time.monotonic() + _POLL_S, _POLL_S, self.cap_bytes)

    def read_all(self, timeout_s: float) -> str:
        """The text up to the end of the process's output, or what there is of it: then `has_ended` is false."""
        deadline = time.monotonic() + timeout_s
        while self._receive(deadline, timeout_s, self.cap_bytes):
            pass
        return self._pending.decode("utf-8", errors="replace")

    def _end_of(self, mark: str, searched: int) -> int:
        """Behind the line that begins with `mark`; 0 when it is not there yet."""
        if not self.tag:
            header = HEADER.search(self._pending[self._looked :].decode("utf-8", errors="replace"))
            self.tag = header[1] if header else ""
            self._looked = self._pending.rfind(b"\n", self._looked) + 1 or self._looked  # whole lines are looked at once
        if not self.tag:
            return 0
        start = self._pending.find(f"\n{self.tag}\t{mark}\t".encode(), searched)
        return self._pending.find(b"\n", start + 1) + 1 if start >= 0 else 0

    def _take(self, end: int) -> str:
        text = self._pending[:end].decode("utf-8", errors="replace")
        # The newline stays: it stands before the next sample's first record.
        del self._pending[: max(0, end - 1)]
        self._looked = 0
        return text if not self.tag or HEADER.search(text) else f"triagebook/1 {self.tag}\n{text}"

    def _receive(self, deadline: float, timeout_s: float, cap_bytes: int) -> bool:
        try:
            left_s = deadline - time.monotonic()
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
        self.received += len(chunk)
        self._pending += chunk
        if len(self._pending) > cap_bytes:
            self.why = f"the host sent more than {cap_bytes} bytes"
            return False
        return True
