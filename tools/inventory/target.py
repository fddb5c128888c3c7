"""What a person may write for a host: `host01`, `user@host`, `localhost`, `replay:CASE`.

A name is checked before anything is done with it: it can never be an option of a program or a path.
"""

import re
from typing import Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError

_HOST = re.compile(r"^(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})@)?(?P<host>[A-Za-z0-9_\[][A-Za-z0-9_.:%\[\]-]{0,252})$")
_CASE = re.compile(r"^replay:(?P<case>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})$")
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class TargetName:
    """A host as named by a person. `text` is what they wrote and what every answer calls it."""

    text: str
    kind: Literal["local", "remote", "replay"]
    host: str
    user: str = ""
    by: str = ""  # what ssh is told, where an inventory says another name or address

    @property
    def reach(self) -> str:
        """What the transport is told."""
        return self.by or self.text


def parse_target(text: str) -> TargetName:
    """Raises UsageError on anything that is not a host name, an address, or a case to replay.

    Only a bare `localhost` is this machine; `user@localhost` goes over SSH.
    """
    if match := _CASE.match(text):
        return TargetName(text, "replay", match["case"])
    match = _HOST.match(text)
    if match is None:
        raise UsageError(f"{text[:80]!r} is not a host: write NAME, USER@NAME, localhost or replay:CASE", reason="host_name")
    if text in LOCAL:
        return TargetName(text, "local", text)
    return TargetName(text, "remote", match["host"], match["user"] or "")
