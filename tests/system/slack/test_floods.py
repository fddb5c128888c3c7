"""600 idle connections, and a slow drip of 600: a person approves in Slack, and an assistant's call is answered, all the while."""

import time
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

FLOODS = {"idle": b"", "drip": b"y"}
FIRST = {"idle": b"", "drip": b"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-Long: "}
ANSWER_S = 1.0  # asked of it on an idle machine


def _note(what: str, began: float) -> None:
    FIGURES["test_beside_six_hundred_connections", f"{what}, ms"] = round(1000 * (time.monotonic() - began))


@pytest.mark.parametrize("kind", FLOODS)
def test_a_person_approves_in_slack_beside_a_flood(tmp_path: Path, through: Gate, kind: str) -> None:
    env = environment(through, SLACK_SIGNING_SECRET=SECRET)
    with started(tmp_path, through, worlds.policy(through), env, http=True) as (_process, port):
        channels, driver = Channels(through), Driver(through, Http(port))
        with flood(port, "127.0.0.9", FIRST[kind], FLOODS[kind], every_s=0.2, comes_back=True):
            assert driver.command("ann", "web-01").status == 200
            driver.click("ann", channels.card("incidents", "CAUSE FOUND · web-01"), names.PROPOSE)
            driver.submit("ann", form(through, names.PROPOSE_VIEW), wish())
            card = channels.card("approvals", "APPROVAL NEEDED: web-01")
            with no_hang(ANSWER_S):
                began = time.monotonic()
                assert driver.click("bob", card, names.APPROVE).status == 200
                _note(f"approval acknowledged ({kind})", began)
                channels.card("approvals", "DONE AND VALIDATED", 60)
                _note(f"approved, applied and shown ({kind})", began)


@pytest.mark.parametrize("kind", FLOODS)
def test_an_assistant_is_answered_beside_a_flood(tmp_path: Path, kind: str) -> None:
    (tmp_path / "inventory.yaml").write_text("hosts: {db01: {}}\n")
    with served(tmp_path, "--inventory", str(tmp_path / "inventory.yaml")) as address:
        port = int(address.rpartition(":")[2].partition("/")[0])
        with flood(port, "127.0.0.9", FIRST[kind], FLOODS[kind], every_s=0.2, comes_back=True):
            anyio.run(_call, address, kind)


async def _call(address: str, kind: str) -> None:
    async with Client(address) as client:
        for _ in range(5):
            with no_hang(ANSWER_S):
                began = time.monotonic()
                answer: Any = await client.call_tool("list_hosts", {})
                _note(f"call answered ({kind})", began)
            assert not answer.is_error, answer
