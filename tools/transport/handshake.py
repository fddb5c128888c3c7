"""Key exchange by paramiko's Transport, used as a library of kex methods, key derivation and ciphers.

The one module that uses paramiko's underscore methods (hence the pinned range 5.1): `_send_kex_init`,
`_parse_kex_init`, `_parse_newkeys`, `_verify_key`, `_expect_packet`, and the tables `_preferred_*` and `_kex_info`.
Transport.run, its thread, its channels and its authentication are not used: `connection.py` drives the packets.
"""

from typing import Any

from triagebook.tools.transport import light_paramiko
from triagebook.tools.transport.certificates import parse
from triagebook.tools.transport.faults import BadPacket, HostKeyRefused, NotAgreed
from triagebook.tools.transport.host_keys import HostKeyCheck
from triagebook.tools.transport.packets import Packets
from triagebook.tools.transport.public_keys import CERT_SUFFIX, is_signed_by
from triagebook.tools.transport.wire import Malformed, Reader

paramiko = light_paramiko.load()
_Transport: Any = paramiko.Transport

KEXINIT, NEWKEYS = 20, 21
KEX_MESSAGES = range(30, 42)
CURVE25519 = "curve25519-sha256"
MLKEM = "mlkem768x25519-sha256"
_SAME_AS = {CURVE25519: (CURVE25519, "curve25519-sha256@libssh.org")}  # two names of one method (RFC 8731)

# Elliptic first: finite-field groups cost 20 to 70 ms of Python.
_KEX = (
    MLKEM,
    CURVE25519,
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
)
# The length of a packet is in clear, and one call of the C library does the whole packet.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
)


class _NoSocket:
    """What paramiko's constructor asks of a socket."""

    def settimeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


class Handshake(_Transport):  # type: ignore[misc]
    """The keys of one connection. `eager` names the one key exchange to send before the host has said a word."""

    # set by paramiko's methods
    kex_engine: Any
    local_kex_init: bytes | None
    remote_kex_init: bytes | None
    session_id: bytes
    initial_kex_done: bool
    agreed_on_strict_kex: bool
    host_key_type: str
    remote_version: str
    _expected_packet: tuple[int, ...]
    _kex_info: dict[str, Any]
    H: bytes

    def __init__(self, packets: Packets, check: HostKeyCheck, eager: str | None) -> None:
        super().__init__(_NoSocket(), packetizer_class=lambda _socket: packets)
        self._check = check
        self._ahead: Any = None
        self.fingerprint = ""
        self.remote_kex_algorithms: tuple[str, ...] = ()
        known = {**self._kex_info, CURVE25519: self._kex_info[_SAME_AS[CURVE25519][1]]}
        self._kex_info = known
        names = _SAME_AS.get(eager, (eager,)) if eager else tuple(name for name in _KEX if name in known)
        self._preferred_kex = names
        self._preferred_keys = check.algorithms()
        self._preferred_pubkeys = ()
        self._preferred_ciphers, self._preferred_macs = _CIPHERS, _MACS
        self._eager = eager

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Without paramiko's own addition of certificate types for each key type."""
        return tuple(self._preferred_keys)

    def identify(self) -> None:
        """Queue our identification line."""
        self.packetizer.write_all(f"{self.local_version}\r\n".encode())

    def announce(self) -> None:
        """Queue KEXINIT, and with an eager exchange its first message."""
        self._send_kex_init()
        if self._eager:
            self._ahead = self._kex_info[self._eager](self)
            self._ahead.start_kex()  # expects the reply; KEXINIT of the host is handled before that

    def handle(self, kind: int, payload: bytes, number: int) -> None:
        """One message of the key exchange. Raises NotAgreed, HostKeyRefused."""
        try:
            self._handle(kind, payload, number)
        except (HostKeyRefused, NotAgreed, BadPacket):
            raise
        except paramiko.SSHException as error:
            raise NotAgreed(str(error)) from error
        except (ValueError, KeyError, IndexError, TypeError, OverflowError, UnicodeError) as error:  # hostile bytes
            raise NotAgreed(f"malformed key exchange: {error}") from error

    def _handle(self, kind: int, payload: bytes, number: int) -> None:
        packed = paramiko.message.Message(payload[1:])
        packed.seqno = number
        if kind == KEXINIT and self.remote_kex_init is None:
            if self.local_kex_init is None:  # the host wants new keys
                self._send_kex_init()
            self._learn_kex(payload)
            self._parse_kex_init(packed)
            if self._ahead is None:
                self.kex_engine.start_kex()
            else:
                self.kex_engine, self._ahead = self._ahead, None
        elif kind == NEWKEYS and self._expected_packet == (NEWKEYS,):
            self._expected_packet = ()
            self._parse_newkeys(packed)
        elif kind in KEX_MESSAGES and kind in self._expected_packet and self.kex_engine is not None:
            self._expected_packet = ()
            self.kex_engine.parse_next(kind, packed)
        else:
            raise NotAgreed(f"message {kind} in the middle of the key exchange")

    @property
    def is_eager(self) -> bool:
        """The one key exchange offered is sent before the host has said a word."""
        return self._eager is not None

    def best_kex(self) -> str:
        """The method to send ahead next time: post-quantum where the host has it. Empty where it has neither."""
        offered = self.remote_kex_algorithms
        return next((name for name in (MLKEM, CURVE25519) if any(same in offered for same in _SAME_AS.get(name, (name,)))), "")

    @property
    def is_running(self) -> bool:
        """Between our KEXINIT and the host's NEWKEYS."""
        return self.local_kex_init is not None

    @property
    def is_renewing(self) -> bool:
        """The host has asked for new keys, and they are not agreed yet."""
        return self.is_running and self.initial_kex_done

    @property
    def are_keys_ours(self) -> bool:
        """Our NEWKEYS is queued: what is sent from here on is encrypted for the verified host."""
        return bool(self._expected_packet == (NEWKEYS,)) or self.initial_kex_done

    @property
    def is_strict(self) -> bool:
        return bool(self.agreed_on_strict_kex)

    def _learn_kex(self, payload: bytes) -> None:
        self.remote_kex_algorithms = tuple(Reader(payload[17:]).names())

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        """Called by every kex method, after the exchange hash is known and before our NEWKEYS is queued."""
        try:
            fingerprint = self._check.judge(host_key)
            signing = host_key
            if self.host_key_type.endswith(CERT_SUFFIX):
                signing = parse(host_key).key
        except Malformed as error:
            raise NotAgreed(f"malformed host key: {error}") from error
        if self.fingerprint not in ("", fingerprint):
            raise HostKeyRefused("the host changed its key during the session")
        if not is_signed_by(signing, self.host_key_type.removesuffix(CERT_SUFFIX), self.H, sig):
            raise HostKeyRefused("the host does not own the key it shows: its signature is wrong")
        self.fingerprint = fingerprint

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Nothing is logged: what matters is in the result."""
