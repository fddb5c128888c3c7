"""The SSH binary packet protocol (RFC 4253, section 6), in place of paramiko's Packetizer (`packetizer_class`).

What is sent waits in a buffer until `flush`: a whole flight leaves in one segment. What arrives is read in large
pieces and kept when a deadline passes in the middle of a packet. MACs are compared by the C library; no Timer thread.
"""

import hmac
import os
import struct
import zlib
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.ssh.failures import BadPacket
from triagebook.tools.ssh.stream import ByteStream

MAX_PACKET_BYTES = 256 * 1024  # PACKET_MAX_SIZE of OpenSSH
_WORTH_PACKING_BYTES = 256
_PADDING_BYTES = 256


class _Direction:
    """The cipher state of one direction, as paramiko's Transport hands it over."""

    def __init__(self) -> None:
        self.engine: Any = None
        self.block = 8
        self.mac: Any = None
        self.mac_size = 0
        self.mac_key = b""
        self.is_etm = False
        self.is_aead = False
        self.salt = b""  # of an AEAD's nonce, and what is counted in it
        self.counter = 0
        self.sequence = 0

    def digest(self, packed: bytes) -> bytes:
        return hmac.digest(self.mac_key, struct.pack(">I", self.sequence) + packed, self.mac)[: self.mac_size]

    def next_nonce(self) -> bytes:
        """RFC 5647, 7.1: the last 8 of the 12 bytes are a counter."""
        counter = self.counter
        self.counter = (counter + 1) & 0xFFFFFFFFFFFFFFFF
        return self.salt + counter.to_bytes(8, "big")


class Packets:
    """Both directions over one stream. The methods in paramiko's words are called by its Transport."""

    _initial_kex_done = False  # set by paramiko
    closed = False

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._out, self._in = _Direction(), _Direction()
        self._unsent = bytearray()
        self._unread = bytearray()
        self._padding = b""
        self._is_packing = self._has_packed = False
        self._head = b""  # the decrypted first block of the packet that is arriving, where the length is encrypted

    # --- sending
    def write_all(self, raw: bytes) -> None:
        """Queue bytes that are no packet: the identification line."""
        self._unsent += raw

    def send_message(self, message: Any) -> None:
        """Queue one packet: a paramiko Message or the payload itself."""
        payload = message if isinstance(message, bytes) else message.asbytes()
        if self._is_packing:
            payload = (b"" if self._has_packed else _ZLIB_HEADER) + _pack(payload)
            self._has_packed = True
        out = self._out
        hidden = 4 if out.is_etm or out.is_aead else 0  # the length field is not part of the encrypted blocks
        padding = 4 + (-(len(payload) + 9 - hidden)) % out.block
        fill = self._random(padding) if out.engine is not None else bytes(padding)
        packet = struct.pack(">IB", len(payload) + padding + 1, padding) + payload + fill
        self._unsent += self._seal(packet)
        out.sequence = (out.sequence + 1) & 0xFFFFFFFF

    def _random(self, count: int) -> bytes:
        """Random bytes, taken from the kernel for several packets at once."""
        if len(self._padding) < count:
            self._padding = os.urandom(_PADDING_BYTES)
        taken, self._padding = self._padding[:count], self._padding[count:]
        return taken

    def _seal(self, packet: bytes) -> bytes:
        out = self._out
        if out.engine is None:
            return packet
        if out.is_aead:
            sealed: bytes = out.engine.encrypt(out.next_nonce(), packet[4:], packet[:4])
            return packet[:4] + sealed
        if out.is_etm:
            sealed = packet[:4] + out.engine.update(packet[4:])
            return sealed + out.digest(sealed)
        sealed = out.engine.update(packet)
        return sealed + out.digest(packet)

    def pack(self, is_packing: bool) -> None:
        """Compress the packets to come, or no longer; a new stream begins."""
        self._is_packing, self._has_packed = is_packing, False

    def flush(self, until: float) -> None:
        """Send what is queued, in one piece. Raises TimedOut, Cut."""
        if self._unsent:
            data, self._unsent = bytes(self._unsent), bytearray()
            self._stream.send(data, until)

    # --- receiving
    def read_line(self, until: float, limit: int = 8192) -> bytes:
        """A line of the identification exchange without its end. Raises TimedOut, Cut, BadPacket."""
        while (end := self._unread.find(b"\n", 0, limit)) < 0:
            if len(self._unread) >= limit:
                raise BadPacket("no line end in the first bytes")
            self._unread += self._stream.receive(until)
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line.rstrip(b"\r")

    def unread_text(self) -> str:
        """What has arrived and was not read, as harmless text."""
        return safe_line(bytes(self._unread[:400]))

    def read_packet(self, until: float) -> tuple[bytes, int]:
        """The next payload and its sequence number. Reading may go on after TimedOut. Raises also Cut, BadPacket."""
        while (payload := self._open_next()) is None:
            self._unread += self._stream.receive(until)
        number = self._in.sequence
        self._in.sequence = (number + 1) & 0xFFFFFFFF
        if not payload:
            raise BadPacket("an empty packet")
        return payload, number

    def _open_next(self) -> bytes | None:
        """The payload of the first whole packet among the unread bytes; None where it has not arrived yet."""
        state, unread = self._in, self._unread
        if state.engine is None or state.is_etm or state.is_aead:
            if len(unread) < 4:
                return None
            length = _check_length(int.from_bytes(unread[:4], "big"), (state.block if state.engine else 1))
            end = 4 + length + state.mac_size
            if len(unread) < end:
                return None
            return _payload(self._unseal(self._take(end), length))
        if not self._head:
            if len(unread) < state.block:
                return None
            self._head = state.engine.update(bytes(unread[: state.block]))
        length = _check_length(int.from_bytes(self._head[:4], "big") + 4, state.block) - 4
        end = 4 + length + state.mac_size
        if len(unread) < end:
            return None
        raw = self._take(end)
        packet = self._head + state.engine.update(raw[state.block : 4 + length])
        self._head = b""
        if not hmac.compare_digest(state.digest(packet), raw[4 + length :]):
            raise BadPacket("wrong MAC")
        return _payload(packet[4:])

    def _take(self, end: int) -> bytes:
        raw = bytes(self._unread[:end])
        del self._unread[:end]
        return raw

    def _unseal(self, raw: bytes, length: int) -> bytes:
        """Padding length, payload and padding of a packet whose length was in clear."""
        state = self._in
        if state.engine is None:
            return raw[4:]
        if state.is_aead:
            try:
                opened: bytes = state.engine.decrypt(state.next_nonce(), raw[4:], raw[:4])
            except InvalidTag:
                raise BadPacket("wrong MAC") from None
            return opened
        if not hmac.compare_digest(state.digest(raw[: 4 + length]), raw[4 + length :]):
            raise BadPacket("wrong MAC")
        return bytes(state.engine.update(raw[4 : 4 + length]))

    # --- in paramiko's words
    def set_outbound_cipher(
        self, block_engine: Any, block_size: int, mac_engine: Any, mac_size: int, mac_key: bytes | None, **modes: Any
    ) -> None:
        _switch(self._out, (block_engine, block_size, mac_engine, mac_size, mac_key), modes, modes.get("iv_out"))

    def set_inbound_cipher(
        self, block_engine: Any, block_size: int, mac_engine: Any, mac_size: int, mac_key: bytes | None, **modes: Any
    ) -> None:
        _switch(self._in, (block_engine, block_size, mac_engine, mac_size, mac_key), modes, modes.get("iv_in"))

    def reset_seqno_out(self) -> None:
        self._out.sequence = 0

    def reset_seqno_in(self) -> None:
        # called while NEWKEYS is handled, which is counted already: the next packet has number 0
        self._in.sequence = 0

    def need_rekey(self) -> bool:
        return False  # sessions are short; a server that wants new keys asks for them

    def set_log(self, log: Any) -> None:
        """Nothing is logged: what matters is in the result."""

    def close(self) -> None:
        self.closed = True


