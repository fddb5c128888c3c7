"""Two real server processes on one PostgreSQL, each with its own folder and port."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import world as worlds
from .driver import SECRET, Driver, Http
from .gate import Gate
from .test_serving import MAIN, environment


@dataclass
class Replica:
    """A server process and who sends to it."""

    process: "subprocess.Popen[str]"
    driver: Driver


@contextmanager
def replica(directory: Path, gate: Gate, database: str = "", *, join: bool = False, token: str = "") -> Iterator[Replica]:
    """Started; ended by its pid."""
    directory.mkdir(exist_ok=True)
    policy = directory / "policy.yaml"
    policy.write_text(worlds.policy(gate))
    policy.chmod(0o644)
    (directory / "effects").mkdir(exist_ok=True)
    asked = {
        "data": str(directory / "data"),
        "socket": str(directory / "socket"),
        "policy": str(policy),
        "effects": str(directory / "effects"),
        "approvals": gate.emulator.channels["approvals"],
        "database": database,
        "join": join,
        "http": True,
    }
    more = {"SLACK_SIGNING_SECRET": SECRET, **({"SLACK_BOT_TOKEN": token} if token else {})}
    argv = (sys.executable, str(MAIN), json.dumps(asked))
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment(gate, **more))
    try:
        assert process.stdout is not None
        word, _, port = process.stdout.readline().partition(" ")
        assert word == "ready"
        yield Replica(process, Driver(gate, Http(int(port))))
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def two(directory: Path, gate: Gate, database: str) -> Iterator[tuple[Replica, Replica]]:
    """The second joins the log of the first, with its keys."""
    with replica(directory / "one", gate, database) as one:
        (directory / "two" / "data").mkdir(0o700, parents=True)
        shutil.copytree(directory / "one" / "data" / "keys", directory / "two" / "data" / "keys", copy_function=shutil.copy2)
        with replica(directory / "two", gate, database, join=True) as other:
            yield one, other
