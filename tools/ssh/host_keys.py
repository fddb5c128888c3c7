"""The verdict on a host's key: trusted by known_hosts or by a certificate authority there, or refused with the reason.

Nothing is ever accepted unseen. A refusal has both fingerprints and the one command that settles it.
"""

import shlex
import time
from collections.abc import Callable
from functools import lru_cache

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.ssh import certificates
from triagebook.tools.ssh.failures import HostKeyRefused, NotAgreed
from triagebook.tools.ssh.known_hosts import KnownHost
from triagebook.tools.ssh.public_keys import CERT_SUFFIX, HOST_KEY_ALGORITHMS, algorithms_of, fingerprint, is_signed_by, key_type
from triagebook.tools.ssh.wire import Malformed


@dataclass(frozen=True)
class HostKeyCheck:
    """Judges the keys that one host shows. `name` is what known_hosts calls it: the alias, or name and port."""

    host: str  # as certificates name it
    address: str  # as ssh-keyscan is to be asked
    port: int
    known: KnownHost
    clock: Callable[[], float] = time.time

    def algorithms(self) -> tuple[str, ...]:
        """Key algorithms to ask the host for: those we could trust first, then the others, so that the refusal can say
        which key the host has."""
        return _algorithms(tuple([key.type for key in self.known.trusted]), bool(self.known.authorities))

    def judge(self, blob: bytes) -> str:
        """The fingerprint of the key that was verified. Raises HostKeyRefused, Malformed."""
        refusal = ""
        key = blob
        if key_type(blob).endswith(CERT_SUFFIX):
            certificate = certificates.parse(blob)
            key = certificate.key
            self._refuse_revoked(certificate.authority)
            authorities = [authority.blob for authority in self.known.authorities]
            refusal = certificates.why_not_host(certificate, self.host, authorities, self.clock())
            if not refusal:
                self._refuse_revoked(key)
                return fingerprint(key)
        self._refuse_revoked(key)
        if any(known.blob == key for known in self.known.trusted):
            return fingerprint(key)
        raise HostKeyRefused(
            self._changed_key_message(key, refusal) if self.known.trusted else self._unknown_key_message(key, refusal)
        )

    def verify(self, algorithm: str, blob: bytes, digest: bytes, signature: bytes, before: str = "") -> str:
        """The fingerprint of a key that is trusted and has signed the exchange hash `digest`.

        `before` is what an earlier exchange of the same connection found. Raises HostKeyRefused, NotAgreed.
        """
        try:
            found = self.judge(blob)
            signing = certificates.parse(blob).key if algorithm.endswith(CERT_SUFFIX) else blob
        except Malformed as error:
            raise NotAgreed(f"malformed host key: {error}") from error
        if before not in ("", found):
            raise HostKeyRefused("the host changed its key during the session")
        if not is_signed_by(signing, algorithm.removesuffix(CERT_SUFFIX), digest, signature):
            raise HostKeyRefused("the host does not own the key it shows: its signature is wrong")
        return found

    def _refuse_revoked(self, key: bytes) -> None:
        for known in self.known.revoked:
            if known.blob == key:
                raise HostKeyRefused(
                    f"the host key of {self.known.name} is revoked: it shows {_show(key)}, "
                    f"and {known.source} revokes {fingerprint(known.blob)}. Do not connect; ask who revoked it."
                )

    def _changed_key_message(self, key: bytes, refusal: str) -> str:
        known = "; ".join(f"{old.source} has {old.type} {fingerprint(old.blob)}" for old in self.known.trusted[:3])
        file = self.known.trusted[0].source.rpartition(":")[0]
        return (
            f"the host key of {self.known.name} is not the known one: the host shows {_show(key)}; {known}."
            f"{_because(refusal)} Somebody may be in between. If you know that the host was reinstalled: "
            f"`ssh-keygen -R {shlex.quote(self.known.name)} -f {shlex.quote(file)} && {self._scan(key, file)}`"
        )

    def _unknown_key_message(self, key: bytes, refusal: str) -> str:
        file = self.known.files[0] if self.known.files else "~/.ssh/known_hosts"
        return (
            f"the host key of {self.known.name} is unknown: the host shows {_show(key)}; known: none in "
            f"{', '.join(self.known.files) or 'no file'}.{_because(refusal)} Compare it with `ssh-keygen -lf "
            f"/etc/ssh/ssh_host_{_short(key)}_key.pub` on the host's console, and if it is the same: "
            f"`{self._scan(key, file)}`"
        )

    def _scan(self, key: bytes, file: str) -> str:
        port = "" if self.port == 22 else f"-p {self.port} "
        command = f"ssh-keyscan {port}-t {_short(key)} {shlex.quote(self.address)}"
        if self.known.name not in (self.address, f"[{self.address}]:{self.port}"):
            command += f" | sed {shlex.quote('s/^[^ ]*/' + self.known.name.replace('/', '') + '/')}"
        return f"{command} >> {shlex.quote(file)}"


@lru_cache(maxsize=32)
def _algorithms(types: tuple[str, ...], has_authorities: bool) -> tuple[str, ...]:
    trusted = {name for type_name in types for name in algorithms_of(type_name)}
    first = tuple(name for name in HOST_KEY_ALGORITHMS if name in trusted)
    certified = tuple(name + CERT_SUFFIX for name in HOST_KEY_ALGORITHMS) if has_authorities else ()
    return certified + first + tuple(name for name in HOST_KEY_ALGORITHMS if name not in first)


def _show(key: bytes) -> str:
    return f"{_type(key)} {fingerprint(key)}"


def _type(key: bytes) -> str:
    """The type for people: only types we know, for the bytes are the host's."""
    try:
        name = key_type(key)
    except Malformed:
        return "a malformed key"
    return name if name in (*HOST_KEY_ALGORITHMS, "ssh-rsa") else "a key of an unknown type"


def _short(key: bytes) -> str:
    name = _type(key)
    return "ecdsa" if name.startswith("ecdsa") else name.removeprefix("ssh-") if name.startswith("ssh-") else "ed25519"


def _because(refusal: str) -> str:
    return f" Its certificate does not help: {refusal}." if refusal else ""
