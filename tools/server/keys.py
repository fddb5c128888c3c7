"""Holds the two keys of an installation: one signs orders, one the audit log. They are generated here and never shared."""

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.files import create_private, private_directory, read_private

AUDIT_FILE = "audit.key"  # PKCS 8
ORDER_FILE = "orders.key"  # OpenSSH's own format: `ssh-keygen -Y sign` reads it


@dataclass(frozen=True)
class ServerKeys:
    """Both private keys. `__repr__` hides them, which a dataclass's own would not."""

    audit: Ed25519PrivateKey
    orders: Ed25519PrivateKey
    orders_path: Path

    def __repr__(self) -> str:
        return "ServerKeys(***)"


def open_keys(directory: Path) -> ServerKeys:
    """Read the keys, or generate both at the first start. One that is missing beside the other is never replaced in silence.

    Raises:
        TrustError: `lax_mode` (others can read them, or a link), `key` (missing, unreadable, or one key for both uses).
    """
    private_directory(directory)
    _require_both_or_none(directory)
    audit = _open(directory / AUDIT_FILE, PrivateFormat.PKCS8, lambda content: load_pem_private_key(content, None))
    orders = _open(directory / ORDER_FILE, PrivateFormat.OpenSSH, lambda content: load_ssh_private_key(content, None))
    if audit.private_bytes_raw() == orders.private_bytes_raw():
        message = f"the same key signs orders and the audit log; make another one for orders: {_how_to_make(directory)}"
        raise TrustError(f"{directory}: {message}", reason="key")
    return ServerKeys(audit, orders, directory / ORDER_FILE)


def _require_both_or_none(directory: Path) -> None:
    """Refuse a lost key: hosts would take no order signed by a new one, and no log would hold for another."""
    is_missing = {name: not os.path.lexists(directory / name) for name in (AUDIT_FILE, ORDER_FILE)}
    if is_missing[AUDIT_FILE] and not is_missing[ORDER_FILE]:
        message = "the audit key is missing, and the log holds with no other; put it back from a copy"
        raise TrustError(f"{directory / AUDIT_FILE}: {message}", reason="key")
    if is_missing[ORDER_FILE] and not is_missing[AUDIT_FILE]:
        remedy = f"put it back from a copy, or make a new one and bring it to each host: {_how_to_make(directory)}"
        raise TrustError(f"{directory / ORDER_FILE}: the key that signs orders is missing; {remedy}", reason="key")


def _how_to_make(directory: Path) -> str:
    return f"ssh-keygen -q -t ed25519 -N '' -C '' -f {directory / ORDER_FILE} (then `triagebook host rotate-key`)"


def fingerprint(key: Ed25519PrivateKey) -> str:
    """Return `SHA256:...` of the public key, as `ssh-keygen -l` shows it."""
    encoded = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1]
    digest = hashlib.sha256(base64.b64decode(encoded)).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def _open(path: Path, form: PrivateFormat, load: Callable[[bytes], object]) -> Ed25519PrivateKey:
    try:
        content = read_private(path)
    except FileNotFoundError:
        made = Ed25519PrivateKey.generate()
        create_private(path, made.private_bytes(Encoding.PEM, form, NoEncryption()))
        return made
    try:
        key = load(content)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrustError(f"{path}: not an unencrypted private key: {error}", reason="key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path}: expected an Ed25519 key", reason="key")
    return key
