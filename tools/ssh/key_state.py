"""How far the key exchange of a connection has got: what both implementations tell the connection in the same words.

`key_exchange.py` sends its first message ahead and offers one method; `handshake.py` is paramiko's, in the stock order.
"""

from triagebook.tools.ssh.algorithms import best_eager


class KeyExchange:
    """The keys of one connection. A subclass sets the attributes, and writes to the connection's Packets."""

    is_eager: bool  # the first message follows our KEXINIT without waiting
    is_compressing: bool  # what we send, once the login is done
    is_awaiting_keys: bool  # our NEWKEYS is queued, the host's has not come
    is_strict: bool
    initial_kex_done: bool
    local_kex_init: bytes | None  # from our KEXINIT to the host's NEWKEYS
    session_id: bytes
    remote_version: str
    remote_kex_algorithms: tuple[str, ...]
    fingerprint: str  # of the host's key, once it is verified

    def identify(self) -> None:
        """Queue our identification line."""
        raise NotImplementedError

    def announce(self) -> None:
        """Queue KEXINIT."""
        raise NotImplementedError

    def handle(self, kind: int, payload: bytes, number: int) -> None:
        """Handle one message of the key exchange; `number` is its sequence number. Raises NotAgreed, HostKeyRefused."""
        raise NotImplementedError

    def best_kex(self) -> str:
        """Which method to send ahead next time; empty where the host has none of them."""
        return best_eager(self.remote_kex_algorithms)

    @property
    def is_running(self) -> bool:
        """We are between our KEXINIT and the host's NEWKEYS."""
        return self.local_kex_init is not None

    @property
    def is_renewing(self) -> bool:
        """The host has asked for new keys, and they are not agreed yet."""
        return self.is_running and self.initial_kex_done

    @property
    def are_keys_ours(self) -> bool:
        """Our NEWKEYS is queued: what is sent from here on is encrypted for the verified host."""
        return self.is_awaiting_keys or self.initial_kex_done
