"""Holds the paths on a prepared host and the text of each file. The helper's own constants are the same."""

from collections.abc import Sequence
from datetime import UTC, datetime

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions.orders import FORMAT, SIGNER

HELPER = "/opt/triagebook/helper"
COLLECTOR = "/opt/triagebook/collector"
PROGRAMS = "/opt/triagebook"
CONFIG = "/etc/triagebook"
KEYS = "/etc/triagebook/keys"
SIGNERS = "/etc/triagebook/signers"
REVOKED = "/etc/triagebook/revoked"
TARGET = "/etc/triagebook/target"
STATE = "/var/lib/triagebook"
JOURNAL = "/var/lib/triagebook/journal"
SUDOERS = "/etc/sudoers.d/triagebook"
SSHD = "/etc/ssh/sshd_config.d/00-triagebook.conf"
DIAGNOSER = "triagebook"  # may log in and read; no sudo
FIXER = "triagebook-fix"  # may run the helper and nothing else

# `""` forbids every argument (sudoers(5)).
SUDOERS_TEXT = f"""Defaults:{FIXER} env_reset, !requiretty, !lecture
{FIXER} ALL=(root) NOPASSWD: {HELPER} ""
"""
# The keys lie outside the accounts' home, root's own: an account cannot give itself another way in.
SSHD_TEXT = f"""Match User {FIXER}
    AuthorizedKeysFile {KEYS}/%u
    AuthenticationMethods publickey
    ForceCommand sudo -n {HELPER}
    PermitTTY no
    DisableForwarding yes
    PermitUserRC no
Match User {DIAGNOSER}
    AuthorizedKeysFile {KEYS}/%u
    AuthenticationMethods publickey
    PermitTTY no
    DisableForwarding yes
    PermitUserRC no
Match all
"""


@dataclass(frozen=True)
class Signer:
    """A public key that may sign orders for this host, until a time."""

    key: str  # "ssh-ed25519 AAAA..."
    until: datetime

    def line(self) -> str:
        """Return its line of the signers file, in the one form that the helper accepts."""
        until = self.until.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
        return f'{SIGNER} namespaces="{FORMAT}",valid-before="{until}" {public_key(self.key)}\n'


def public_key(key: str) -> str:
    """Return type and body of an Ed25519 public key, without its comment. Raises UsageError: not such a key."""
    parts = key.split()
    if len(parts) < 2 or parts[0] != "ssh-ed25519" or not parts[1].startswith("AAAA") or not parts[1].isascii():
        raise UsageError(f"not an Ed25519 public key: {key[:60]!r}")
    if any(not (letter.isalnum() or letter in "+/=") for letter in parts[1]):
        raise UsageError(f"not an Ed25519 public key: {key[:60]!r}")
    return f"{parts[0]} {parts[1]}"


def signers_text(signers: Sequence[Signer]) -> str:
    """Return the text of the signers file."""
    return "".join(signer.line() for signer in signers)


def target_text(target: str, machine_id: str, product_id: str) -> str:
    """Return the text of the target file: a random id for this host, tied to the machine it was made on."""
    return f"target={target}\nmachine={machine_id}\nproduct={product_id or 'none'}\n"


def fixer_key_text(key: str) -> str:
    """Return the line of the fixing account's one key, which starts the helper for every request (sshd(8), restrict)."""
    return f'restrict,command="sudo -n {HELPER}" {public_key(key)}\n'


def diagnoser_key_text(key: str, *, is_collector_installed: bool) -> str:
    """Return the line of the diagnosing account's key. If the collector is installed, the key starts it for every request."""
    forced = f'restrict,command="{COLLECTOR}"' if is_collector_installed else "restrict"
    return f"{forced} {public_key(key)}\n"
