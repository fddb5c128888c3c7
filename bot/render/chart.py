"""Draws use against its limit: a gauge, a chart of plain characters over the samples, and the scale that pictures share."""

from collections.abc import Sequence

FULL = "#"
FULL_FROM = 0.98  # of the limit


def shares_of(course: Sequence[tuple[float, float]]) -> list[float]:
    """Return use as a share of its limit at each sample, never below 0; a sample without a limit is left out."""
    return [max(0.0, used / limit) for used, limit in course if limit > 0]


def is_full(share: float) -> bool:
    """Tell whether a share is so near the limit that it is shown as reached."""
    return share >= FULL_FROM


def gauge(used: float | None, limit: float, cells: int, symbols: str) -> tuple[str, str]:
    """Return the used and the free part of a bar of `cells` characters, such as ("###", "---"); both empty without a use.

    It is full only where the limit is reached, and never more than full.
    """
    shares = shares_of([(used, limit)]) if used is not None else []
    if not shares:
        return "", ""
    filled = min(cells, int(shares[0] * cells))
    return symbols[0] * filled, symbols[1] * (cells - filled)


def chart(course: Sequence[tuple[float, float]], width: int, height: int = 8) -> list[str]:
    """Return `height` lines, with the limit at the top (100 %) and the newest sample at the right; empty without samples.

    Each column is one sample. What exceeds its limit is drawn as full.
    """
    shares = [min(1.0, share) for share in shares_of(course)]
    room = max(1, width - 7)
    if not shares or height < 1:
        return []
    shown = shares[-room:]
    lines = []
    for row in range(height, 0, -1):
        label = {height: "100 %", (height + 1) // 2: " 50 %", 1: "  0 %"}.get(row, "     ")
        columns = "".join(_cell(share * height - (row - 1)) for share in shown)
        lines.append(f"{label} |{columns}".rstrip())
    return lines


def _cell(fill: float) -> str:
    """Return the character that shows how much of a cell is in use."""
    return FULL if fill >= 0.75 else "=" if fill >= 0.5 else "-" if fill >= 0.25 else "." if fill > 0.0 else " "
