"""Reading files by SFTP version 3 (draft-ietf-secsh-filexfer-02), pipelined: two flights for any number of files.

First INIT and every OPEN at once; then, as handles come back, READ and CLOSE together. Files of /proc say size 0: they
are read until the end is met.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.ssh.failures import Cut, NotAgreed
from triagebook.tools.ssh.wire import Malformed, Reader, string, uint32

if TYPE_CHECKING:
    from triagebook.tools.ssh.channels import Channel
    from triagebook.tools.ssh.connection import Connection

INIT, VERSION, OPEN, CLOSE, READ, STATUS, HANDLE, DATA = 1, 2, 3, 4, 5, 101, 102, 103
READ_ACCESS = 1
END_OF_FILE = 1
PIECE_BYTES = 32768  # servers give no more at once
MAX_PACKET_BYTES = 256 * 1024


class _File:
    """One file being read: `answer` is its content, or why there is none."""

    def __init__(self) -> None:
        self.handle = b""
        self.content = bytearray()
        self.reason: str | None = None
        self.is_done = False

    @property
    def answer(self) -> bytes | str:
        return bytes(self.content) if self.reason is None else self.reason


class _SftpReader:
    """All files of one call. Request numbers are indices of files; answers may come in any order."""

    def __init__(self, connection: "Connection", channel: "Channel", paths: Sequence[str], cap_bytes: int) -> None:
        self._connection, self._channel = connection, channel
        self._paths, self._cap_bytes = paths, cap_bytes
        self._files = [_File() for _ in paths]
        self._unparsed = b""

    def run(self, until: float) -> dict[str, bytes | str]:
        """Raises NotAgreed, TimedOut, Cut."""
        first = _pack(INIT, uint32(3))
        for index, path in enumerate(self._paths):
            first += _pack(OPEN, uint32(index), string(path), uint32(READ_ACCESS), uint32(0))
        self._send(first, until)
        while not all(file.is_done for file in self._files):
            kind, reader = self._next(until)
            if kind != VERSION:
                requests = self._handle(kind, reader)
                self._send(requests, until)
        return {path: file.answer for path, file in zip(self._paths, self._files, strict=True)}

    def _handle(self, kind: int, reader: Reader) -> bytes:
        index = reader.uint32()
        if index >= len(self._files):
            return b""  # the answer to a CLOSE
        file = self._files[index]
        if kind == HANDLE and not file.handle:
            file.handle = reader.string()
            return self._read(index)
        if kind == DATA and file.handle:
            file.content += reader.string()[: self._cap_bytes - len(file.content)]
            return self._read(index) if len(file.content) < self._cap_bytes else self._finish(index)
        if kind != STATUS:
            raise NotAgreed("an SFTP answer that fits no request")
        code, text = reader.uint32(), safe_line(reader.string())
        if code != END_OF_FILE or not file.handle:
            file.reason = text or f"SFTP status {code}"
        return self._finish(index)

    def _read(self, index: int) -> bytes:
        file = self._files[index]
        count = min(PIECE_BYTES, self._cap_bytes - len(file.content))
        offset = len(file.content).to_bytes(8, "big")
        return _pack(READ, uint32(index), string(file.handle), offset, uint32(count))

    def _finish(self, index: int) -> bytes:
        file = self._files[index]
        file.is_done = True
        return _pack(CLOSE, uint32(index + len(self._files)), string(file.handle)) if file.handle else b""

    def _send(self, requests: bytes, until: float) -> None:
        if requests:
            try:
                self._connection.write(self._channel, requests, until)
            except BrokenPipeError:
                raise Cut("the SFTP server ended") from None

    def _next(self, until: float) -> tuple[int, Reader]:
        channel = self._channel
        while True:
            if len(self._unparsed) >= 4:
                length = int.from_bytes(self._unparsed[:4], "big")
                if not 0 < length <= MAX_PACKET_BYTES:
                    raise NotAgreed("what answers is no SFTP server (does a shell start-up file print something?)")
                if len(self._unparsed) >= 4 + length:
                    packet, self._unparsed = self._unparsed[4 : 4 + length], self._unparsed[4 + length :]
                    return packet[0], Reader(packet[1:])
            self._connection.wait(lambda: bool(channel.out) or channel.is_over, until)
            if not channel.out:
                raise Cut(channel.cut or "the SFTP server ended")
            self._unparsed += channel.take()


def read_files(
    connection: "Connection", channel: "Channel", paths: Sequence[str], cap_bytes: int, until: float
) -> Mapping[str, bytes | str]:
    """The first `cap_bytes` of each file; a str is why there is none. Raises NotAgreed, TimedOut, Cut."""
    try:
        return _SftpReader(connection, channel, list(dict.fromkeys(paths)), cap_bytes).run(until)
    except Malformed as error:
        raise NotAgreed(f"malformed SFTP answer: {error}") from error


def _pack(kind: int, *fields: bytes) -> bytes:
    return string(bytes((kind,)) + b"".join(fields))
