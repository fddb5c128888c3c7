"""Writes and verifies checkpoints as C2SP signed notes: origin, size and root of the log, signed with Ed25519.

Sources: c2sp.org/signed-note, c2sp.org/tlog-checkpoint. The verifier key (`vkey`) is what an auditor keeps elsewhere.
"""

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.merkle import HASH_BYTES

ED25519 = b"\x01"
MAX_BYTES = 16 * 1024
MAX_SIGNATURES = 16


@dataclass(frozen=True)
class Checkpoint:
    """Says what the log was at one moment: its first `size` rows have this root hash. `note` is the signed text."""

    origin: str
    size: int
    root: bytes
    note: str = ""


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Checkpoint:
    """Return the checkpoint with its signed note. The origin is the key's name, as tlog-checkpoint recommends."""
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{_base64(checkpoint.root)}\n"
    public = key.public_key().public_bytes_raw()
    signature = key_id(checkpoint.origin, public) + key.sign(text.encode())
    note = f"{text}\n\N{EM DASH} {checkpoint.origin} {_base64(signature)}\n"
    return Checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, note)


def verify(note: str, vkey: str) -> Checkpoint:
    """Read a signed note and check it against a verifier key. TrustError: malformed, not signed by it, forged."""
    name, public = parse_vkey(vkey)
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or len(note.encode()) > MAX_BYTES or signatures.count("\n") > MAX_SIGNATURES:
        raise TrustError("checkpoint: not a signed note")
    text += "\n"
    for line in signatures.splitlines():
        if _is_signed(line, text, name, public):
            return _parse(text, note, name)
    raise TrustError(f"checkpoint: not signed by {name}")


def vkey_of(origin: str, public: Ed25519PublicKey) -> str:
    """Return `name+hash+key`, the verifier key in C2SP form."""
    raw = public.public_bytes_raw()
    return f"{origin}+{key_id(origin, raw).hex()}+{_base64(ED25519 + raw)}"


def key_id(name: str, public: bytes) -> bytes:
    """Return the first four bytes of SHA-256(name || LF || algorithm || key)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def parse_vkey(vkey: str) -> tuple[str, bytes]:
    """Return the name and the raw public key of a verifier key. Raises TrustError: it is none."""
    try:
        name, identity, encoded = vkey.strip().split("+", 2)
        content = base64.b64decode(encoded, validate=True)
        if content[:1] != ED25519 or len(content) != 33 or key_id(name, content[1:]).hex() != identity:
            raise ValueError("key hash does not match")
    except ValueError as error:
        raise TrustError(f"verifier key: expected NAME+HASH+KEY: {error}") from None
    return name, content[1:]


def _is_signed(line: str, text: str, name: str, public: bytes) -> bool:
    """Say whether this signature line is one by that key over the text. A line by the key that does not verify is a forgery."""
    dash, _, rest = line.partition(" ")
    signer, _, encoded = rest.partition(" ")
    if dash != "\N{EM DASH}" or signer != name:
        return False
    try:
        content = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    if content[:4] != key_id(name, public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(content[4:], text.encode())
    except InvalidSignature:
        raise TrustError(f"checkpoint: the signature by {name} is wrong") from None
    return True


def _parse(text: str, note: str, name: str) -> Checkpoint:
    try:
        origin, size, root, *_extensions = text.splitlines()
        decoded = base64.b64decode(root, validate=True)
        if origin != name or not size.isascii() or str(int(size)) != size or len(decoded) != HASH_BYTES:
            raise ValueError("odd origin, size or root")
    except ValueError as error:
        raise TrustError(f"checkpoint: cannot be read: {error}") from None
    return Checkpoint(origin, int(size), decoded, note)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
