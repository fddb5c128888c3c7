"""One SSH connection, driven by the thread that calls it: no thread of its own, every wait has a deadline.

Messages are queued by `send` and leave with the next `flush` or `wait`. A connection belongs to one thread at a time.
Between calls nobody reads: a host that asks for signs of life is answered at the next call.
"""

import contextlib
from collections.abc import Callable

from triagebook.tools.transport.channel import MAX_DATA_BYTES, MAX_DROPPED_BYTES, WINDOW_BYTES, Channel
from triagebook.tools.transport.faults import BadPacket, Cut, Disconnected, NotAgreed, NotSsh, Surprise, TimedOut
from triagebook.tools.transport.handshake import KEX_MESSAGES, KEXINIT, NEWKEYS, Handshake
from triagebook.tools.transport.host_keys import HostKeyCheck
from triagebook.tools.transport.packets import Packets
from triagebook.tools.transport.plain import plain
from triagebook.tools.transport.stream import Stream
from triagebook.tools.transport.wire import Malformed, Reader, string, uint32

DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_REQUEST, SERVICE_ACCEPT, EXT_INFO = 1, 2, 3, 4, 5, 6, 7
USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_BANNER, USERAUTH_PK_OK = 50, 51, 52, 53, 60
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
CHANNEL_OPEN, CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE, CHANNEL_WINDOW_ADJUST = 90, 91, 92, 93
CHANNEL_DATA, CHANNEL_EXTENDED_DATA, CHANNEL_EOF, CHANNEL_CLOSE = 94, 95, 96, 97
CHANNEL_REQUEST, CHANNEL_SUCCESS, CHANNEL_FAILURE = 98, 99, 100
MAX_LINES_BEFORE_BANNER = 50


