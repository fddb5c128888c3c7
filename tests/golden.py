"""Pictures of text: what a terminal of a given size, colour and encoding is sent, kept as files and compared by a test.

`python -m tests.golden` (`make golden`) writes tests/unit/render/golden anew; look through the difference before it is committed.
The command's own code prints to a real pseudo-terminal; only the last line of a diagnosis (its time, its id) is left out.
"""

import fcntl
import io
import json
import os
import pty
import re
import struct
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from triagebook.bot.cli import diagnose, output
from triagebook.bot.cli.diagnose_options import DiagnoseOptions
from triagebook.bot.render.drift import render_drift
from triagebook.bot.render.plan import render_fix, render_fixes
from triagebook.bot.render.runbooks import tree_text
from triagebook.bot.render.style import Style, style_of
from triagebook.bot.render.terminal import SafeStream
from triagebook.bot.render.watch import Screen
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.diagnosis.drift import DriftRow
from triagebook.tools.watch.observation import Observation, WatchCost, WatchUpdate

from tests.runbooks import CATALOG
from tests.system.fixes import samples

FOLDER = Path(__file__).parent / "unit" / "render" / "golden"
RUNBOOK = "enomem@1.1.0"  # a released version never changes: a picture differs only when the product prints otherwise
SIZES = ((80, 24), (24, 80), (100, 50), (50, 100), (140, 50), (50, 140), (20, 60), (60, 20))  # columns, rows
SMALL = ((80, 24), (20, 60))  # for what is a table on a wide terminal
CASES = ("debian-13-unit-tasksmax", "max-map-count-unreadable")
NOW = datetime(2026, 11, 30, 14, 1, tzinfo=UTC)
FIX = {
    "id": "F-7K2M9QXB",
    "state": "proposed",
    "digest": "d" * 64,
    "plan": to_plain(samples.plan()),
    "votes": [],
    "approvals": "0 of 2 (group:sre)",
    "created_at": "2026-11-30T14:00:00Z",
    "expires_at": "2026-11-30 14:15:00 UTC (in 14 min)",
    "outcome": "",
    "problem": "",
}
WATCHED = ("cause_found", "warning", "inconclusive", "unreachable", *(["healthy"] * 29))


@dataclass(frozen=True)
class Terminal:
    """What prints where: a size, an encoding and an environment."""

    columns: int
    rows: int
    encoding: str = "utf-8"
    environment: Mapping[str, str] = field(default_factory=dict)


PLAIN = {
    "no-color": Terminal(80, 24, environment={"NO_COLOR": "1"}),
    "dumb": Terminal(80, 24, environment={"TERM": "dumb"}),
    "ascii": Terminal(80, 24, "ascii"),
    "eucjp": Terminal(80, 24, "euc_jp"),
}


def pictures() -> Iterator[tuple[str, str]]:
    """Yield the name of each file and what stands in it."""
    with tempfile.TemporaryDirectory() as home:
        for columns, rows in SIZES:
            terminal = Terminal(columns, rows)
            for case in CASES:
                yield f"{case}-{columns}x{rows}.txt", diagnosis(terminal, home, f"replay:{case}")
            yield f"fleet-{columns}x{rows}.txt", diagnosis(terminal, home, *(f"replay:{case}" for case in (*CASES, "healthy")))
            yield f"watch-{columns}x{rows}.txt", watch(terminal, home)
        for columns, rows in SMALL:
            for name, text in tables(Terminal(columns, rows)).items():
                yield f"{name}-{columns}x{rows}.txt", text
        for name, terminal in PLAIN.items():
            yield f"{name}.txt", diagnosis(terminal, home, f"replay:{CASES[0]}")
            yield f"{name}-other-letters.txt", diagnosis(terminal, home, "replay:healthy", user="山田é")


def diagnosis(terminal: Terminal, home: str, *hosts: str, user: str = "") -> str:
    """Return what `triagebook diagnose` prints there, without its last line."""
    with printing(terminal, home) as (out, printed):
        inputs = {"user": user} if user else {}
        diagnose.run(DiagnoseOptions(hosts, runbook=RUNBOOK, inputs=inputs), out, io.StringIO())
    text = "".join(printed)
    return text if len(hosts) > 1 else re.sub(r"(?s)\n[^\n]*enomem@1\.1\.0.{0,20}[0-9a-f]{12}.*\Z", "\n", text)


def watch(terminal: Terminal, home: str) -> str:
    """Return the last screen of a watch of 33 hosts."""
    with printing(terminal, home) as (out, printed):
        screen = Screen(out, style_of(out))
        for number, status in enumerate(WATCHED, 1):
            cost = WatchCost(float(number), 1000, 10.0)
            seen = Observation(f"web{number:02}", "2026-11-30T12:00:00Z", 3, status, "A sentence.", cost=cost)
            screen.show(WatchUpdate(seen), ())
    return re.split(r"\x1b\[\d+A\x1b\[J", "".join(printed))[-1]


def tables(terminal: Terminal) -> dict[str, str]:
    """Return what other commands print there: the tree of a runbook, fixes, one fix, hosts that differ."""
    style, room = Style(width=terminal.columns), terminal.columns
    unset = "unreadable: permission denied"
    rows = [
        DriftRow("kernel.threads-max", "tasks", "/proc/sys/kernel/threads-max", 3682, 2, {"1024": ("web03",)}, {}),
        DriftRow("vm.max_map_count", "maps", "/proc/sys/vm/max_map_count", 65530, 2, {}, {unset: ("web02",)}),
    ]
    fix = json.loads(json.dumps(FIX))
    found = {**fix, "host": "web-01", "risk": "low", "runbook": RUNBOOK, "requester": "ann"}
    waiting = {**fix, "state": "approved", "plan": {**fix["plan"], "reason": "pages since 13:50, and " + "again " * 20}}
    return {
        "tree": tree_text(CATALOG.load(RUNBOOK), ["healthy", *CASES], style),
        "fixes": render_fixes([found, {**found, "state": "validated"}], NOW, room),
        "fix": render_fix({**waiting, "expires_at": "soon"}, NOW, room),
        "drift": render_drift(rows, 3, style),
    }


@contextmanager
def printing(terminal: Terminal, home: str) -> Iterator[tuple[SafeStream, list[str]]]:
    """Give a stream to a pseudo-terminal, and a list that holds all it was sent once this has ended."""
    size = {"COLUMNS": str(terminal.columns), "LINES": str(terminal.rows)}
    known = {"HOME": home, "PATH": os.defpath, "TERM": "xterm-256color", "TZ": "UTC", **size, **terminal.environment}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", terminal.rows, terminal.columns, 0, 0))
    printed: list[str] = []
    reader = threading.Thread(target=_read, args=(master, terminal.encoding, printed))
    reader.start()
    stream = io.TextIOWrapper(open(slave, "wb", closefd=True), encoding=terminal.encoding)  # noqa: SIM115 - closed below
    with patch.dict(os.environ, known, clear=True), patch.object(sys, "stdout", stream):
        output.prepare()
        yield SafeStream(stream), printed
        stream.flush()
    stream.close()
    reader.join()


def _read(master: int, encoding: str, printed: list[str]) -> None:
    pieces = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: nobody has the other side open any more
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(master)
    printed.append(b"".join(pieces).decode(encoding).replace("\r\n", "\n"))


def main() -> None:
    """Write every picture, and take away those of nothing."""
    FOLDER.mkdir(exist_ok=True)
    made = dict(pictures())
    for file in {*FOLDER.glob("*.txt")} - {FOLDER / name for name in made}:
        file.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
