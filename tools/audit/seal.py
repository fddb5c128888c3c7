"""Seals what the server writes into the database, so that whoever else can write there can destroy, and cannot invent.

A seal is an HMAC-SHA256 over a row's content by a key that is derived from the audit key. The database never holds the key.
"""

import hmac
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from triagebook.runbooks.engine.canonical import canonical_json

SEALED_SCHEMA = "triagebook/audit/v2"
# A quote inside a JSON string has a backslash before it, so this stands in a leaf only where its member stands.
_PLACE = f'"schema":"{SEALED_SCHEMA}",'.encode()
_MEMBER = re.compile(re.escape(_PLACE) + rb'"seal":"([0-9a-f]{64})",')


class RowKey:
    """The key that seals rows. It prints as `***`."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "RowKey(***)"

    def seal(self, *members: str) -> str:
        """Return the seal over these texts, as 64 hexadecimal digits."""
        return self._seal(canonical_json(list(members)))

    def is_seal(self, seal: str, *members: str) -> bool:
        """Say whether this is the seal over these texts."""
        return hmac.compare_digest(seal.encode("utf-8", "replace"), self.seal(*members).encode())

    def seal_leaf(self, leaf: bytes) -> bytes:
        """Return a leaf with its seal as a member of it. The leaf has its index and the hash of the one before."""
        if leaf.count(_PLACE) != 1:
            raise ValueError(f"a leaf without schema {SEALED_SCHEMA}")
        return leaf.replace(_PLACE, _PLACE + f'"seal":"{self._seal(leaf)}",'.encode())

    def is_sealed(self, leaf: bytes) -> bool:
        """Say whether this key sealed the leaf, and nothing of it was changed since."""
        found = _find(leaf)
        if found is None:
            return False
        bare = leaf[: found.start()] + _PLACE + leaf[found.end() :]
        return hmac.compare_digest(found[1], self._seal(bare).encode())

    def _seal(self, content: bytes) -> str:
        return hmac.digest(self._secret, content, "sha256").hex()


def has_seal(leaf: bytes) -> bool:
    """Say whether a leaf claims to be sealed. Those of earlier releases do not."""
    return _find(leaf) is not None


def _find(leaf: bytes) -> re.Match[bytes] | None:
    """Return the seal's member of a leaf. Its place is sought as bytes first: a third of the time."""
    place = leaf.find(_PLACE)
    return _MEMBER.match(leaf, place) if place >= 0 else None


def row_key_of(audit_key: Ed25519PrivateKey) -> RowKey:
    """Derive the key from the audit key: every server that signs the log seals its rows alike."""
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"triagebook row seal v1")
    return RowKey(derive.derive(audit_key.private_bytes_raw()))


FOREIGN = RowKey(b"\0" * 32)  # of whoever writes without the server's key: nothing counts that it sealed
