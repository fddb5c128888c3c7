"""The key exchange of the one-flight path: curve25519, alone or with ML-KEM-768 (RFC 8731, draft-ietf-sshm-mlkem-hybrid-kex).

Our first message follows our KEXINIT without waiting, and nothing else is offered, so the outcome cannot differ. The
primitives are those of `cryptography`; what is here is the order of the messages, the exchange hash (RFC 4253, 8; RFC 5656,
4) and the derivation of keys (RFC 4253, 7.2). Any other method is paramiko's (`handshake.py`), in the stock order.
"""

import hashlib
import os
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.ssh.algorithms import CIPHERS, KEXINIT, MACS, MLKEM, NEWKEYS, same_as
from triagebook.tools.ssh.failures import NotAgreed
from triagebook.tools.ssh.host_keys import HostKeyCheck
from triagebook.tools.ssh.key_state import KeyExchange
from triagebook.tools.ssh.packets import Packets
from triagebook.tools.ssh.wire import Malformed, Reader, mpint, string, uint32

INIT, REPLY = 30, 31
_DELAYED_ZLIB = "zlib@openssh.com"
_COMPRESSIONS = (f"{_DELAYED_ZLIB},none", "none")  # to the host: the program; from it: a short answer, as it is
_KEY_BYTES = {"aes128": 16, "aes192": 24, "aes256": 32}
_MAC_SIZES = {"hmac-sha2-256": ("sha256", 32), "hmac-sha2-512": ("sha512", 64), "hmac-sha1": ("sha1", 20)}
_BLOCK = 16
_MLKEM_CIPHERTEXT_BYTES = 1088  # FIPS 203
_LISTS = 10  # of names in a KEXINIT


@dataclass(frozen=True)
class _Agreement:
    """What follows from both lists. `ciphers`, `macs`: to the host and from it; no MAC where the cipher has its own."""

    offered_kex: tuple[str, ...]
    is_strict: bool
    host_key_type: str
    ciphers: tuple[str, str]
    macs: tuple[str, str]
    is_compressing: bool


class EagerKeyExchange(KeyExchange):
    """The one method that is offered, so that its first message can be sent ahead."""

    local_version = "SSH-2.0-triagebook"
    is_eager = True

    def __init__(self, packets: Packets, check: HostKeyCheck, method: str) -> None:
        self._packets, self._check, self.method = packets, check, method
        self._curve: X25519PrivateKey | None = None
        self._lattice: Any = None
        self._sent = b""  # our public values, while a reply is awaited
        self._remote_init = b""
        self._derived = b"", b""  # the shared secret as it is hashed, the exchange hash
        self._ciphers: tuple[str, str] = ("", "")
        self._macs: tuple[str, str] = ("", "")
        self.is_awaiting_keys = False
        self.local_kex_init: bytes | None = None
        self.remote_version = ""
        self.remote_kex_algorithms: tuple[str, ...] = ()
        self.host_key_type = ""
        self.session_id = b""
        self.fingerprint = ""
        self.is_strict = False
        self.is_compressing = False  # what we send, once the login is done
        self.initial_kex_done = False

    # --- what we say
    def identify(self) -> None:
        """Queue our identification line."""
        self._packets.write_all(f"{self.local_version}\r\n".encode())

    def announce(self) -> None:
        """Queue KEXINIT and our public values."""
        self._curve = X25519PrivateKey.generate()
        public = self._curve.public_key().public_bytes_raw()
        if self.method == MLKEM:
            self._lattice = mlkem.MLKEM768PrivateKey.generate()
            public = self._lattice.public_key().public_bytes_raw() + public
        self._sent = public
        offer = _offer(self.method, self._check.algorithms(), is_first=not self.session_id)
        self.local_kex_init = bytes((KEXINIT,)) + os.urandom(16) + offer
        self._packets.send_message(self.local_kex_init)
        self._packets.send_message(bytes((INIT,)) + string(public))

    # --- what the host says
    def handle(self, kind: int, payload: bytes, number: int) -> None:
        """One message of the key exchange. Raises NotAgreed, HostKeyRefused."""
        try:
            if kind == KEXINIT and not self._remote_init and not self.is_awaiting_keys:
                if self.local_kex_init is None:  # the host wants new keys
                    self.announce()
                self._agree(payload, number)
            elif kind == REPLY and self._sent and self._remote_init:
                self._finish(Reader(payload[1:]))
            elif kind == NEWKEYS and self.is_awaiting_keys:
                self._receive_keys()
            else:
                raise NotAgreed(f"message {kind} in the middle of the key exchange")
        except Malformed as error:
            raise NotAgreed(f"malformed key exchange: {error}") from error

    def _agree(self, payload: bytes, number: int) -> None:
        agreed = _agree(payload[17:], self.method, self._check.algorithms())
        if not self.initial_kex_done:
            self.remote_kex_algorithms, self.is_strict = agreed.offered_kex, agreed.is_strict
            if self.is_strict and number != 0:
                raise NotAgreed("KEXINIT was not the first packet of a strict key exchange")
        self.host_key_type, self._ciphers, self._macs = agreed.host_key_type, agreed.ciphers, agreed.macs
        self.is_compressing = agreed.is_compressing
        self._remote_init = payload

    def _finish(self, reader: Reader) -> None:
        host_key, theirs, signature = reader.string(), reader.string(), reader.string()
        secret = self._secret(theirs)
        spoken = [self.local_version.encode(), self.remote_version.encode()]
        inits = [self.local_kex_init or b"", self._remote_init]
        hashed = b"".join(map(string, (*spoken, *inits, host_key, self._sent, theirs))) + secret
        digest = hashlib.sha256(hashed).digest()
        self.fingerprint = self._check.verify(self.host_key_type, host_key, digest, signature, self.fingerprint)
        self.session_id = self.session_id or digest
        self._derived = secret, digest
        self._sent, self._remote_init, self._curve, self._lattice = b"", b"", None, None
        self._send_keys()

    def _secret(self, theirs: bytes) -> bytes:
        """The shared secret as it is hashed: an integer, or of the hybrid method a string."""
        assert self._curve is not None  # noqa: S101 - `_sent` is set with it
        point = theirs[_MLKEM_CIPHERTEXT_BYTES:] if self._lattice else theirs
        try:
            shared = self._curve.exchange(X25519PublicKey.from_public_bytes(point))  # refuses the all-zero secret
            if not self._lattice:
                return mpint(int.from_bytes(shared, "big"))
            return string(hashlib.sha256(self._lattice.decapsulate(theirs[:_MLKEM_CIPHERTEXT_BYTES]) + shared).digest())
        except ValueError as error:
            raise NotAgreed(f"invalid public key from the host: {error}") from error

    # --- the new keys
    def _send_keys(self) -> None:
        self._packets.send_message(bytes((NEWKEYS,)))
        if self.is_strict:
            self._packets.reset_seqno_out()
        self._packets.set_outbound_cipher(**self._direction(0))
        if self.initial_kex_done:
            self._packets.pack(self.is_compressing)  # with a stream of its own
        self.is_awaiting_keys = True

    def _receive_keys(self) -> None:
        self._packets.set_inbound_cipher(**self._direction(1))
        if self.is_strict:
            self._packets.reset_seqno_in()
        self.local_kex_init, self._derived, self.is_awaiting_keys = None, (b"", b""), False
        self.initial_kex_done = True

    def _direction(self, which: int) -> dict[str, Any]:
        """The cipher to the host (0) or from it (1), as Packets takes it."""
        cipher, mac = self._ciphers[which], self._macs[which]
        key = self._key("CD"[which], _KEY_BYTES[cipher[:6]])
        if _is_aead(cipher):
            iv = self._key("AB"[which], 12)
            aead = {"block_engine": AESGCM(key), "mac_engine": None, "mac_size": 16, "mac_key": None}
            return {**aead, "block_size": _BLOCK, "aead": True, "iv_in": iv, "iv_out": iv}
        counter = Cipher(algorithms.AES(key), modes.CTR(self._key("AB"[which], _BLOCK)))
        name, size = _MAC_SIZES[mac.removesuffix("-etm@openssh.com")]
        return {
            "block_engine": counter.decryptor() if which else counter.encryptor(),
            "block_size": _BLOCK,
            "mac_engine": name,
            "mac_size": size,
            "mac_key": self._key("EF"[which], size),
            "etm": mac.endswith("-etm@openssh.com"),
        }

    def _key(self, letter: str, size: int) -> bytes:
        secret, digest = self._derived
        key = hashlib.sha256(secret + digest + letter.encode() + self.session_id).digest()
        while len(key) < size:
            key += hashlib.sha256(secret + digest + key).digest()
        return key[:size]


