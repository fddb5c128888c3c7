"""A `triagebook watch` that runs while a test goes on; ended by its pid."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.command import environment
from tests.hang import GUARD_S


class Watching:
    """What a running watch has printed so far, line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def wait(self, is_reached: Callable[[list[dict[str, Any]]], bool], timeout_s: float = GUARD_S) -> list[dict[str, Any]]:
        """Until the lines fulfil it; fails the test with what there is."""
        until = time.monotonic() + timeout_s
        while not is_reached(self.lines):
            assert time.monotonic() < until, self.lines[-2:]
            assert self.process.poll() is None or is_reached(self.lines), self.error()
            time.sleep(0.02)
        return self.lines

    def error(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()


@contextlib.contextmanager
def watching(home: Path, *arguments: str, **env: str) -> Iterator[Watching]:
    """`triagebook watch --json ARGUMENTS` for as long as the block lasts."""
    known = environment(home, **env)
    command = [sys.executable, "-c", "from triagebook.bot.cli.app import main; main()", "watch", "--json", *arguments]
    process = subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Watching(process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(GUARD_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
