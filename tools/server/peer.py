"""Who is at the other end of a Unix socket: what the kernel says, and nothing the peer says.

Source: unix(7), SO_PEERCRED: the credentials of the process that called connect(2), as of that moment.
"""

import pwd
import socket
import struct
from contextlib import suppress
from pathlib import Path

from triagebook.tools.policy.identity import Account, Actor

_UCRED = struct.Struct("3i")  # pid, uid, gid
_OVERFLOW = Path("/proc/sys/kernel/overflowuid")


def peer_uid(connection: socket.socket) -> int:
    """The effective user id of the process that connected."""
    _pid, uid, _gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def actor_of(uid: int, channel: str = "cli") -> Actor:
    """The OS account of a user id. One without a name is `os:#UID`, which no policy can name.

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
