"""600 idle connections, and a slow drip of 600: a person approves in Slack, and an assistant's call is answered, all the while."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from triagebook.bot.slack.cards import names

from tests.attacks.budget import FIGURES
from tests.attacks.test_floods import flood
from tests.hang import no_hang
from tests.system.mcp.test_serve import served
from tests.system.slack import world as worlds

from .driver import SECRET, Driver, Http
from .gate import Gate
from .paths import form, wish
from .server_process import environment, started
from .world import Channels

pytestmark = pytest.mark.alone  # a flood costs the server CPU for as long as an answer takes, which others would make longer
FLOODS = {"idle": b"", "drip": b"y"}
FIRST = {"idle": b"", "drip": b"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-Long: "}
ANSWER_S = 1.0  # asked of it on an idle machine: so the server may spend no more of a processor until it has answered


class Watched:
    """What an answer costs: the server's own time of a processor, which a busy machine does not change; and the time it took."""

    def __init__(self, process: int) -> None:
        self.process, self.began, self.cpu_began_s = process, time.monotonic(), _cpu_s(process)

    def require_answered(self, what: str) -> None:
        spent_s = _cpu_s(self.process) - self.cpu_began_s
        FIGURES["test_beside_six_hundred_connections", f"{what}, ms"] = round(1000 * (time.monotonic() - self.began))
        FIGURES["test_beside_six_hundred_connections", f"{what}, ms of a processor"] = round(1000 * spent_s)
        assert spent_s <= ANSWER_S, f"{what}: the server spent {spent_s:.2f} s"


def _cpu_s(process: int) -> float:
    """The user and system time of a process (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kind", FLOODS)
def test_a_person_approves_in_slack_beside_a_flood(tmp_path: Path, through: Gate, kind: str) -> None:
    env = environment(through, SLACK_SIGNING_SECRET=SECRET)
    with started(tmp_path, through, worlds.policy(through), env, http=True) as (process, port):
        channels, driver = Channels(through), Driver(through, Http(port))
        with flood(port, "127.0.0.9", FIRST[kind], FLOODS[kind], every_s=0.2, comes_back=True):
            assert driver.command("ann", "web-01").status == 200
            driver.click("ann", channels.card("incidents", "CAUSE FOUND · web-01"), names.PROPOSE)
            driver.submit("ann", form(through, names.PROPOSE_VIEW), wish())
            card = channels.card("approvals", "APPROVAL NEEDED: web-01")
            with no_hang(ANSWER_S):
                watched = Watched(process.pid)
                assert driver.click("bob", card, names.APPROVE).status == 200
                watched.require_answered(f"approval acknowledged ({kind})")
            channels.card("approvals", "DONE AND VALIDATED")


@pytest.mark.parametrize("kind", FLOODS)
def test_an_assistant_is_answered_beside_a_flood(tmp_path: Path, kind: str) -> None:
    (tmp_path / "inventory.yaml").write_text("hosts: {db01: {}}\n")
    with served(tmp_path, "--inventory", str(tmp_path / "inventory.yaml")) as address:
        port = int(address.rpartition(":")[2].partition("/")[0])
        with flood(port, "127.0.0.9", FIRST[kind], FLOODS[kind], every_s=0.2, comes_back=True):
            anyio.run(_call, address, kind, _listener_of(port))


def _listener_of(port: int) -> int:
    """The process that listens on a port of loopback, by the inode of its socket (proc(5))."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = {words[9] for words in lines if words[1].endswith(f":{port:04X}") and words[3] == "0A"}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.readlink(descriptor) == f"socket:[{inode}]" for descriptor in (process / "fd").iterdir()):
                return int(process.name)
    raise AssertionError(f"nobody listens on {port}")


async def _call(address: str, kind: str, process: int) -> None:
    async with Client(address) as client:
        for _ in range(5):
            with no_hang(ANSWER_S):
                watched = Watched(process)
                answer: Any = await client.call_tool("list_hosts", {})
                watched.require_answered(f"call answered ({kind})")
            assert not answer.is_error, answer
