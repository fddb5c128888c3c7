"""SSH public keys: fingerprints and the check of signatures, by `cryptography` alone (RFC 4253, 5656, 8332, 8709)."""

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from triagebook.tools.ssh.wire import Malformed, Reader, mpint, string

CURVES = {"nistp256": ("SECP256R1", "SHA256"), "nistp384": ("SECP384R1", "SHA384"), "nistp521": ("SECP521R1", "SHA512")}
RSA_HASHES = {"rsa-sha2-512": "SHA512", "rsa-sha2-256": "SHA256"}  # ssh-rsa is SHA-1: refused
HOST_KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
CERT_SUFFIX = "-cert-v01@openssh.com"


@lru_cache(maxsize=64)
def fingerprint(blob: bytes) -> str:
    """`SHA256:...` as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def key_type(blob: bytes) -> str:
    """The type a key blob names itself, such as `ssh-ed25519`. Raises Malformed."""
    return Reader(blob).text()


def algorithms_of(type_name: str) -> tuple[str, ...]:
    """Signature algorithms a key of this type can use, best first."""
    return tuple(RSA_HASHES) if type_name == "ssh-rsa" else (type_name,)


def is_signed_by(blob: bytes, algorithm: str, signed: bytes, signature: bytes) -> bool:
    """Whether `signature` (an SSH signature blob) over `signed` is of the key `blob`, made with `algorithm`.

    A malformed key or signature, or one of a type unknown here, is no signature.
    """
    try:
        reader = Reader(signature)
        if reader.text() != algorithm or algorithm not in algorithms_of(key_type(blob)):
            return False
        _verify(blob, algorithm, signed, reader.string())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):  # Malformed is a ValueError
        return False
    return True


def _verify(blob: bytes, algorithm: str, signed: bytes, raw: bytes) -> None:
    reader = Reader(blob)
    name = reader.text()
    if name == "ssh-ed25519":
        ed25519.Ed25519PublicKey.from_public_bytes(reader.string()).verify(raw, signed)
    elif name.startswith("ecdsa-sha2-") and reader.text() == name.removeprefix("ecdsa-sha2-"):
        curve, hash_name = CURVES[name.removeprefix("ecdsa-sha2-")]
        point = ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, curve)(), reader.string())
        pair = Reader(raw)
        r, s = pair.mpint(), pair.mpint()
        point.verify(encode_dss_signature(r, s), signed, ec.ECDSA(_hash(hash_name)))
    elif name == "ssh-rsa":
        exponent, modulus = reader.mpint(), reader.mpint()
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        if key.key_size < 2048:
            raise Malformed("an RSA key below 2048 bits is not trusted")
        key.verify(raw.rjust(key.key_size // 8, b"\0"), signed, padding.PKCS1v15(), _hash(RSA_HASHES[algorithm]))
    else:
        raise Malformed(f"unknown key type {name!r}")


def sign(private: Any, algorithm: str, signed: bytes) -> bytes:
    """An SSH signature blob by a private key of `cryptography`; `algorithm` without the certificate suffix."""
    if algorithm == "ssh-ed25519":
        raw = private.sign(signed)
    elif algorithm in RSA_HASHES:
        raw = private.sign(signed, padding.PKCS1v15(), _hash(RSA_HASHES[algorithm]))
    else:
        hash_name = CURVES[algorithm.removeprefix("ecdsa-sha2-")][1]
        r, s = decode_dss_signature(private.sign(signed, ec.ECDSA(_hash(hash_name))))
        raw = mpint(r) + mpint(s)
    return string(algorithm) + string(raw)


def _hash(name: str) -> Any:
    return getattr(hashes, name)()
