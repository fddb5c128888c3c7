"""Reads how the kernel writes addresses of sockets, ranges of ports and lists of CPUs."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.probes.reading import NOT_READABLE, minus

_ADDRESS = re.compile(r"((?:[0-9A-Fa-f]{8}){1}|(?:[0-9A-Fa-f]{8}){4}):([0-9A-Fa-f]{4})")
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def address_of(text: str) -> str:
    """Return `127.0.0.1:9004` for `0100007F:232C`: 32-bit words of a little-endian host, the port as it is."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return "?"
    raw = b"".join(bytes.fromhex(found[1][at : at + 8])[::-1] for at in range(0, len(found[1]), 8))
    port = int(found[2], 16)
    return f"{IPv4Address(raw)}:{port}" if len(raw) == 4 else f"[{IPv6Address(raw)}]:{port}"


def ranges_of(text: str) -> list[tuple[int, int]] | None:
    """Return the ranges of a list such as `0-3,5`; None when it is none. An empty text has none."""
    found = [_RANGE.fullmatch(part) for part in text.split(",")] if text else []
    return None if None in found else [(int(part[1]), int(part[2] or part[1])) for part in found if part]


def cpus_of(value: str | Unreadable | None) -> int | Unreadable:
    """Return how many CPUs a list such as `0-3,5` names."""
    ranges = ranges_of(value) if isinstance(value, str) else None
    if not ranges:
        return value if isinstance(value, Unreadable) else NOT_READABLE
    return sum(last - first + 1 for first, last in ranges)


def ports_in(bounds: Sequence[int | Unreadable], reserved: str | Unreadable | None) -> int | Unreadable:
    """Return how many local ports the kernel gives out: those from the first to the last bound, less the reserved ones."""
    low, high = bounds
    kept = ranges_of(reserved) if isinstance(reserved, str) else []
    total = minus(high, low)
    if isinstance(total, Unreadable) or isinstance(low, Unreadable) or isinstance(high, Unreadable):
        return total if isinstance(total, Unreadable) else NOT_READABLE
    taken = sum(max(0, min(last, high) - max(first, low) + 1) for first, last in kept or [])
    return total + 1 - taken
