"""Holds what comes for one question: its answer in parts, and the word that none will come."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import field

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError
from triagebook.tools.sites import wire
from triagebook.tools.transport.wakeup import Wakeup

LOST, DENIED = "lost", "denied"
Came = tuple[bytes, Mapping[str, str]] | str  # a message and its headers; LOST or DENIED


@dataclass
class OpenQuestion:
    """A question under way: what came for it, from any thread, and what tells that something did."""

    site: str
    came: deque[Came] = field(default_factory=deque)
    wakeup: Wakeup = field(default_factory=Wakeup)

    def add(self, what: Came) -> None:
        """Take what came."""
        self.came.append(what)
        self.wakeup.set()

    def next(self, seconds: float) -> Came | None:
        """Return what came next; None: nothing within that time."""
        until = time.monotonic() + seconds
        while not self.came and (left_s := until - time.monotonic()) > 0:
            self.wakeup.wait(left_s)  # ends at once where it was set for what was taken meanwhile
        return self.came.popleft() if self.came else None


class AnswerParts:
    """Puts an answer together of its parts."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}

    def add(self, payload: bytes, header: str) -> bytes | None:
        """Return the whole answer once all its parts are there. Raises ParseError."""
        number, of = wire.part_of(header)
        if len(payload) > wire.MOST_PART:
            raise ParseError(f"a part of {len(payload)} bytes")
        if of == 1:
            return payload
        self._parts[number] = payload
        return b"".join(self._parts[part] for part in sorted(self._parts)) if len(self._parts) == of else None
