"""Key exchange in the stock order by paramiko's Transport, used as a library of kex methods, key derivation and ciphers.

The one module that uses paramiko's underscore methods (hence the pinned range 5.1): `_send_kex_init`,
`_parse_kex_init`, `_parse_newkeys`, `_verify_key`, `_expect_packet`, and the tables `_preferred_*` and `_kex_info`.
Transport.run, its thread, its channels and its authentication are not used: `connection.py` drives the packets.
"""

from typing import Any

import paramiko
from triagebook.tools.ssh.algorithms import CIPHERS, CURVE25519, KEX, KEX_MESSAGES, KEXINIT, MACS, NEWKEYS, SAME_AS
from triagebook.tools.ssh.failures import BadPacket, HostKeyRefused, NotAgreed
from triagebook.tools.ssh.host_keys import HostKeyCheck
from triagebook.tools.ssh.key_state import KeyExchange
from triagebook.tools.ssh.packets import Packets
from triagebook.tools.ssh.wire import Reader

_Transport: Any = paramiko.Transport  # its types do not tell the underscore methods


class _NoSocket:
    """What paramiko's constructor asks of a socket."""

    def settimeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


class StockKeyExchange(KeyExchange, _Transport):  # type: ignore[misc]
    """Any method that paramiko knows, each step after the answer to the one before."""

    is_eager = False
    is_compressing = False

    # set by paramiko's methods
    kex_engine: Any
    remote_kex_init: bytes | None
    agreed_on_strict_kex: bool
    host_key_type: str
    _expected_packet: tuple[int, ...]
    _kex_info: dict[str, Any]
    H: bytes

    def __init__(self, packets: Packets, check: HostKeyCheck) -> None:
        super().__init__(_NoSocket(), packetizer_class=lambda _socket: packets)
        self._check = check
        self.fingerprint = ""
        self.remote_kex_algorithms = ()
        self.is_awaiting_keys = self.is_strict = False
        self._kex_info = {**self._kex_info, CURVE25519: self._kex_info[SAME_AS[CURVE25519][1]]}
        self._preferred_kex = tuple(name for name in KEX if name in self._kex_info)
        self._preferred_keys = check.algorithms()
        self._preferred_pubkeys = ()
        self._preferred_ciphers, self._preferred_macs = CIPHERS, MACS

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Without paramiko's own addition of certificate types for each key type."""
        return tuple(self._preferred_keys)

    def identify(self) -> None:
        """Queue our identification line."""
        self.packetizer.write_all(f"{self.local_version}\r\n".encode())

    def announce(self) -> None:
        """Queue KEXINIT."""
        self._send_kex_init()

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
            self.kex_engine.start_kex()
        elif kind == NEWKEYS and self._expected_packet == (NEWKEYS,):
            self._expected_packet = ()
            self._parse_newkeys(packed)
        elif kind in KEX_MESSAGES and kind in self._expected_packet and self.kex_engine is not None:
            self._expected_packet = ()
            self.kex_engine.parse_next(kind, packed)
        else:
            raise NotAgreed(f"message {kind} in the middle of the key exchange")
        self.is_awaiting_keys = self._expected_packet == (NEWKEYS,)
        self.is_strict = bool(self.agreed_on_strict_kex)

    def _learn_kex(self, payload: bytes) -> None:
        self.remote_kex_algorithms = tuple(Reader(payload[17:]).names())

    def _verify_key(self, host_key: bytes, sig: bytes) -> None:
        """Called by every kex method, after the exchange hash is known and before our NEWKEYS is queued."""
        self.fingerprint = self._check.verify(self.host_key_type, host_key, self.H, sig, self.fingerprint)

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Nothing is logged: what matters is in the result."""
