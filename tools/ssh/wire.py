"""Data types of the SSH wire (RFC 4251, section 5): strings, integers, name lists. Input is hostile."""

import struct

DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_REQUEST, SERVICE_ACCEPT, EXT_INFO = 1, 2, 3, 4, 5, 6, 7
USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_BANNER, USERAUTH_PK_OK = 50, 51, 52, 53, 60
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
CHANNEL_OPEN, CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE, CHANNEL_WINDOW_ADJUST = 90, 91, 92, 93
CHANNEL_DATA, CHANNEL_EXTENDED_DATA, CHANNEL_EOF, CHANNEL_CLOSE = 94, 95, 96, 97
CHANNEL_REQUEST, CHANNEL_SUCCESS, CHANNEL_FAILURE = 98, 99, 100


class Malformed(ValueError):
    """Bytes that are not what the protocol says: cut short, or a length that cannot be."""


def uint32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return struct.pack(">I", value)


def string(value: bytes | str) -> bytes:
    """A length and that many bytes; text as UTF-8, and bytes that Python read as text (os.fsdecode) as they were."""
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return struct.pack(">I", len(raw)) + raw


def mpint(value: int) -> bytes:
    """A non-negative integer with a leading zero byte where the first bit would be set."""
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big") if value else b"")


class Reader:
    """Takes one field after the other; every method raises Malformed where the bytes end early."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._data = data
        self._at = start

    @property
    def position(self) -> int:
        """How many bytes have been taken."""
        return self._at

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise Malformed(f"{count} bytes wanted, {len(self._data) - self._at} left")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def byte(self) -> int:
        return self.take(1)[0]

    def boolean(self) -> bool:
        return self.byte() != 0

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def uint64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def string(self) -> bytes:
        data, start = self._data, self._at + 4
        end = start + int.from_bytes(data[self._at : start], "big")
        if end > len(data):
            raise Malformed(f"a string of {end - start} bytes wanted, {max(0, len(data) - start)} left")
        self._at = end
        return data[start:end]

    def text(self) -> str:
        """A string as text; bytes that are not UTF-8 become replacement characters."""
        return self.string().decode("utf-8", "replace")

    def names(self) -> list[str]:
        """A comma-separated list of names."""
        text = self.string().decode("ascii", "replace")
        return text.split(",") if text else []

    def mpint(self) -> int:
        """A non-negative integer; nothing here is ever negative."""
        raw = self.string()
        if raw[:1] >= b"\x80":
            raise Malformed("a negative integer")
        return int.from_bytes(raw, "big")
