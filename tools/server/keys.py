"""Holds the two keys of an installation: one signs orders, one the audit log. They are generated here and never shared."""

from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
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
    """Read the keys, or generate them at the first start.

    Raises:
        TrustError: `lax_mode` (others can read them, or a link), `key` (unreadable, or one key for both uses).
    """
    private_directory(directory)
    audit = _open(directory / AUDIT_FILE, PrivateFormat.PKCS8, lambda content: load_pem_private_key(content, None))
    orders = _open(directory / ORDER_FILE, PrivateFormat.OpenSSH, lambda content: load_ssh_private_key(content, None))
    if audit.private_bytes_raw() == orders.private_bytes_raw():
        raise TrustError(
            f"{directory}: the same key signs orders and the audit log; delete one file, and a new key is generated", reason="key"
        )
    return ServerKeys(audit, orders, directory / ORDER_FILE)


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
