"""The one grammar of a destination: what a person, an inventory or an ssh_config may write for a host to log in to.

Every part is checked against a strict pattern: it can be no option of a program, and may stand in a shell command.
"""

import re

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import is_whole_number

HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:%-]*")
_PLACE = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[^:]*))?")  # not a bare IPv6 address
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+\\-]*\$?")


@dataclass(frozen=True)
class Destination:
    """A host to log in to, with the account and the port where they were written."""

    host: str
    user: str | None = None
    port: int | None = None


def parse_destination(text: str) -> Destination:
    """Read `[user@]host[:port]`, `ssh://[user@]host[:port]`, `[user@][ipv6][:port]` or a bare IPv6 address.

    Raises:
        UsageError: empty parts, a leading `-`, characters that no host or user name has.
    """
    rest = text.removeprefix("ssh://").rstrip("/") if text.startswith("ssh://") else text
    user, at, place = rest.rpartition("@")
    parts = _PLACE.fullmatch(place)
    host, port = (parts["bracketed"] or parts["host"], parts["port"]) if parts else (place, None)
    if not HOST.fullmatch(host) or (at and not USER.fullmatch(user)):
        raise UsageError(f"{text!r} is no host: write host, user@host or ssh://user@host:port")
    return Destination(host, user if at else None, parse_port(port, text) if port is not None else None)


def parse_port(text: str, where: str) -> int:
    """Read a port; `where` is what it stands in. Raises UsageError."""
    if not is_whole_number(text) or not 0 < int(text) < 65536:
        raise UsageError(f"{where}: {text!r} is no port (1 to 65535)")
    return int(text)
