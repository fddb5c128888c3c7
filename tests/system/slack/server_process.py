"""A server process of its own that serves Slack: started, told where Slack is, ended by its pid."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hang import GUARD_S

from .gate import Gate
from .workspace import TOKEN

MAIN = Path(__file__).with_name("server_main.py")


def environment(gate: Gate, **more: str) -> dict[str, str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}
    tokens = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_APP_TOKEN": "xapp-1", "SLACK_API_URL": f"{gate.url}/api/"}
    return {**known, **tokens, "LANG": "C.UTF-8", **more}


@contextmanager
def started(
    directory: Path, gate: Gate, policy: str, env: dict[str, str], *, lease_s: int = 60, **asked: object
) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The process, and its port (0: none). What is asked beyond the directory is for server_main.py.

    `lease_s` is short where it is killed and another one goes on: a busy machine may keep a process from its renewals for seconds.
    """
    (directory / "policy.yaml").write_text(policy)
    (directory / "policy.yaml").chmod(0o644)
    (directory / "effects").mkdir(exist_ok=True)
    places = {name: str(directory / name) for name in ("data", "socket", "effects")}
    places |= {"policy": str(directory / "policy.yaml"), "approvals": gate.workspace.channels["approvals"]}
    argv = (sys.executable, str(MAIN), json.dumps({**places, **asked, "lease_s": lease_s}))
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    try:
        word, _, port = process.stdout.readline().partition(" ")
        assert word == "ready"
        yield process, int(port)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(GUARD_S)
        process.stdout.close()
