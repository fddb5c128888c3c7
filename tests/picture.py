"""Draws docs/architecture.svg: the packages in their layers, and the steps of the ways that docs/architecture.md lists.

`python -m tests.picture` (`make docs-picture`) writes it; tests/unit/test_documents.py holds that it is current.
"""

import re
from dataclasses import dataclass
from html import escape

from tests.layers import LAYERS, ROOT, arrows, room

PAGE, PICTURE = ROOT / "docs" / "architecture.md", ROOT / "docs" / "architecture.svg"
# What each package is for. A new package gets a line here, and one of `tools` its place in a column of COLUMNS.
SAYS = {
    "bot/cli": "the command line",
    "bot/render": "text for a terminal",
    "bot/slack/inbound": "requests, signatures, the inbox",
    "bot/slack/flows": "what a command or a click does: ask, propose, decide, follow",
    "bot/slack/outbound": "posts and edits, retried",
    "bot/slack/cards": "Block Kit, pure functions",
    "tools/transport": "run a command on a host",
    "tools/ssh": "the SSH wire, fenced",
    "tools/inventory": "hosts, groups, names",
    "tools/sites": "workers in other networks",
    "tools/collector": "one awk program, no fork",
    "tools/diagnosis": "one question, one answer",
    "tools/watch": "sample hosts, find trends",
    "tools/actions": "typed changes, the helper",
    "tools/host_setup": "prepare a host for fixes",
    "tools/execute": "signed order, validation",
    "tools/policy": "who may do what",
    "tools/audit": "Merkle log, checkpoints",
    "tools/store": "the database, states of a fix",
    "tools/jobs": "durable work, its workers",
    "tools/fixes": "propose, vote, apply, revert",
    "tools/sinks": "events for other systems",
    "tools/alerts": "alerts of monitoring, answered",
    "tools/faces": "what every face shares",
    "tools/server": "the approval server's socket",
    "tools/mcp_server": "tools for AI assistants",
    "runbooks/library": "read, check and prove runbooks: catalog, schema, lint, cases, coverage",
    "runbooks/probes": "what can be read on a host, and what it means: one pair of .awk and .py a kind",
    "runbooks/engine": "evaluate: facts and rules to findings, verdicts and plans",
}
COLUMNS = {
    "reach a host": ("transport", "ssh", "inventory", "sites"),
    "read it": ("collector", "diagnosis", "watch"),
    "change it": ("actions", "host_setup", "execute"),
    "decide and record": ("policy", "audit", "store", "jobs", "fixes"),
    "serve": ("sinks", "faces", "server", "alerts", "mcp_server"),
}
PARTS = {
    "bot": "faces for people: they parse and render, and decide nothing",
    "tools": "hands: reach, read, change; decide, record, serve",
    "runbooks": "knowledge: pure, without network, clock or database",
}
COLOURS = ("#0b6e4f", "#b45309", "#1d4ed8")  # of the ways, in the order of the page
INK, GREY, LINE, BAND = "#1f2933", "#66727f", "#c3cbd3", "#f3f5f7"
WIDTH, EDGE, PAD, GAP, HIGH, HEAD = 1120, 20, 16, 12, 50, 30
COLUMN = (WIDTH - 2 * EDGE - 2 * PAD - 4 * GAP) / 5


@dataclass(frozen=True)
class Way:
    """A way through the code, as the page lists it: which step is at home in which package."""

    title: str
    colour: str
    steps: tuple[tuple[int, str], ...]  # (number, package)


def ways() -> list[Way]:
    """The numbered lists of the page, a heading each."""
    found = []
    for section in PAGE.read_text().split("\n## ")[1:]:
        items = re.findall(r"^(\d+)\. ((?:.|\n   )+)", section, re.MULTILINE)
        steps = [(int(number), home) for number, text in items for home in dict.fromkeys(map(package_of, files_in(text)))]
        if steps:
            found.append(Way(section.split(":")[0].split("\n")[0], COLOURS[len(found)], tuple(steps)))
    return found


