"""The Slack emulator `emulate` as a process of this test, ended by its pid: channels, messages, views and scopes are its own."""

import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.peers import CACHE, NODE

EMULATE = CACHE / "emulate" / "node_modules" / "emulate" / "dist" / "index.js"
NO_SLACK = None if NODE and EMULATE.exists() else "no Slack emulator here (`make peers` installs it where npm is)"
SCOPES = (
    "commands",
    "chat:write",
    "files:write",
    "app_mentions:read",
    "users:read",
    "usergroups:read",
)  # what the manifest asks for
HISTORY = ("channels:history", "groups:history")
TOKEN = "xoxb-of-the-bot"
WITH_HISTORY = "xoxb-of-the-bot-that-may-read"  # with what `slack manifest --history` asks for besides
READER = "xoxb-of-the-test"  # reads what the bot wrote
PERSONS = ("ann", "bob", "cid", "dan", "eve", "guest", "unmapped", "triagebook")
CHANNELS = ("incidents", "approvals", "alerts")


@dataclass(frozen=True)
class Emulator:
    """A running emulator; users and channels by their names."""

    url: str
    team: str
    users: Mapping[str, str]
    channels: Mapping[str, str]

    def call(self, method: str, *, as_bot: bool = False, **values: Any) -> dict[str, Any]:
        return call(self.url, TOKEN if as_bot else READER, method, **values)


def call(url: str, token: str, method: str, **values: Any) -> dict[str, Any]:
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    request = urllib.request.Request(  # noqa: S310
        f"{url}/api/{method}", urllib.parse.urlencode(form).encode(), {"authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


@contextmanager
def running(directory: Path) -> Iterator[Emulator]:
    reading = [
        "channels:history",
        "channels:read",
        "users:read",
        "im:history",
        "im:read",
        "files:read",
        "chat:write",
        "groups:history",
    ]
    seed = {
        "slack": {
            "team": {"name": "Tests", "domain": "tests"},
            "users": [{"name": name, "real_name": name} for name in PERSONS],
            "channels": [{"name": name} for name in CHANNELS],
            "tokens": [
                {"token": TOKEN, "user": "triagebook", "scopes": list(SCOPES), "type": "bot"},
                {"token": WITH_HISTORY, "user": "triagebook", "scopes": [*SCOPES, *HISTORY], "type": "bot"},
                {"token": READER, "user": "ann", "scopes": reading, "type": "test"},
            ],
            "strict_scopes": True,
        }
    }
    (directory / "seed.yaml").write_text(json.dumps(seed))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert NODE is not None
    argv = (str(NODE), str(EMULATE), "start", "-s", "slack", "-p", str(port), "--seed", str(directory / "seed.yaml"))
    environment = {**os.environ, "HOME": str(directory), "NO_COLOR": "1"}
    with (directory / "emulator.log").open("w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=directory, env=environment)
        try:
            yield _ready(f"http://127.0.0.1:{port}", process, directory / "emulator.log")
        finally:
            process.terminate()
            process.wait(10)


def _ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> Emulator:
    deadline = time.monotonic() + 30
    while True:
        try:
            answer = call(url, READER, "auth.test")
            break
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-2000:]) from None
            time.sleep(0.05)
    users = {user["name"]: user["id"] for user in call(url, READER, "users.list")["members"]}
    channels = {item["name"]: item["id"] for item in call(url, READER, "conversations.list")["channels"]}
    return Emulator(url, answer["team_id"], users, channels)