class Connection:
    """Packets, keys, and channels of one connection over one stream."""

    def __init__(self, stream: Stream, check: HostKeyCheck, eager: str | None = None) -> None:
        self._stream = stream
        self._packets = Packets(stream)
        self.handshake = Handshake(self._packets, check, eager)
        self._channels: dict[int, Channel] = {}
        self._next_number = 0
        self.server = ""  # the host's identification line
        self.is_authenticated = False
        self.auth_reply: tuple[int, Reader] | None = None  # the last answer to an authentication request
        self.is_service_accepted = False
        self.auth_banner = ""
        self.server_signature_algorithms: tuple[str, ...] = ()
        self.is_dead = False
        self._is_held = False

    # --- the start
    def greet(self, until: float) -> None:
        """Exchange identifications. Raises NotSsh, TimedOut, Cut."""
        self.handshake.identify()
        if self.handshake.is_eager:
            self.handshake.announce()
        self.flush(until)
        said: list[str] = []
        try:
            while not (line := self._packets.read_line(until)).startswith(b"SSH-"):
                said.append(plain(line))
                if len(said) > MAX_LINES_BEFORE_BANNER:
                    raise NotSsh(f"{len(said)} lines, the first {said[0]!r}")
        except BadPacket:
            raise NotSsh("a long line that is no SSH identification") from None
        except Cut:
            rest = self._packets.unread_text()
            if said or rest:
                raise NotSsh(" ".join([*said, rest]).strip()) from None
            raise
        self.server = self.handshake.remote_version = line.decode("utf-8", "replace")
        if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
            raise NotSsh(f"{plain(line)}, which is not SSH 2")

    def exchange_keys(self, until: float) -> None:
        """Agree on keys and verify the host's. Raises NotAgreed, HostKeyRefused, TimedOut, Cut."""
        if not self.handshake.is_eager:
            self.handshake.announce()
        self.wait(lambda: self.handshake.initial_kex_done, until)

    def exchange_keys_holding(self, until: float) -> None:
        """As exchange_keys, up to where our side is encrypted; nothing is sent until `release`."""
        self._is_held = True
        self.wait(lambda: self.handshake.are_keys_ours, until)

    def release(self, until: float) -> None:
        """Send all that was held, at once."""
        self._is_held = False
        self.flush(until)

    # --- sending and receiving
    def send(self, kind: int, *fields: bytes) -> None:
        """Queue one message."""
        self._packets.send_message(bytes((kind,)) + b"".join(fields))

    def flush(self, until: float) -> None:
        """Send what is queued, unless it is held. Raises TimedOut, Cut."""
        if self._is_held:
            return
        try:
            self._packets.flush(until)
        except Cut as error:
            self._die(str(error))
            raise

    def wait(self, is_reached: Callable[[], bool], until: float) -> None:
        """Send what is queued, and handle messages until the condition holds. Raises TimedOut, Cut, NotAgreed."""
        self.flush(until)
        while not is_reached():
            self.pump(until)

    def pump(self, until: float) -> None:
        """Wait for one message and handle it."""
        if self.is_dead:
            raise Cut("the connection is closed")
        try:
            payload, number = self._packets.read_packet(until)
            self._handle(payload, number)
            self.flush(until)
        except (BadPacket, Malformed) as error:
            self._die(str(error))
            raise NotAgreed(f"malformed message: {error}") from error
        except (Cut, NotAgreed) as error:
            self._die(str(error))
            raise

    def _die(self, why: str) -> None:
        self.is_dead = True
        for channel in self._channels.values():
            if not channel.is_closed:
                channel.is_closed, channel.cut = True, why

    def leave(self, until: float) -> None:
        """End the input of every process, say goodbye, and close."""
        with contextlib.suppress(TimedOut, Cut):
            if not self.is_dead:
                for channel in self._channels.values():
                    self.end_input(channel)
                    self.close_channel(channel)
                self.send(DISCONNECT, uint32(11), string("bye"), string(""))  # 11: by application
                self.flush(until)
        self.close()

    def close(self) -> None:
        """Close the stream; channels that are still open end as cut."""
        self._die("closed by us")
        self._stream.close()

    # --- handling
    def _handle(self, payload: bytes, number: int) -> None:
        kind, reader = payload[0], Reader(payload[1:])
        if kind == DISCONNECT:
            code, text = reader.uint32(), plain(reader.string())
            raise Disconnected(f"the host disconnects: {text} (reason {code})")
        if kind in (KEXINIT, NEWKEYS) or (kind in KEX_MESSAGES and self.handshake.is_running):
            self.handshake.handle(kind, payload, number)
        elif self.handshake.is_running and not self.handshake.initial_kex_done:
            if self.handshake.is_strict or kind not in (IGNORE, DEBUG, UNIMPLEMENTED):
                raise NotAgreed(f"message {kind} in the middle of the first key exchange")
        elif kind in (IGNORE, DEBUG, UNIMPLEMENTED, REQUEST_SUCCESS, REQUEST_FAILURE):
            pass
        elif kind < GLOBAL_REQUEST:
            self._handle_authentication(kind, reader, number)
        elif kind == GLOBAL_REQUEST:
            reader.string()
            if reader.boolean():
                self.send(REQUEST_FAILURE)
        elif kind == CHANNEL_OPEN:
            reader.string()
            self.send(CHANNEL_OPEN_FAILURE, uint32(reader.uint32()), uint32(1), string("no"), string(""))
        elif CHANNEL_OPEN < kind <= CHANNEL_FAILURE:
            self._handle_channel(kind, reader)
        else:
            self.send(UNIMPLEMENTED, uint32(number))

    def _handle_authentication(self, kind: int, reader: Reader, number: int) -> None:
        if kind == EXT_INFO:
            for _ in range(reader.uint32()):
                name, value = reader.string(), reader.string()
                if name == b"server-sig-algs":
                    self.server_signature_algorithms = tuple(value.decode("ascii", "replace").split(","))
        elif kind == SERVICE_ACCEPT:
            self.is_service_accepted = True
        elif kind == USERAUTH_SUCCESS:
            self.is_authenticated = True
            self.auth_reply = (kind, reader)
        elif kind in (USERAUTH_FAILURE, USERAUTH_PK_OK):
            self.auth_reply = (kind, reader)
        elif kind == USERAUTH_BANNER:
            self.auth_banner = plain(reader.string())
        else:
            self.send(UNIMPLEMENTED, uint32(number))

    def _handle_channel(self, kind: int, reader: Reader) -> None:
        channel = self._channels.get(reader.uint32())
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
            code, text = reader.uint32(), plain(reader.string())
            channel.refusal, channel.is_closed, channel.is_close_sent = f"{text} (reason {code})", True, True
            del self._channels[channel.number]
        elif kind == CHANNEL_WINDOW_ADJUST:
            channel.window += reader.uint32()
        elif kind == CHANNEL_EOF:
            channel.is_eof = True
        elif kind == CHANNEL_CLOSE:
            self.close_channel(channel)
            channel.is_closed = True
            del self._channels[channel.number]
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
            channel.signal = plain(reader.string())
        if wants_reply and channel.remote is not None:
            self.send(CHANNEL_FAILURE, uint32(channel.remote))

    def _make_room(self, channel: Channel) -> None:
        if channel.dropped > MAX_DROPPED_BYTES:
            self.close_channel(channel)
        elif (granted := channel.grant()) and channel.remote is not None:
            self.send(CHANNEL_WINDOW_ADJUST, uint32(channel.remote), uint32(granted))

    # --- channels
    def open_channel(self, kind: str, *fields: bytes, cap_bytes: int, guess: int | None = None) -> Channel:
        """Queue the opening. With a `guess` of the host's number, requests may be queued before its confirmation."""
        channel = Channel(self._next_number, cap_bytes, remote=guess)
        self._next_number += 1
        self._channels[channel.number] = channel
        opening = uint32(channel.number) + uint32(WINDOW_BYTES) + uint32(MAX_DATA_BYTES)
        self.send(CHANNEL_OPEN, string(kind), opening, *fields)
        return channel

    def request(self, channel: Channel, name: str, *fields: bytes) -> None:
        """Queue a request on the channel that wants an answer; `channel.answer` gets it."""
        channel.answer = None
        self.send(CHANNEL_REQUEST, uint32(_remote(channel)), string(name), b"\x01", *fields)

    def write(self, channel: Channel, data: bytes, until: float) -> None:
        """Send to the channel within its window. Raises OSError when it is gone, TimedOut, Cut."""
        view = memoryview(data)
        while view:
            self.wait(lambda: channel.window > 0 or channel.is_closed or channel.is_eof_sent, until)
            if channel.is_closed or channel.is_eof_sent or channel.is_close_sent:
                raise BrokenPipeError(32, "the process on the host is gone")
            piece = view[: min(channel.window, channel.max_packet)]
            channel.window -= len(piece)
            self.send(CHANNEL_DATA, uint32(_remote(channel)), string(bytes(piece)))
            view = view[len(piece) :]
        self.flush(until)

    def end_input(self, channel: Channel) -> None:
        """Queue the end of file of its standard input."""
        if not (channel.is_eof_sent or channel.is_close_sent or channel.is_closed or channel.remote is None):
            channel.is_eof_sent = True
            self.send(CHANNEL_EOF, uint32(channel.remote))

    def close_channel(self, channel: Channel) -> None:
        """Queue the channel's close."""
        if not (channel.is_close_sent or channel.is_closed or channel.remote is None):
            channel.is_close_sent = True
            self.send(CHANNEL_CLOSE, uint32(channel.remote))


def _remote(channel: Channel) -> int:
    if channel.remote is None:
        raise Malformed("the channel is not open")
    return channel.remote
