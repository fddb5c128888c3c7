"""One SSH connection, driven by the thread that calls it: no thread of its own, every wait has a deadline.

Messages are queued by `send` and leave with the next `flush` or `wait`. A connection belongs to one thread at a time.
Between calls nobody reads: a host that asks for signs of life is answered at the next call.
"""

import contextlib
from collections.abc import Callable

from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.ssh.algorithms import KEX_MESSAGES, KEXINIT, NEWKEYS
from triagebook.tools.ssh.channels import Channel, Channels, remote_number
from triagebook.tools.ssh.failures import BadPacket, Cut, Disconnected, NotAgreed, NotSsh, TimedOut
from triagebook.tools.ssh.host_keys import HostKeyCheck
from triagebook.tools.ssh.key_exchange import EagerKeyExchange
from triagebook.tools.ssh.key_state import KeyExchange
from triagebook.tools.ssh.packets import Packets
from triagebook.tools.ssh.stream import ByteStream
from triagebook.tools.ssh.wire import (
    CHANNEL_DATA,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_OPEN_FAILURE,
    DEBUG,
    DISCONNECT,
    EXT_INFO,
    GLOBAL_REQUEST,
    IGNORE,
    REQUEST_FAILURE,
    REQUEST_SUCCESS,
    SERVICE_ACCEPT,
    UNIMPLEMENTED,
    USERAUTH_BANNER,
    USERAUTH_FAILURE,
    USERAUTH_PK_OK,
    USERAUTH_SUCCESS,
    Malformed,
    Reader,
    string,
    uint32,
)

MAX_LINES_BEFORE_BANNER = 50


class Connection:
    """Packets, keys, and channels of one connection over one stream."""

    def __init__(self, stream: ByteStream, check: HostKeyCheck, eager: str | None = None) -> None:
        self._stream = stream
        self._packets = Packets(stream)
        self.handshake = _key_exchange(self._packets, check, eager)
        self.channels = Channels(self.send)
        self.server = ""  # the host's identification line
        self.has_identified = False
        self.is_authenticated = False
        self.auth_reply: tuple[int, Reader] | None = None  # the last answer to an authentication request
        self.is_service_accepted = False
        self.auth_banner = ""
        self.server_signature_algorithms: tuple[str, ...] = ()
        self.is_dead = False
        self._is_held = False
        self._delayed: list[bytes] = []

    # --- the start
    def send_identification(self, until: float) -> None:
        """Send our identification, and with an eager handshake all of the second flight. Raises TimedOut."""
        self.has_identified = True
        self.handshake.identify()
        if self.handshake.is_eager:
            self.handshake.announce()
        with contextlib.suppress(Cut):  # what a host said before it closed is still to be read
            self.flush(until)

    def exchange_identifications(self, until: float) -> None:
        """Exchange identifications. Raises NotSsh, TimedOut, Cut."""
        if not self.has_identified:
            self.send_identification(until)
        said: list[str] = []
        try:
            while not (line := self._packets.read_line(until)).startswith(b"SSH-"):
                said.append(safe_line(line))
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
            raise NotSsh(f"{safe_line(line)}, which is not SSH 2")

    def exchange_keys(self, until: float) -> None:
        """Agree on keys and verify the host's. Raises NotAgreed, HostKeyRefused, TimedOut, Cut."""
        if not self.handshake.is_eager:
            self.handshake.announce()
        self.wait(lambda: self.handshake.initial_kex_done, until)

    def exchange_keys_and_hold(self, until: float) -> None:
        """As exchange_keys, up to where our side is encrypted; nothing is sent until `release`."""
        self._is_held = True
        self.wait(lambda: self.handshake.are_keys_ours, until)

    def release(self, until: float) -> None:
        """Send all that was held, at once."""
        self._is_held = False
        self.flush(until)

    def expect_login(self) -> None:
        """What is queued from here on is read by the host after it has let us in: packed, where that was agreed."""
        if self.handshake.is_compressing:
            self._packets.pack(True)

    # --- sending and receiving
    def send(self, kind: int, *fields: bytes) -> None:
        """Queue one message; during a change of keys it waits for the new ones (RFC 4253, 7.1)."""
        payload = bytes((kind,)) + b"".join(fields)
        if self.handshake.is_renewing:
            self._delayed.append(payload)
        else:
            self._packets.send_message(payload)

    def flush(self, until: float) -> None:
        """Send what is queued, unless it is held. Raises TimedOut, Cut."""
        if self._is_held:
            return
        try:
            self._packets.flush(until)
        except Cut as error:
            self._mark_dead(str(error))
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
            self._mark_dead(str(error))
            raise NotAgreed(f"malformed message: {error}") from error
        except (Cut, NotAgreed) as error:
            self._mark_dead(str(error))
            raise

    def _mark_dead(self, why: str) -> None:
        self.is_dead = True
        self.channels.cut(why)

    def disconnect(self, until: float) -> None:
        """End the input of every process, send DISCONNECT, and close."""
        with contextlib.suppress(TimedOut, Cut):
            if not self.is_dead:
                self.channels.close_all()
                self.send(DISCONNECT, uint32(11), string("bye"), string(""))  # 11: by application
                self.flush(until)
        self.close()

    def close(self) -> None:
        """Close the stream; channels that are still open end as cut."""
        self._mark_dead("closed by us")
        self._stream.close()

    # --- handling
    def _handle(self, payload: bytes, number: int) -> None:
        kind, reader = payload[0], Reader(payload, 1)
        if kind == DISCONNECT:
            code, text = reader.uint32(), safe_line(reader.string())
            raise Disconnected(f"the host disconnects: {text} (reason {code})")
        handshake = self.handshake
        if kind in (KEXINIT, NEWKEYS) or (kind in KEX_MESSAGES and handshake.is_running):
            handshake.handle(kind, payload, number)
            self._send_delayed()
        elif not handshake.initial_kex_done and handshake.is_running:
            if handshake.is_strict or kind not in (IGNORE, DEBUG, UNIMPLEMENTED):
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
            self.channels.handle(kind, reader)
        else:
            self.send(UNIMPLEMENTED, uint32(number))

    def _send_delayed(self) -> None:
        if not self.handshake.is_renewing:
            delayed, self._delayed = self._delayed, []
            for payload in delayed:
                self._packets.send_message(payload)

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
            self.auth_banner = safe_line(reader.string())
        else:
            self.send(UNIMPLEMENTED, uint32(number))

    # --- channels
    def write(self, channel: Channel, data: bytes, until: float) -> None:
        """Send to the channel within its window. Raises OSError when it is gone, TimedOut, Cut."""
        view = memoryview(data)
        while view:
            self.wait(lambda: channel.window > 0 or channel.is_closed or channel.is_eof_sent, until)
            if channel.is_closed or channel.is_eof_sent or channel.is_close_sent:
                raise BrokenPipeError(32, "the process on the host is gone")
            piece = view[: min(channel.window, channel.max_packet)]
            channel.window -= len(piece)
            self.send(CHANNEL_DATA, uint32(remote_number(channel)), string(bytes(piece)))
            view = view[len(piece) :]
        self.flush(until)


def _key_exchange(packets: Packets, check: HostKeyCheck, eager: str | None) -> KeyExchange:
    """Choose: send the method `eager` ahead, or take each step in its turn."""
    if eager is None:
        from triagebook.tools.ssh.handshake import StockKeyExchange  # noqa: PLC0415 - paramiko, 60 ms: for a first contact only

        return StockKeyExchange(packets, check)
    return EagerKeyExchange(packets, check, eager)
