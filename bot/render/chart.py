"""A course as a chart of plain characters: use against its limit over the samples."""

from collections.abc import Sequence

FULL = "#"


def chart(course: Sequence[tuple[float, float]], width: int, height: int = 8) -> list[str]:
    """`height` lines, the limit at the top (100 %), the newest sample at the right; empty without a course.

    Each column is one sample. What exceeds its limit is drawn as full.
    """
    shares = [min(1.0, max(0.0, used / limit)) for used, limit in course if limit > 0]
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
    """How much of this row's cell is in use."""
    return FULL if fill >= 0.75 else "=" if fill >= 0.5 else "-" if fill >= 0.25 else "." if fill > 0.0 else " "
