"""Rotates the key that signs orders: add the new one, let both be valid for a while, then revoke the old one."""

from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.layout import Signer, public_key
from triagebook.tools.host_setup.remote import Remote


def signer_keys(remote: Remote) -> tuple[str, ...]:
    """Return the public keys in the signers file."""
    lines = remote.run("cat", layout.SIGNERS).splitlines()
    return tuple(public_key(line.split(" ", 2)[2]) for line in lines if line.count(" ") >= 3)


def add_signer(remote: Remote, signer: Signer) -> None:
    """Let one more key sign orders. Raises UsageError: the key was revoked."""
    key = public_key(signer.key)
    if key in remote.run("cat", layout.REVOKED).splitlines():
        raise UsageError("this key was revoked on this host")
    kept = [line for line in remote.run("cat", layout.SIGNERS).splitlines(keepends=True) if key not in line]
    remote.put(layout.SIGNERS, "".join((*kept, signer.line())), "644")


def revoke_signer(remote: Remote, key: str) -> None:
    """Refuse orders signed by this key from now on. Raises UsageError: no other key would be left."""
    key = public_key(key)
    if not [other for other in signer_keys(remote) if other != key]:
        raise UsageError("this is the only key: add the new one first")
    revoked = [line for line in remote.run("cat", layout.REVOKED).splitlines() if line != key]
    remote.put(layout.REVOKED, "".join(f"{line}\n" for line in (*revoked, key)), "644")  # first: it refuses at once
    kept = [line for line in remote.run("cat", layout.SIGNERS).splitlines(keepends=True) if key not in line]
    remote.put(layout.SIGNERS, "".join(kept), "644")
