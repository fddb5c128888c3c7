"""What a person may write for a host: `host01`, `user@host`, `localhost`, `replay:CASE`.

A name is checked before anything is done with it: it can never be an option of a program or a path.
"""

import re
from ipaddress import ip_address
from typing import Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.ssh.destination import parse_destination

CASE = re.compile(r"replay:(?P<case>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})")
MOST_CHARACTERS = 253  # of a host, and of an account
LOCAL = ("localhost", "127.0.0.1", "::1")  # what this machine is called, by a person and in an address


@dataclass(frozen=True)
class TargetName:
    """A host as named by a person. `text` is what they wrote and what every answer calls it."""

    text: str
    kind: Literal["local", "remote", "replay"]
    host: str  # without the account; with the port, where one was written
    user: str = ""
    by: str = ""  # what ssh is told, where an inventory says another name or address
    accept: tuple[str, ...] = ()  # checks whose unknown result the inventory accepts for this host
    site: str = ""  # whose workers reach it; empty: it is reached from here

    @property
    def reach(self) -> str:
        """What the transport is told."""
        return self.by or self.text


def parse_target(text: str) -> TargetName:
    """Read the name of a host, `localhost` or a case to replay. A host is written as ssh has it, but not as a URL.

    Only a bare `localhost` is this machine; `user@localhost` goes over SSH.

    Raises:
        UsageError: anything else.
    """
    if match := CASE.fullmatch(text):
        return TargetName(text, "replay", match["case"])
    if text in LOCAL:
        return TargetName(text, "local", text)
    account, _at, place = text.rpartition("@")
    try:
        destination = parse_destination(text)
    except UsageError:
        raise _not_a_host(text) from None
    if text.startswith("ssh://") or max(len(account), len(place)) > MOST_CHARACTERS:
        raise _not_a_host(text)
    return TargetName(text, "remote", place, destination.user or "")


def _not_a_host(text: str) -> UsageError:
    return UsageError(f"{text[:80]!r} is not a host: write NAME, USER@NAME, localhost or replay:CASE", reason="host_name")


def is_loopback(host: str) -> bool:
    """Tell whether the address is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
