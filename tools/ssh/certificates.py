"""OpenSSH certificates (PROTOCOL.certkeys): what one says, and whether it speaks for a host now."""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.patterns import matches
from triagebook.tools.ssh.public_keys import CERT_SUFFIX, is_signed_by, key_type
from triagebook.tools.ssh.wire import Malformed, Reader, string

HOST = 2
# Fields of the certified public key between the nonce and the serial, by type (PROTOCOL.certkeys).
_KEY_FIELDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
}


@dataclass(frozen=True)
class Certificate:
    """One certificate. `key` is the certified public key blob, `authority` the signing one; times are epoch seconds."""

    key: bytes
    kind: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: tuple[str, ...]
    authority: bytes
    signed: bytes
    signature: bytes


def parse(blob: bytes) -> Certificate:
    """Read a certificate blob. Raises Malformed."""
    reader = Reader(blob)
    type_name = reader.text()
    plain = type_name.removesuffix(CERT_SUFFIX)
    if plain == type_name or plain not in _KEY_FIELDS:
        raise Malformed(f"{type_name!r} is no certificate type known here")
    reader.string()  # nonce
    key = string(plain) + b"".join(string(reader.string()) for _ in range(_KEY_FIELDS[plain]))
    reader.uint64()  # serial
    kind, key_id = reader.uint32(), reader.text()
    principals = _texts(reader.string())
    after, before = reader.uint64(), reader.uint64()
    critical = tuple(_texts(reader.string())[::2])
    reader.string()  # extensions: none matters for a host
    reader.string()  # reserved
    authority = reader.string()
    signed = blob[: reader.position]
    return Certificate(key, kind, key_id, tuple(principals), after, before, critical, authority, signed, reader.string())


def _texts(packed: bytes) -> list[str]:
    reader, texts = Reader(packed), []
    while reader.position < len(packed):
        texts.append(reader.text())
    return texts


def why_not_host(certificate: Certificate, host: str, authorities: Sequence[bytes], now: float) -> str:
    """Why the certificate does not vouch for `host`; empty where it does.

    As sshkey_cert_check_host(3) of OpenSSH: signed by a trusted authority, of kind host, within its time, naming the
    host (wildcards allowed) and without critical options, of which none is defined for hosts.
    """
    if certificate.authority not in authorities:
        return "it is signed by an authority that the known hosts do not name for this host"
    algorithm = _signature_algorithm(certificate.signature)
    if not is_signed_by(certificate.authority, algorithm, certificate.signed, certificate.signature):
        return "its authority's signature is wrong"
    if certificate.kind != HOST:
        return "it is a user certificate"
    if not certificate.valid_after <= now < certificate.valid_before:
        return "it is not valid at this time"
    if certificate.critical:
        return f"it has the critical option {certificate.critical[0]!r}"
    if certificate.principals and not any(matches(host.lower(), name.lower()) for name in certificate.principals):
        return f"it names {', '.join(certificate.principals[:5])!r}, not this host"
    return ""


def _signature_algorithm(signature: bytes) -> str:
    try:
        return key_type(signature)
    except Malformed:
        return ""
