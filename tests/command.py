"""The command line run as a person runs it: a process, its exit status, what it prints."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hang import GUARD_S

ROOT = Path(__file__).parents[1]
ONE = ("--json", "-r", "enomem")  # the answer of one runbook, as JSON


@dataclass(frozen=True)
class Run:
    """What one run of the command gave."""

    status: int
    out: str
    err: str

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a person with that home folder; runbooks that this process of tests has checked are in their cache."""
    cache = os.environ.get("XDG_CACHE_HOME", str(home / ".cache"))
    return {"HOME": str(home), "XDG_CACHE_HOME": cache, "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}


@dataclass(frozen=True)
class Triagebook:
    """Runs `triagebook ARGUMENTS` with a home of its own; `env` adds to its environment."""

    home: Path

    def __call__(self, *arguments: str, timeout_s: float = GUARD_S, **env: str) -> Run:
        known = environment(self.home, **{"USER": "somebody", **env})
        command = [sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", *arguments]
        done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=self.home)
        return Run(done.returncode, done.stdout, done.stderr)
