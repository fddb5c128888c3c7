"""One SSH channel (RFC 4254, section 5): what has arrived, what may be sent, how it ended."""

from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass

WINDOW_BYTES = 2 << 20  # what the host may send ahead of our leave
MAX_DATA_BYTES = 32768
MAX_ERROR_BYTES = 1 << 20  # of standard error, whatever the cap: a watch has none
MAX_DROPPED_BYTES = 64 << 20  # beyond the cap: a host that goes on longer than this is cut off


@dataclass
class Channel:
    """State of one channel. Output beyond `cap_bytes` (each of both streams; errors beyond MAX_ERROR_BYTES as well) is
    dropped and marks it truncated.
    """

    number: int
    cap_bytes: int
    remote: int | None = None  # the host's number for it
    is_open: bool = False
    refusal: str | None = None  # why it was not opened, or why the request on it was refused
    answer: bool | None = None  # to the last request that wanted one
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    out_total: int = 0
    dropped: int = 0
    window: int = 0  # bytes we may still send
    max_packet: int = MAX_DATA_BYTES
    credit: int = 0  # bytes arrived since the last window adjustment
    is_eof: bool = False
    is_eof_sent: bool = False
    is_closed: bool = False
    is_close_sent: bool = False
    status: int | None = None
    signal: str = ""
    cut: str = ""  # how the connection went, where it went before the channel was closed

    @property
    def is_over(self) -> bool:
        """No more output will come."""
        return self.is_eof or self.is_closed

    @property
    def is_truncated(self) -> bool:
        return self.dropped > 0

    def feed(self, data: bytes) -> None:
        """Standard output."""
        room = self.cap_bytes - self.out_total
        self.out += data[:room]
        self.out_total += min(room, len(data))
        self._count(len(data), max(0, len(data) - room))

    def feed_error(self, data: bytes) -> None:
        """Standard error."""
        room = min(self.cap_bytes, MAX_ERROR_BYTES) - len(self.err)
        self.err += data[:room]
        self._count(len(data), max(0, len(data) - room))

    def _count(self, arrived: int, dropped: int) -> None:
        self.dropped += dropped
        self.credit += arrived

    def take(self) -> bytes:
        """All output that has arrived and was not taken before."""
        data = bytes(self.out)
        self.out.clear()
        return data

    def grant(self) -> int:
        """Bytes to give the host leave for now; 0 while its window is more than half open."""
        if self.credit < WINDOW_BYTES // 2 or self.is_over:
            return 0
        granted, self.credit = self.credit, 0
        return granted
