"""What is offered to a host, in our order of preference, for both ways of key exchange."""

from functools import lru_cache

KEXINIT, NEWKEYS = 20, 21
KEX_MESSAGES = range(30, 42)
CURVE25519 = "curve25519-sha256"
MLKEM = "mlkem768x25519-sha256"
SAME_AS = {CURVE25519: (CURVE25519, "curve25519-sha256@libssh.org")}  # two names of one method (RFC 8731)

# Elliptic first: finite-field groups cost 20 to 70 ms of Python.
KEX = (
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
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
)


def same_as(kex: str) -> tuple[str, ...]:
    """All names of one key exchange method."""
    return SAME_AS.get(kex, (kex,))


@lru_cache(maxsize=32)
def best_eager(offered: tuple[str, ...]) -> str:
    """The method to send ahead next time: post-quantum where the host has it. Empty where it has neither."""
    return next((name for name in (MLKEM, CURVE25519) if any(same in offered for same in same_as(name))), "")
