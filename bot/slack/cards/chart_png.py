"""Draws use against its limit over the samples as a small picture: a bar a sample, the limit as a red line.

The paper is opaque and has a border, so that the picture reads the same in Slack's light and dark theme. It is drawn by
Pillow (extra `slack`); without it there is no picture, and the caller shows the chart of plain characters.
"""

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO

from triagebook.bot.render.chart import is_full, shares_of
from triagebook.bot.slack.cards.mrkdwn import NAME, plain
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.quantities import quantity
from triagebook.tools.log import log_event

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 360, 110, 24, 76, 48  # pixels
MOST_WIDE, MOST_BARS = 96, 120
TITLE_SIZE, TEXT_SIZE = 26, 20
GAP = 40  # pixels between the limit's name and its use
PAPER, EDGE, INK, GREY, GRID, BAR, HOT = "#ffffff", "#b5b5b5", "#1d1c1d", "#616061", "#dddddd", "#3675be", "#cc3c28"


@dataclass(frozen=True)
class UseCourse:
    """What the picture shows: use and limit at each sample, the limit's name, the newest use of it in words, and all in a line."""

    points: tuple[tuple[float, float], ...]
    name: str
    newest: str
    says: str


def use_course(diagnosis: Diagnosis) -> UseCourse | None:
    """The use of the verdict's limit, where it was read in at least two samples."""
    points, verdict = course_of(diagnosis), diagnosis.verdict
    if not points or verdict is None or verdict.limit is None:
        return None
    limit, unit = verdict.limit, "bytes" if verdict.limit.unit == "bytes" else ""
    name, used = plain(limit.name, NAME), [quantity(used, unit) for used, _limit in points]
    all_of_it = quantity(limit.value, limit.unit)
    return UseCourse(tuple(points), name, f"{used[-1]} of {all_of_it}", f"{name}: {', '.join(used)} of {all_of_it}")


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


def chart_png(course: Sequence[tuple[float, float]], name: str = "", newest: str = "") -> bytes:
    """The picture; empty without a course, and without Pillow."""
    shares = shares_of(course)[-MOST_BARS:]
    if not shares or not has_pillow():
        return b""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - the extra `slack`

    top = max(1.0, *shares)
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, WIDTH - 1, HEIGHT - 1), outline=EDGE, width=2)
    text, title = ImageFont.load_default(TEXT_SIZE), ImageFont.load_default(TITLE_SIZE)
    for share in (0.0, 0.5, 1.0):
        y = height_of(share, top)
        draw.line((LEFT, y, WIDTH - RIGHT, y), fill=GRID, width=2)
        draw.text((LEFT - 14, y), f"{share * 100:.0f} %", fill=GREY, font=text, anchor="rm")
    step = min(MOST_WIDE, (WIDTH - RIGHT - LEFT) / len(shares))
    for number, share in enumerate(shares):
        left, right = LEFT + int(number * step) + 2, LEFT + int((number + 1) * step) - 2
        box = (left, min(height_of(share, top), HEIGHT - BOTTOM), max(right, left), HEIGHT - BOTTOM)
        draw.rectangle(box, fill=HOT if is_full(share) else BAR)
    limit = height_of(1.0, top)
    draw.line((LEFT, limit, WIDTH - RIGHT, limit), fill=HOT, width=4)
    room = WIDTH - RIGHT - LEFT - title.getlength(newest) - GAP
    draw.text((LEFT, 24), _shorten(name, lambda text: title.getlength(text) <= room), fill=INK, font=title, anchor="lt")
    draw.text((WIDTH - RIGHT, 24), newest, fill=INK, font=title, anchor="rt")
    draw.text((LEFT, HEIGHT - 18), f"{len(shares)} samples, the newest at the right", fill=GREY, font=text, anchor="lb")
    content = BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()


def _shorten(text: str, fits: Callable[[str], bool]) -> str:
    """As much of a text as fits, with an ellipsis where it was cut."""
    if fits(text):
        return text
    return next((cut for end in range(min(len(text), 120), 0, -1) if fits(cut := text[:end].rstrip() + "…")), "")


def height_of(share: float, top: float) -> int:
    """The y of a share of the limit, where `top` is the highest one drawn."""
    return HEIGHT - BOTTOM - int(share / top * (HEIGHT - BOTTOM - TOP))


@cache
def has_pillow() -> bool:
    """Whether pictures can be drawn; if not, the log says once what is missing."""
    if importlib.util.find_spec("PIL") is None:
        log_event("slack.no_picture", missing="Pillow", needs="triagebook[slack]")
        return False
    return True
