"""Reads of a leaf only what a verifier compares, at a third of the price of reading all of it.

A leaf that this server sealed is what `event.leaf_of` wrote, byte for byte, so that its members stand in one order and need
not be checked one by one. A log of a million rows is verified in half a minute by this, and in a minute without it (Python 3.11).
"""

import re
from typing import NamedTuple

from triagebook.tools.times import parse_rfc3339, to_micros


class Outline(NamedTuple):
    """Says where a leaf stands by itself, and what its search columns repeat, in the order of `SearchColumns`."""

    row: int
    previous: bytes
    fix: str
    copied: tuple[int, str, str, str, str]


_TEXT = r'"[^"\\]*"'  # without an escape: then every quote is the beginning or the end of a text
_MEMBERS = {
    "account": _TEXT,
    "action": r'"(?P<action>[^"\\]*)"',
    "at": r'"(?P<at>[^"\\]*)"',
    "channel": _TEXT,
    "detail": rf"\{{(?:{_TEXT}:{_TEXT},?)*+\}}",
    "fix": r'"(?P<fix>[^"\\]*)"',
    "host": r'"(?P<host>[^"\\]*)"',
    "index": "(?P<index>[0-9]+)",
    "outcome": _TEXT,
    "person": r'"(?P<person>[^"\\]*)"',
    "plan_digest": _TEXT,
    "previous": '"(?P<previous>[0-9a-f]*)"',
    **dict.fromkeys(("reason", "runbook", "runbook_digest", "schema", "seal", "service", "severity"), _TEXT),
}
_LEAF = re.compile(r"\{" + ",".join(f'"{name}":{value}' for name, value in _MEMBERS.items()) + r"\}")


def read_outline(leaf: bytes) -> Outline | None:
    """Return the outline of a sealed leaf. None: `decode` must read it, because a text of it has an escape, or it is odd."""
    try:
        found = _LEAF.fullmatch(leaf.decode())
        if found is None:
            return None
        action, at, fix, host, index, person, previous = found.groups()
        copied = to_micros(parse_rfc3339(at, "microseconds")), action, host, fix, person
        return Outline(int(index), bytes.fromhex(previous), fix, copied)
    except ValueError:
        return None