def files_in(text: str) -> list[str]:
    return re.findall(r"`((?:bot|tools|runbooks)/[a-z][\w/.]*)`", text)


def package_of(file: str) -> str:
    return next(name for name in sorted(SAYS, key=len, reverse=True) if f"{file}/".startswith(f"{name}/"))


def rows() -> dict[str, int]:
    """Package of `tools` -> row from below: above all that it imports, and above its predecessors in its column."""
    imports = {(room(source, "tools"), room(target, "tools")) for source, target in arrows()}
    found: dict[str, int] = {}
    for name in LAYERS["tools"]:
        column = next((names for names in COLUMNS.values() if name in names), ())
        if column:
            below = [found[other] for other in found if (name, other) in imports or other in column]
            found[name] = max(below, default=-1) + 1
    return found


class Drawing:
    """Lines of SVG, from top to bottom."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ways = ways()

    def text(self, x: float, y: float, words: str, size: float = 12, colour: str = INK, more: str = "") -> None:
        self.lines.append(f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size:g}" fill="{colour}"{more}>{escape(words)}</text>')

    def rectangle(self, x: float, y: float, width: float, height: float, fill: str, more: str = "") -> None:
        shape = f'x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6"'
        self.lines.append(f'<rect {shape} fill="{fill}"{more}/>')

    def box(self, package: str, x: float, y: float, width: float, name: str = "", says: str = "") -> None:
        """A package, with the steps that are at home in it."""
        self.rectangle(x, y, width, HIGH, "#ffffff", f' stroke="{LINE}"')
        self.text(x + 11, y + 20, name or package.rpartition("/")[2], 13.5, INK, ' font-weight="600"')
        self.text(x + 11, y + 38, says or SAYS[package], 11.5, GREY)
        marks = [(way.colour, number) for way in self.ways for number, home in way.steps if home == package]
        for place, (colour, number) in enumerate(reversed(marks)):
            at = x + width - 16 - 20 * place
            self.lines.append(f'<circle cx="{at:.0f}" cy="{y + 16:.0f}" r="8.5" fill="{colour}"/>')
            self.text(at, y + 20, str(number), 11, "#ffffff", ' text-anchor="middle" font-weight="600"')

    def band(self, part: str, y: float, height: float) -> float:
        """The ground of a part of the product; the y below its title."""
        self.rectangle(EDGE, y, WIDTH - 2 * EDGE, height, BAND)
        self.text(EDGE + PAD, y + 23, f"{part}/", 15, INK, ' font-weight="700"')
        self.text(EDGE + PAD + 9 * len(part) + 20, y + 23, PARTS[part], 12.5, GREY)
        return y + HEAD + 6

    def arrow(self, y: float) -> None:
        """From one part down to the next."""
        middle = WIDTH / 2
        self.lines.append(f'<path d="M {middle:.0f} {y + 5:.0f} v 14" stroke="{GREY}" stroke-width="2"/>')
        self.lines.append(f'<path d="m {middle - 6:.0f} {y + 18:.0f} h 12 l -6 8 z" fill="{GREY}"/>')
        self.text(middle + 14, y + 20, "imports", 11.5, GREY)


def left(column: float) -> float:
    return EDGE + PAD + column * (COLUMN + GAP)


def wide(columns: int) -> float:
    return columns * COLUMN + (columns - 1) * GAP


def picture() -> str:
    """The whole picture as SVG."""
    drawing = Drawing()
    y = legend(drawing)
    for draw in (draw_bot, draw_tools, draw_runbooks):
        if draw is not draw_bot:
            drawing.arrow(y)
            y += 32
        y = draw(drawing, y)
    height = y + EDGE
    frame = f'viewBox="0 0 {WIDTH} {height:.0f}" font-family="DejaVu Sans, Verdana, sans-serif"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {frame}>'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>', *drawing.lines, "</svg>"]) + "\n"


def legend(drawing: Drawing) -> float:
    x = float(EDGE)
    drawing.text(x, 32, "Follow the numbers:", 12.5, GREY)
    x += 150
    for way in drawing.ways:
        drawing.lines.append(f'<circle cx="{x + 8:.0f}" cy="28" r="8.5" fill="{way.colour}"/>')
        drawing.text(x + 8, 32, "1", 11, "#ffffff", ' text-anchor="middle" font-weight="600"')
        drawing.text(x + 23, 32, way.title, 12.5, INK, ' font-weight="600"')
        x += 56 + 8 * len(way.title)
    drawing.text(WIDTH - EDGE, 32, "A box imports only boxes below it.", 12.5, GREY, ' text-anchor="end"')
    return 50


def draw_bot(drawing: Drawing, y: float) -> float:
    """The faces at the left; Slack, which has rooms of its own, beside them."""
    height = HEAD + 3 * (HIGH + GAP) + 40
    top = drawing.band("bot", y, height)
    faces = [name for name in LAYERS["bot"] if name != "slack"]
    for number, name in enumerate(reversed(faces)):
        drawing.box(f"bot/{name}", left(0), top + 28 + number * (HIGH + GAP) * 2 / max(1, len(faces) - 1), COLUMN)
    drawing.rectangle(left(1), top - 4, wide(4), height - HEAD - 14, "none", f' stroke="{LINE}"')
    drawing.text(left(1) + 12, top + 16, "slack", 13.5, INK, ' font-weight="600"')
    rooms = LAYERS["bot/slack"]
    inside, x = wide(4) - 24, left(1) + 12
    modules = rooms[rooms.index("flows") + 1 :]
    drawing.box(
        "bot/slack", x, top + 28, inside, " · ".join(reversed(modules)), "start and connect; the app's manifest; check the tokens"
    )
    drawing.box("bot/slack/flows", x, top + 28 + HIGH + GAP, inside)
    third = (inside - 2 * GAP) / 3
    for number, name in enumerate(("inbound", "cards", "outbound")):
        drawing.box(f"bot/slack/{name}", x + number * (third + GAP), top + 28 + 2 * (HIGH + GAP), third)
    return y + height


def draw_tools(drawing: Drawing, y: float) -> float:
    place, crafts = rows(), [name for name in LAYERS["tools"] if f"tools/{name}" not in SAYS]
    highest = max(place.values())
    height = HEAD + 28 + (highest + 1) * (HIGH + GAP) + 44
    top = drawing.band("tools", y, height)
    for number, (title, names) in enumerate(COLUMNS.items()):
        drawing.text(left(number) + 11, top + 12, title, 12, GREY, ' font-style="italic"')
        for name in names:
            drawing.box(f"tools/{name}", left(number), top + 22 + (highest - place[name]) * (HIGH + GAP), COLUMN)
    low = top + 22 + (highest + 1) * (HIGH + GAP)
    drawing.rectangle(left(0), low, wide(5), 32, "#ffffff", f' stroke="{LINE}" stroke-dasharray="4 3"')
    drawing.text(left(0) + 11, low + 20, f"modules that all may use:  {' · '.join(crafts)}", 12, GREY)
    return y + height


def draw_runbooks(drawing: Drawing, y: float) -> float:
    height = HEAD + 3 * (HIGH + GAP) + 10
    top = drawing.band("runbooks", y, height)
    drawing.rectangle(left(0), top, COLUMN, 3 * HIGH + 2 * GAP, "#ffffff", f' stroke="{LINE}" stroke-dasharray="4 3"')
    for number, words in enumerate(
        ("ID/VERSION/", "runbook.yaml", "cases/*.yaml", "", "a folder a version,", "never changed once", "it is released")
    ):
        weight = ' font-weight="600"' if not number else ""
        drawing.text(left(0) + 11, top + 24 + 20 * number, words, 13.5 if not number else 12, GREY if number > 2 else INK, weight)
    for number, name in enumerate(reversed(LAYERS["runbooks"])):
        drawing.box(f"runbooks/{name}", left(1), top + number * (HIGH + GAP), wide(4))
    return y + height


if __name__ == "__main__":
    PICTURE.write_text(picture())
