"""NKEYs, the Ed25519 keys of NATS users in their text form: base32 of a prefix, the key and a checksum.

The package `nkeys` does the same, but is published as a source archive only, and what is installed here is built already.
"""

import base64
import binascii
import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SEED, _USER = 18 << 3, 20 << 3  # the first letters of the text: S, and U
_PREFIX = bytes([_SEED | _USER >> 5, (_USER & 31) << 3])
KEY_BYTES = 32


class UserKey:
    """The key of a NATS user. Its seed is a secret."""

    def __init__(self, seed: str) -> None:
        """Read the text of a seed. Raises ValueError: it is none, or mistyped."""
        try:
            raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
        except ValueError:  # of which binascii.Error is one
            raise ValueError("not the seed of an NKEY") from None
        body, checksum = raw[:-2], raw[-2:]
        if len(body) != len(_PREFIX) + KEY_BYTES or body[: len(_PREFIX)] != _PREFIX or checksum != _checksum(body):
            raise ValueError("not the seed of a NATS user, or mistyped")
        self._key = Ed25519PrivateKey.from_private_bytes(body[len(_PREFIX) :])

    @property
    def public(self) -> str:
        """The public half, as nats-server.conf has it."""
        return _text(bytes([_USER]) + self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, nonce: str) -> bytes:
        """Return the signature of what a NATS server asks to be signed, in base64."""
        return base64.b64encode(self._key.sign(nonce.encode()))


def new_seed() -> str:
    """Return the seed of a new key."""
    return _text(_PREFIX + os.urandom(KEY_BYTES))


def _text(body: bytes) -> str:
    return base64.b32encode(body + _checksum(body)).decode().rstrip("=")


def _checksum(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(2, "little")  # CRC-16/XMODEM
