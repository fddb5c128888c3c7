"""`triagebook doctor` says what is in use here, what is missing, and the command that mends it."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Annotated

import typer
from triagebook.bot.cli.extras import EXTRAS, NAME, install_command
from triagebook.bot.render.style import Style, style_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.doctor import DoctorFinding, examine

BROKEN = 4
COLUMN = 21  # in which what is said of a part begins
SIGNS = {"ok": ("ok", "32"), "absent": ("-", "33"), "broken": ("BROKEN", "31")}


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line")] = False) -> None:
    """Check the installation: what is in use, and what is missing.

    It looks at versions, configuration, inventory, SSH, runbooks, extras, watches and the approval server.

    What is missing has the command that mends it. Nothing is changed, and no host is asked.

    Example: triagebook doctor

    Exit status: 0 all that is set up works, 4 something is broken.
    """
    found = [*examine(), *_extras()]
    style = style_of(sys.stdout)
    for finding in found:
        sys.stdout.write(json_line(to_plain(finding)) if as_json else _text(finding, style))
    raise typer.Exit(BROKEN if any(finding.state == "broken" for finding in found) else 0)


def _extras() -> Iterator[DoctorFinding]:
    for extra, (what, _modules) in EXTRAS.items():
        if missing := _missing_packages(extra):
            says = f"{extra}: {what} is not installed (missing: {', '.join(missing)})"
            yield DoctorFinding("extra", "absent", says, install_command(extra))
        else:
            yield DoctorFinding("extra", "ok", f"{extra}: {what} is installed")


def _missing_packages(extra: str) -> list[str]:
    """Return the packages that an extra asks for and that are not installed."""
    needed = [line for line in requires(NAME) or () if re.search(rf"""extra == ['"]{extra}['"]""", line)]
    names = [found[0] for line in needed if (found := re.match(r"[A-Za-z0-9._-]+", line))]
    return [name for name in names if not _is_installed(name)]


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _text(finding: DoctorFinding, style: Style) -> str:
    sign, colour = SIGNS[finding.state]
    lines = style.row(f"{sign:<6}  {finding.part}", safe_text(finding.says, 500), COLUMN)
    lines[0] = style.paint(sign, colour) + lines[0].removeprefix(sign)
    command = [f"{' ' * min(COLUMN, style.width // 4)}  {finding.cure}"] if finding.cure else []
    return "\n".join([*lines, *command]) + "\n"
