"""The channels of one connection: their numbers, what the host says on them, and the requests on them (RFC 4254, 5)."""

from collections.abc import Callable
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.ssh.failures import NotAgreed, Surprise
from triagebook.tools.ssh.wire import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_EXTENDED_DATA,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_OPEN_CONFIRMATION,
    CHANNEL_OPEN_FAILURE,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    CHANNEL_WINDOW_ADJUST,
    Malformed,
    Reader,
    string,
    uint32,
)

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


class Channels:
    """All that are open. `send` queues a message of the connection."""

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._table: dict[int, Channel] = {}
        self._next_number = 0

    def cut(self, why: str) -> None:
        """The connection is gone."""
        for channel in self._table.values():
            if not channel.is_closed:
                channel.is_closed, channel.cut = True, why

    def close_all(self) -> None:
        """Queue the end of every one."""
        for channel in self._table.values():
            self.end_input(channel)
            self.close(channel)

    def open(
        self, kind: str, *fields: bytes, cap_bytes: int, guess: int | None = None, data_bytes: int = MAX_DATA_BYTES
    ) -> Channel:
        """Queue the opening. With a `guess` of the host's number, requests may be queued before its confirmation.

        `data_bytes` is the most that one packet of the host's may hold.
        """
        channel = Channel(self._next_number, cap_bytes, remote=guess)
        self._next_number += 1
        self._table[channel.number] = channel
        opening = uint32(channel.number) + uint32(WINDOW_BYTES) + uint32(data_bytes)
        self._send(CHANNEL_OPEN, string(kind), opening, *fields)
        return channel

    def request(self, channel: Channel, name: str, *fields: bytes) -> None:
        """Queue a request on the channel that wants an answer; `channel.answer` gets it."""
        channel.answer = None
        self._send(CHANNEL_REQUEST, uint32(remote_number(channel)), string(name), b"\x01", *fields)

    def end_input(self, channel: Channel) -> None:
        """Queue the end of file of its standard input."""
        if not (channel.is_eof_sent or channel.is_close_sent or channel.is_closed or channel.remote is None):
            channel.is_eof_sent = True
            self._send(CHANNEL_EOF, uint32(channel.remote))

    def close(self, channel: Channel) -> None:
        """Queue the channel's close."""
        if not (channel.is_close_sent or channel.is_closed or channel.remote is None):
            channel.is_close_sent = True
            self._send(CHANNEL_CLOSE, uint32(channel.remote))

    def handle(self, kind: int, reader: Reader) -> None:
        channel = self._table.get(reader.uint32())
        if channel is None:
            raise NotAgreed("a message for a channel that does not exist")
        if kind == CHANNEL_DATA:
            channel.feed(reader.string())
            self._make_room(channel)
        elif kind == CHANNEL_EXTENDED_DATA:
            reader.uint32()
            channel.feed_error(reader.string())
            self._make_room(channel)
        elif kind == CHANNEL_OPEN_CONFIRMATION:
            self._confirm(channel, reader)
        elif kind == CHANNEL_OPEN_FAILURE:
            code, text = reader.uint32(), safe_line(reader.string())
            channel.refusal, channel.is_closed, channel.is_close_sent = f"{text} (reason {code})", True, True
            del self._table[channel.number]
        elif kind == CHANNEL_WINDOW_ADJUST:
            channel.window += reader.uint32()
        elif kind == CHANNEL_EOF:
            channel.is_eof = True
        elif kind == CHANNEL_CLOSE:
            self.close(channel)
            channel.is_closed = True
            del self._table[channel.number]
        elif kind == CHANNEL_REQUEST:
            self._handle_request(channel, reader)
        else:
            channel.answer = kind == CHANNEL_SUCCESS

    def _confirm(self, channel: Channel, reader: Reader) -> None:
        remote = reader.uint32()
        if channel.remote is not None and channel.remote != remote:
            raise Surprise(f"the host calls its first channel {remote}, not {channel.remote}")
        channel.remote, channel.window = remote, reader.uint32()
        channel.max_packet = max(1, min(MAX_DATA_BYTES, reader.uint32()))
        channel.is_open = True

    def _handle_request(self, channel: Channel, reader: Reader) -> None:
        name, wants_reply = reader.string(), reader.boolean()
        if name == b"exit-status":
            channel.status = reader.uint32()
        elif name == b"exit-signal":
            channel.signal = safe_line(reader.string())
        if wants_reply and channel.remote is not None:
            self._send(CHANNEL_FAILURE, uint32(channel.remote))

    def _make_room(self, channel: Channel) -> None:
        if channel.dropped > MAX_DROPPED_BYTES:
            self.close(channel)
        elif (granted := channel.grant()) and channel.remote is not None:
            self._send(CHANNEL_WINDOW_ADJUST, uint32(channel.remote), uint32(granted))


def remote_number(channel: Channel) -> int:
    if channel.remote is None:
        raise Malformed("the channel is not open")
    return channel.remote
