"""The Slack emulator `emulate` as a process of this test, ended by its pid: channels, messages, views and scopes are its own."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hang import GUARD_S
from tests.peers.peers import CACHE, NODE
from tests.ports import free_port

from .workspace import CHANNELS, HISTORY, PERSONS, READER, READER_SCOPES, SCOPES, TOKEN, WITH_HISTORY, Workspace, look_up

EMULATE = CACHE / "emulate" / "node_modules" / "emulate" / "dist" / "index.js"
NO_SLACK = None if NODE and EMULATE.exists() else "no Slack emulator here (`make peers` installs it where npm is)"


@contextmanager
def running(directory: Path) -> Iterator[Workspace]:
    seed = {
        "slack": {
            "team": {"name": "Tests", "domain": "tests"},
            "users": [{"name": name, "real_name": name} for name in PERSONS],
            "channels": [{"name": name} for name in CHANNELS],
            "tokens": [
                {"token": TOKEN, "user": "triagebook", "scopes": list(SCOPES), "type": "bot"},
                {"token": WITH_HISTORY, "user": "triagebook", "scopes": [*SCOPES, *HISTORY], "type": "bot"},
                {"token": READER, "user": "ann", "scopes": list(READER_SCOPES), "type": "test"},
            ],
            "strict_scopes": True,
        }
    }
    (directory / "seed.yaml").write_text(json.dumps(seed))
    port = free_port()
    assert NODE is not None
    argv = (str(NODE), str(EMULATE), "start", "-s", "slack", "-p", str(port), "--seed", str(directory / "seed.yaml"))
    environment = {**os.environ, "HOME": str(directory), "NO_COLOR": "1"}
    with (directory / "emulator.log").open("w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=directory, env=environment)
        try:
            yield _ready(f"http://127.0.0.1:{port}", process, directory / "emulator.log")
        finally:
            process.terminate()
            process.wait(GUARD_S)


def _ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> Workspace:
    deadline = time.monotonic() + GUARD_S
    while True:
        try:
            return look_up(url)
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-2000:]) from None
            time.sleep(0.05)
