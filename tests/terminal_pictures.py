"""The pictures of a terminal in docs/images: what the command prints to a real one, drawn by rich. `make pictures` writes them."""

import io
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.golden import CASES, Terminal, diagnosis

IMAGES = Path(__file__).parents[1] / "docs" / "images"
COLUMNS = 86
# As rich has it, without the fonts that it would fetch from elsewhere.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: "DejaVu Sans", Verdana, sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def pictures() -> dict[str, str]:
    """Return file name -> SVG."""
    with tempfile.TemporaryDirectory() as home:
        printed = diagnosis(Terminal(COLUMNS, 50), home, f"replay:{CASES[0]}")
    shown = f"$ triagebook diagnose web01\n{printed}".replace(f"replay:{CASES[0]}", "web01")
    return {"terminal-diagnosis.svg": draw(shown, "triagebook diagnose")}


def draw(text: str, title: str) -> str:
    """Return text with colours as a picture of a terminal."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard", legacy_windows=False
    )
    console.print(Text.from_ansi(text), soft_wrap=True)
    return console.export_svg(title=title, code_format=FORMAT, unique_id="terminal") + "\n"


if __name__ == "__main__":
    for name, svg in pictures().items():
        (IMAGES / name).write_text(svg)
        sys.stdout.write(f"docs/images/{name}\n")
