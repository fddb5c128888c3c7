"""Checks how a sender of alerts proves who it is. Several secrets hold at once, so that one can be rotated."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.runbooks.library.node import Node
from triagebook.tools.files import read_private

SIGNATURE_HEADER = "x-pagerduty-signature"
SHORTEST = 16  # bytes of a secret: what is shorter can be tried
MOST_SIGNATURES = 16  # in one header
DNS_NAME = r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*"


@dataclass(frozen=True)
class Proofs:
    """What a request proves itself with: its headers, and the DNS names of the client's certificate, which TLS has verified."""

    headers: Mapping[str, str]
    names: frozenset[str] = frozenset()


class Credential(Protocol):
    """Decides whether a request comes from its source."""

    def may_hold(self, proofs: Proofs) -> bool:
        """Tell from the headers whether the body is worth reading: a stranger must not make us keep a megabyte."""
        ...

    def holds(self, proofs: Proofs, body: bytes) -> bool:
        """Tell whether this request carries the secret."""
        ...


@dataclass(frozen=True)
class Bearer:
    """One of several tokens in the header `Authorization: Bearer`."""

    tokens: tuple[bytes, ...]

    def may_hold(self, proofs: Proofs) -> bool:
        return self.holds(proofs, b"")

    def holds(self, proofs: Proofs, body: bytes) -> bool:
        given = _authorization(proofs.headers, "bearer").encode()
        return _is_one_of(given, self.tokens)


@dataclass(frozen=True)
class Basic:
    """A user name and one of several passwords in the header `Authorization: Basic` (RFC 7617)."""

    user: str
    passwords: tuple[bytes, ...]

    def may_hold(self, proofs: Proofs) -> bool:
        return self.holds(proofs, b"")

    def holds(self, proofs: Proofs, body: bytes) -> bool:
        try:
            given = base64.b64decode(_authorization(proofs.headers, "basic"), validate=True)
        except (binascii.Error, ValueError):
            return False
        return _is_one_of(given, tuple(self.user.encode() + b":" + password for password in self.passwords))


@dataclass(frozen=True)
class Signature:
    """An HMAC-SHA256 of the body by one of several secrets: `v1=HEX`, several of them while PagerDuty rotates."""

    secrets: tuple[bytes, ...]

    def may_hold(self, proofs: Proofs) -> bool:
        return SIGNATURE_HEADER in proofs.headers

    def holds(self, proofs: Proofs, body: bytes) -> bool:
        given = [word.strip().removeprefix("v1=") for word in proofs.headers.get(SIGNATURE_HEADER, "").split(",")[:MOST_SIGNATURES]]
        wanted = tuple(hmac.new(secret, body, hashlib.sha256).hexdigest().encode() for secret in self.secrets)
        return any(_is_one_of(word.encode(), wanted) for word in given)


@dataclass(frozen=True)
class ClientCertificate:
    """A client's certificate of an authority that the listener trusts, with one of these DNS names (mutual TLS)."""

    names: frozenset[str]

    def may_hold(self, proofs: Proofs) -> bool:
        return bool(self.names & proofs.names)

    def holds(self, proofs: Proofs, body: bytes) -> bool:
        return self.may_hold(proofs)


def read_bearer(node: Node, folder: Path) -> Credential:
    """Return the tokens of the files that a source names. Raises RunbookError."""
    return Bearer(_read_secrets(node, folder))


def read_basic(node: Node, folder: Path) -> Credential:
    """Return the user and the passwords of the files. Raises RunbookError."""
    members = node.members(("user", "password_files"), ("user", "password_files"))
    user = members["user"].text(r"[^\x00-\x20\x7f:]{1,100}", "a user name without ':'")
    return Basic(user, _read_secrets(members["password_files"], folder))


def read_signature(node: Node, folder: Path) -> Credential:
    """Return the signing secrets of the files. Raises RunbookError."""
    return Signature(_read_secrets(node, folder))


def read_certificate(node: Node, _folder: Path) -> Credential:
    """Return the names that a client's certificate may have. Raises RunbookError."""
    names = frozenset(item.text(DNS_NAME, "a DNS name in small letters") for item in node.items("a list of DNS names"))
    if not names:
        raise node.error("an empty list: nobody could send anything; name at least one certificate")
    return ClientCertificate(names)


# How a source in alerts.yaml says its secret: key, and what reads it.
WAYS = {
    "bearer": ("bearer_files", read_bearer),
    "basic": ("basic", read_basic),
    "signature": ("secret_files", read_signature),
    "certificate": ("certificate_names", read_certificate),
}


def _read_secrets(node: Node, folder: Path) -> tuple[bytes, ...]:
    """Return the secret of each file of a list."""
    found = tuple(read_secret(item, folder) for item in node.items("a list of files"))
    if not found:
        raise node.error("an empty list: nobody could send anything; name at least one file")
    return found


def read_secret(node: Node, folder: Path) -> bytes:
    """Return the one line of a file; a relative name is beside alerts.yaml. Raises RunbookError, never with the secret."""
    path = folder / node.text(r"[^\x00-\x1f\x7f]{1,300}", "the name of a file")
    try:
        secret = read_private(path).strip()
    except OSError as error:
        raise node.error(f"{path}: {error.strerror}") from None
    except TriagebookError as error:
        raise node.error(str(error)) from None
    if len(secret) < SHORTEST or b"\n" in secret:
        raise node.error(f"{path}: expected one line of at least {SHORTEST} characters: openssl rand -hex 32 > {path}")
    return secret


def _authorization(headers: Mapping[str, str], scheme: str) -> str:
    word, _, rest = headers.get("authorization", "").partition(" ")
    return rest.strip() if word.lower() == scheme else ""


def _is_one_of(given: bytes, wanted: tuple[bytes, ...]) -> bool:
    return any(hmac.compare_digest(given, secret) for secret in wanted)