def _switch(state: _Direction, cipher: tuple[Any, int, Any, int, bytes | None], modes: Any, iv: bytes | None) -> None:
    state.engine, state.block, mac, state.mac_size, mac_key = cipher
    state.mac, state.mac_key = mac, mac_key or b""
    state.is_etm, state.is_aead = modes.get("etm", False), modes.get("aead", False)
    state.salt, state.counter = (iv[:4], int.from_bytes(iv[4:], "big")) if iv else (b"", 0)


_ZLIB_HEADER = b"\x78\x9c"  # RFC 1950: deflate, a window of 32 KiB


@lru_cache(maxsize=8)
def _deflate(payload: bytes) -> bytes:
    """Whole blocks that refer to nothing before them: hosts of a fleet get the same program, packed once."""
    packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)


def _pack(payload: bytes) -> bytes:
    """The next part of a deflate stream (RFC 1951) that ends on a byte: packed, or stored as it is.

    No state is kept from packet to packet, as a compressor's 256 KiB for each connection would be.
    """
    if len(payload) >= _WORTH_PACKING_BYTES:
        return _deflate(payload)
    return struct.pack("<BHH", 0, len(payload), len(payload) ^ 0xFFFF) + payload


def _check_length(length: int, block: int) -> int:
    if not 5 <= length <= MAX_PACKET_BYTES or length % block:
        raise BadPacket(f"impossible packet length {length}")
    return length


def _payload(body: bytes) -> bytes:
    padding = body[0]
    if padding + 1 > len(body):
        raise BadPacket("more padding than packet")
    return body[1 : len(body) - padding]
