"""The point at which tests kill a server is reached, however many of its threads come there together."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from tests.hang import GUARD_S
from tests.system.kill_point import KillPoint

THREADS = 5


@dataclass
class ReadTogether:
    """A file that nobody reads before all threads have come."""

    text: str
    all_here: threading.Barrier = field(default_factory=lambda: threading.Barrier(THREADS))

    def exists(self) -> bool:
        self.all_here.wait(GUARD_S)
        return True

    def read_text(self) -> str:
        return self.text


@pytest.mark.parametrize("number", range(1, THREADS + 1))
def test_of_threads_that_come_to_a_step_together_the_one_that_is_meant_kills(number: int) -> None:
    killed: list[str] = []
    step = KillPoint(cast(Path, ReadTogether(f"host.answered {number}")), lambda: killed.append("killed"))
    threads = [threading.Thread(target=step, args=("host.answered",)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
    assert killed == ["killed"]
