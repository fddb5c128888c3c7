"""Use against its limit over the samples as a small PNG, written by hand: a bar a sample, the limit as a line at the top."""

import struct
import zlib
from collections.abc import Sequence

from triagebook.bot.slack.cards.mrkdwn import NAME, plain
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.quantities import quantity

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 220, 84, 34, 28  # pixels
MOST_WIDE, MOST_BARS = 60, 120
INK, GRID, BAR, HOT, LIMIT, PAPER = range(6)
PALETTE = ((29, 28, 29), (221, 221, 221), (54, 117, 190), (204, 60, 40), (204, 60, 40), (255, 255, 255))
FULL_FROM = 0.98
SCALE = 2
GLYPHS = {  # five columns a character, the lowest bit is the top row
    "0": "3e5149453e", "1": "00427f4000", "2": "4261514946", "3": "2141454b31", "4": "1814127f10", "5": "2745454539",
    "6": "3c4a494930", "7": "0171090503", "8": "3649494936", "9": "064949291e", "%": "2313086462", ".": "0060600000",
    "/": "2010080402", "f": "087e090102", "o": "3844444438", "K": "7f08142241", "M": "7f020c027f", "G": "3e4149497a",
    "T": "01017f0101", "i": "00447d4000", "B": "7f49494936", "-": "0808080808",
}  # fmt: skip


def picture(diagnosis: Diagnosis) -> tuple[bytes, str]:
    """The chart of a diagnosis and its text for those who cannot see it; both empty without two samples of the use."""
    course, verdict = course_of(diagnosis), diagnosis.verdict
    if not course or verdict is None or verdict.limit is None:
        return b"", ""
    limit, unit = verdict.limit, "bytes" if verdict.limit.unit == "bytes" else ""
    label = f"{quantity(course[-1][0], unit)} / {quantity(limit.value, unit)}"
    used = ", ".join(quantity(used, unit) for used, _limit in course)
    return chart_png(course, label), f"{plain(limit.name, NAME)}: {used} of {quantity(limit.value, limit.unit)}"


def course_of(diagnosis: Diagnosis) -> list[tuple[float, float]]:
    """Use and limit at each sample, where the verdict's use was read in at least two; else empty."""
    verdict = diagnosis.verdict
    if verdict is None or verdict.limit is None or verdict.usage is None:
        return []
    for entry in diagnosis.facts:
        numbers = [reading.value for reading in entry.readings if isinstance(reading.value, (int, float))]
        is_use = entry.id in verdict.evidence and entry.source == verdict.usage.source
        if is_use and len(numbers) > 1 and numbers[-1] == verdict.usage.value:
            return [(float(number), verdict.limit.value) for number in numbers]
    return []


def chart_png(course: Sequence[tuple[float, float]], label: str = "") -> bytes:
    """The picture; empty without a course. `label` keeps the characters of `GLYPHS`, such as `392 of 400`."""
    shares = [max(0.0, used / limit) for used, limit in course if limit > 0][-MOST_BARS:]
    if not shares:
        return b""
    top = max(1.0, *shares)
    rows = [bytearray([PAPER]) * WIDTH for _ in range(HEIGHT)]
    for share, text in ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")):
        y = _height(share, top)
        _box(rows, LEFT, y, WIDTH - 8, y + 1, GRID)
        _text(rows, text, LEFT - 8 - len(text) * 6 * SCALE, y - 7)
    step = min(MOST_WIDE, (WIDTH - 8 - LEFT) / len(shares))
    for number, share in enumerate(shares):
        left, right = LEFT + int(number * step) + 1, LEFT + int((number + 1) * step) - 1
        _box(rows, left, _height(share, top), max(right, left + 1), HEIGHT - BOTTOM, HOT if share >= FULL_FROM else BAR)
    limit = _height(1.0, top)
    _box(rows, LEFT, limit - 1, WIDTH - 8, limit + 1, LIMIT)
    _text(rows, label, LEFT, 8)
    return _png(rows)


def _height(share: float, top: float) -> int:
    return HEIGHT - BOTTOM - int(share / top * (HEIGHT - BOTTOM - TOP))


def _box(rows: list[bytearray], left: int, top: int, right: int, bottom: int, colour: int) -> None:
    for row in rows[max(0, top) : bottom]:
        row[left:right] = bytes([colour]) * (right - left)


def _text(rows: list[bytearray], text: str, left: int, top: int) -> None:
    for number, character in enumerate(text):
        for column, bits in enumerate(bytes.fromhex(GLYPHS.get(character, "00"))):
            for row in (row for row in range(7) if bits >> row & 1):
                x, y = left + (number * 6 + column) * SCALE, top + row * SCALE
                _box(rows, x, y, x + SCALE, y + SCALE, INK)


def _png(rows: Sequence[bytearray]) -> bytes:
    """PNG 1.2: eight bits a pixel with a palette, no filter."""
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    colours = b"".join(bytes(colour) for colour in PALETTE)
    chunks = ((b"IHDR", head), (b"PLTE", colours), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