@lru_cache(maxsize=32)
def _offer(method: str, key_algorithms: tuple[str, ...], *, is_first: bool) -> bytes:
    """Our KEXINIT behind its cookie."""
    extras = ("ext-info-c", "kex-strict-c-v00@openssh.com") if is_first else ()
    names = (
        ",".join((*same_as(method), *extras)),
        ",".join(key_algorithms),
        *[",".join(CIPHERS)] * 2,
        *[",".join(MACS)] * 2,
        *_COMPRESSIONS,
        *[""] * 2,  # languages
    )
    return b"".join(map(string, names)) + b"\0" + uint32(0)


@lru_cache(maxsize=32)
def _agree(lists: bytes, method: str, key_algorithms: tuple[str, ...]) -> _Agreement:
    """From the host's KEXINIT behind its cookie; the hosts of a fleet say the same. Raises NotAgreed, Malformed."""
    reader = Reader(lists)
    kex, keys, ciphers_out, ciphers_in, macs_out, macs_in, packing_out, packing_in, *_languages = (
        reader.names() for _ in range(_LISTS)
    )
    reader.boolean()  # a guess of the host's would be its reply, which cannot come before our message
    _first("key exchange", same_as(method), kex)
    ciphers = _first("cipher", CIPHERS, ciphers_out), _first("cipher", CIPHERS, ciphers_in)
    _first("compression", ("none",), packing_in)
    return _Agreement(
        offered_kex=tuple(kex),
        is_strict="kex-strict-s-v00@openssh.com" in kex,
        host_key_type=_first("host key", key_algorithms, keys),
        ciphers=ciphers,
        macs=(_mac(ciphers[0], macs_out), _mac(ciphers[1], macs_in)),
        is_compressing=_first("compression", (_DELAYED_ZLIB, "none"), packing_out) == _DELAYED_ZLIB,
    )


def _mac(cipher: str, theirs: list[str]) -> str:
    return "" if _is_aead(cipher) else _first("MAC", MACS, theirs)


def _first(what: str, ours: tuple[str, ...], theirs: list[str]) -> str:
    for name in ours:
        if name in theirs:
            return name
    raise NotAgreed(f"no {what} in common")


def _is_aead(cipher: str) -> bool:
    return cipher.endswith("-gcm@openssh.com")
