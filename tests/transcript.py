"""Runs the commands that a page shows, in its order, as a reader types them, and compares what they print.

A block without a language whose lines begin with `$ ` is a transcript: each command, then what it prints; a line `...` stands
for lines left out. A block with `title="FILE"` is a file that the reader writes. All commands run in one folder, with one home.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hang import GUARD_S

BLOCK = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Step:
    """A file to write (then `text` is its content), or a command with the parts of its output that are shown."""

    line: int
    file: str = ""
    text: str = ""
    command: str = ""
    shown: tuple[str, ...] = ()


def steps_of(page: str) -> Iterator[Step]:
    """Yield the steps of a page."""
    for block in BLOCK.finditer(page):
        line = page.count("\n", 0, block.start()) + 1
        title = TITLE.search(block["language"])
        if title:
            yield Step(line, file=title[1], text=block["text"])
        elif not block["language"] and block["text"].startswith("$ "):
            for piece in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
                command, _, output = piece.partition("\n")
                while command.endswith("\\"):
                    more, _, output = output.partition("\n")
                    command = f"{command}\n{more}"
                yield Step(line, command=command, shown=tuple(part.strip("\n") for part in re.split(r"(?m)^\.\.\.$", output)))


class Reader:
    """Somebody who follows a page in an empty folder."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / "books"
        self.folder.mkdir()
        program = home / "bin" / "triagebook"
        program.parent.mkdir()
        start = "from triagebook.bot.cli.start import main; main()"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(start)} "$@"\n')
        program.chmod(0o755)

    def follow(self, step: Step) -> str:
        """Do one step; return what was wrong with it, or nothing."""
        if step.file:
            file = Path(step.file.replace("~", str(self.home), 1)) if step.file.startswith("~") else self.folder / step.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(step.text)
            return ""
        said = self.run(step.command)
        at = 0
        for part in step.shown:
            found = said.find(part, at)
            if found < 0:
                return f"line {step.line}: $ {step.command}\nis shown to print\n{part}\nand prints\n{said}"
            at = found + len(part)
        return ""

    def run(self, command: str) -> str:
        """Return what a shell prints for the command, both streams in one."""
        path = f"{self.home / 'bin'}:{os.environ['PATH']}"
        known = {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8", "TZ": "UTC", "USER": "somebody"}
        done = subprocess.run(
            ["sh", "-c", command],
            env=known,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=GUARD_S,
            check=False,
        )
        return done.stdout
