"""Two real server processes on one PostgreSQL, each with its own folder and port."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.slack import world as worlds

from .driver import SECRET, Driver, Http
from .gate import Gate
from .server_process import environment, started


@dataclass
class Replica:
    """A server process and who sends to it."""

    process: "subprocess.Popen[str]"
    driver: Driver


@contextmanager
def replica(
    directory: Path, gate: Gate, database: str = "", *, join: bool = False, token: str = "", lease_s: int = 60, **asked: object
) -> Iterator[Replica]:
    """Started; ended by its pid."""
    directory.mkdir(exist_ok=True)
    env = environment(gate, SLACK_SIGNING_SECRET=SECRET, **({"SLACK_BOT_TOKEN": token} if token else {}))
    with started(directory, gate, worlds.policy(gate), env, database=database, join=join, http=True, lease_s=lease_s, **asked) as (
        process,
        port,
    ):
        yield Replica(process, Driver(gate, Http(port)))


@contextmanager
def two(directory: Path, gate: Gate, database: str, **asked: Any) -> Iterator[tuple[Replica, Replica]]:
    """The second joins the log of the first, with its keys."""
    with replica(directory / "one", gate, database, **asked) as one:
        (directory / "two" / "data").mkdir(0o700, parents=True)
        shutil.copytree(directory / "one" / "data" / "keys", directory / "two" / "data" / "keys", copy_function=shutil.copy2)
        with replica(directory / "two", gate, database, join=True, **asked) as other:
            yield one, other
