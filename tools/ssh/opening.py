"""What a connection is opened for: one process, or a tunnel to the next host. Each is one channel."""

import sys

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.ssh.channels import Channel
from triagebook.tools.ssh.connection import Connection
from triagebook.tools.ssh.failures import Cut, SessionRefused
from triagebook.tools.ssh.wire import string, uint32

FIRST_CHANNEL = 0  # what OpenSSH and Dropbear call the first channel of a connection
AHEAD_DATA_BYTES = 1024  # a packet can be read when its last byte is there: less than a segment waits for less


@dataclass(frozen=True)
class Exec:
    """A process, by the login shell of the account. `request` is `exec`, or `subsystem`."""

    command: str
    cap_bytes: int
    request: str = "exec"

    def queue(self, connection: Connection, *, is_ahead: bool) -> Channel:
        """Queue the opening; ahead of the host's confirmation also the request, with a guess of its channel number."""
        if not is_ahead:
            return connection.channels.open("session", cap_bytes=self.cap_bytes)
        channel = connection.channels.open("session", cap_bytes=self.cap_bytes, guess=FIRST_CHANNEL, data_bytes=AHEAD_DATA_BYTES)
        connection.channels.request(channel, self.request, string(self.command))
        return channel

    def start(self, connection: Connection, channel: Channel, until: float, *, is_ahead: bool) -> None:
        """Make the request (unless it was sent ahead) and wait for the answer. Raises SessionRefused, TimedOut, Cut."""
        if not is_ahead:
            connection.channels.request(channel, self.request, string(self.command))
        connection.wait(lambda: channel.answer is not None or channel.is_closed, until)
        _raise_if_cut(channel)
        if not channel.answer:
            connection.channels.close(channel)
            raise SessionRefused(f"{self.request} request failed on channel {channel.number} (Channel closed)")


@dataclass(frozen=True)
class Tunnel:
    """A TCP connection that the host makes to the next one (RFC 4254, 7.2)."""

    host: str
    port: int

    def queue(self, connection: Connection, *, is_ahead: bool) -> Channel:
        """Queue the opening."""
        there = string(self.host) + uint32(self.port)
        return connection.channels.open("direct-tcpip", there, string("127.0.0.1"), uint32(0), cap_bytes=sys.maxsize)

    def start(self, connection: Connection, channel: Channel, until: float, *, is_ahead: bool) -> None:
        """Nothing more to ask."""


Opening = Exec | Tunnel


def wait_open(connection: Connection, channel: Channel, until: float) -> None:
    """Wait for the channel. Raises SessionRefused, TimedOut, Cut."""
    connection.wait(lambda: channel.is_open or channel.is_closed, until)
    if channel.is_open:
        return
    _raise_if_cut(channel)
    raise SessionRefused(f"open failed: {channel.refusal or 'Channel closed'}")


def _raise_if_cut(channel: Channel) -> None:
    if channel.cut:
        raise Cut(channel.cut)


class ChannelStream:
    """A tunnel as a byte stream: the connection over a jump host runs on it. Closing it ends the jump connection."""

    def __init__(self, connection: Connection, channel: Channel) -> None:
        self._connection, self._channel = connection, channel

    def send(self, data: bytes, until: float) -> None:
        try:
            self._connection.write(self._channel, data, until)
        except BrokenPipeError:
            raise Cut("connection closed by the host") from None

    def receive(self, until: float) -> bytes:
        self._connection.wait(lambda: bool(self._channel.out) or self._channel.is_over, until)
        if self._channel.out:
            return self._channel.take()
        raise Cut(self._channel.cut or "connection closed by the host")

    def close(self) -> None:
        self._connection.close()
