"""Names the account at the other end of the Unix socket, as the kernel reports it and not as the peer claims."""

import pwd
from contextlib import suppress
from pathlib import Path

from triagebook.tools.policy.identity import Account, Actor

_OVERFLOW = Path("/proc/sys/kernel/overflowuid")


def actor_of(uid: int, channel: str = "cli") -> Actor:
    """Return the OS account of a user id. One without a name is `os:#UID`, which no policy can name.

    So is the kernel's stand-in for every user id that a user namespace does not map (user_namespaces(7)).
    """
    name = f"#{uid}"
    if uid != _overflow_uid():
        with suppress(KeyError):
            name = pwd.getpwuid(uid).pw_name
    return Actor(Account("os", "", name), channel)


def _overflow_uid() -> int:
    try:
        return int(_OVERFLOW.read_text())
    except (OSError, ValueError):
        return 65534
