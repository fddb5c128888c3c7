"""Slackbot asks over HTTP: the person whom Slack names in a request that it signed, and nobody else. A real server on loopback."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp_types import CLIENT_CAPABILITIES_META_KEY
from triagebook.bot.slack.cards.slackbot import SlackbotCards
from triagebook.bot.slack.inbound.signature import signature_check
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.mcp_server import http, slack_identity
from triagebook.tools.mcp_server.native_blocks import draws_blocks
from triagebook.tools.server.run import RunningServer

from tests.hang import GUARD_S
from tests.system.mcp import world as worlds

from .test_attacks import WISH
from .world import INVENTORY, Hosts, McpWorld

URL = "https://triage.example/mcp"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TEAM, ANN, STRANGER = "T0TEAM", "U0ANN", "U0OTHER"
NUMBERS = count(1)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DRAWS = {"extensions": {"io.slack/block-kit": {"mimeTypes": ["application/vnd.slack.blocks+json"]}}}
# What Slackbot takes; with any other block in it, all blocks of an answer are dropped. docs.slack.dev, "Returning rich responses".
TAKEN = {
    "context",
    "divider",
    "header",
    "markdown",
    "rich_text",
    "section",
    "file",
    "image",
    "video",
    "actions",
    "carousel",
    "input",
}


@dataclass
class Slackbot:
    """A world at an address, and Slack's side of it."""

    world: McpWorld
    port: int
    secret: str = field(default=SECRET, repr=False)

    def request(self, method: str, params: dict[str, Any] | None = None, *, team: str = TEAM, user: str = ANN) -> bytes:
        meta = {"_meta": {"slack": {"team_id": team, "user_id": user}}} if team or user else {}
        return json.dumps({"jsonrpc": "2.0", "id": next(NUMBERS), "method": method, "params": {**(params or {}), **meta}}).encode()

    def headers(self, body: bytes, *, age_s: float = 0) -> dict[str, str]:
        at = str(int(time.time() - age_s))
        signed = hmac.new(self.secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {
            "x-slack-request-timestamp": at,
            "x-slack-signature": f"v0={signed}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }

    def post(self, body: bytes, headers: dict[str, str] | None = None, path: str = slack_identity.PATH) -> httpx2.Response:
        sent = headers if headers is not None else self.headers(body)
        return httpx2.post(f"http://127.0.0.1:{self.port}{path}", content=body, headers=sent, timeout=GUARD_S)

    def begin(self, capabilities: dict[str, Any]) -> None:
        """Say what this client can, as Slack does before it asks for anybody."""
        client = {"protocolVersion": "2025-06-18", "clientInfo": {"name": "slackbot", "version": "1"}, "capabilities": capabilities}
        assert self.post(self.request("initialize", client, team="", user="")).status_code == 200

    def call(self, tool: str, arguments: dict[str, Any], **who: str) -> dict[str, Any]:
        answer = self.post(self.request("tools/call", {"name": tool, "arguments": arguments}, **who))
        assert answer.status_code == 200, answer.text
        text = answer.text.partition("data: ")[2].splitlines()[0] if answer.text.startswith("event") else answer.text
        found: dict[str, Any] = json.loads(text)["result"]
        return found

    def refusals(self) -> set[str]:
        """The reasons of the audit log for requests that proved nothing; written within a second."""
        deadline = time.monotonic() + GUARD_S
        while time.monotonic() < deadline:
            if found := {event.reason for event in self.world.trust.events() if event.action == "authenticate"}:
                return found
            time.sleep(0.05)
        return set()


@contextmanager
def served(world: McpWorld) -> Iterator[Slackbot]:
    """A server of this world's database at an address of its own."""
    options = http.http_options("127.0.0.1:0", url=URL, slack_teams=TEAM)
    place = RunningServer(world.trust.service, world.trust.trust, None)  # type: ignore[arg-type]
    hosts: Any = Hosts()
    runbook = lambda: hosts.catalog.entries()[-1].name  # noqa: E731 - what `serve` hands over
    slack = slack_identity.FromSlack(signature_check(), SlackbotCards(lambda: NOW))
    _, app = http.build_application(options, place, hosts, INVENTORY, runbook, slack)
    with http.listen(options, app) as port:
        yield Slackbot(world, port)


@pytest.fixture
def slackbot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slackbot]:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    world = worlds.build(tmp_path)
    with served(world) as found:
        yield found
    world.trust.store.close()


def test_slack_lists_the_tools_without_naming_a_person_and_none_approves(slackbot: Slackbot) -> None:
    answer = slackbot.post(slackbot.request("tools/list", team="", user=""))
    assert answer.status_code == 200
    assert answer.text.count('"inputSchema"') == 9
    assert '"name":"approve' not in answer.text


def test_the_person_whom_slack_names_asks_and_proposes_as_that_account(slackbot: Slackbot) -> None:
    assert slackbot.call("diagnose", {"host": "web-01"})["structuredContent"]["status"] == "cause_found"
    fix = slackbot.call("propose_fix", WISH)["structuredContent"]
    assert fix["requester"] == "ann"
    newest = slackbot.world.trust.last()
    assert (newest.account, newest.person, newest.channel) == (f"slack:{TEAM}/{ANN}", "ann", "mcp")


def test_a_member_of_the_workspace_whom_the_policy_does_not_know_may_change_nothing(slackbot: Slackbot) -> None:
    refused = slackbot.call("propose_fix", WISH, user=STRANGER)
    assert refused["isError"]
    assert "unmapped_account" in refused["content"][0]["text"]


@pytest.mark.parametrize(
    ("reason", "who"),
    [
        ("other_team", {"team": "T0OTHER"}),
        ("no_person", {"team": "", "user": ""}),
        ("no_person", {"user": "ann"}),
        ("no_person", {"user": "B0BOT"}),
        ("other_team", {"team": ""}),
    ],
)
def test_a_call_for_nobody_of_ours_is_refused(reason: str, who: dict[str, str], slackbot: Slackbot) -> None:
    refused = slackbot.post(slackbot.request("tools/call", {"name": "propose_fix", "arguments": WISH}, **who))
    assert (refused.status_code, refused.json()["error"]["message"]) == (401, f"refused [{reason}]")
    assert slackbot.refusals() == {reason}


def test_what_slack_did_not_sign_now_is_refused(slackbot: Slackbot) -> None:
    body = slackbot.request("tools/call", {"name": "diagnose", "arguments": {"host": "web-01"}})
    good = slackbot.headers(body)
    forged = Slackbot(slackbot.world, slackbot.port, "another secret").headers(body)
    other = slackbot.request("tools/call", {"name": "diagnose", "arguments": {"host": "web-02"}})
    late, early = slackbot.headers(body, age_s=400), slackbot.headers(body, age_s=-400)
    unsigned = {name: value for name, value in good.items() if not name.startswith("x-slack")}
    odd = {**good, "x-slack-request-timestamp": "now"}
    for sent, headers in ((body, forged), (other, good), (body, late), (body, early), (body, unsigned), (body, odd)):
        answer = slackbot.post(sent, headers)
        assert (answer.status_code, answer.json()["error"]["message"]) == (401, "refused [not_signed]")
    assert slackbot.refusals() == {"not_signed"}


def test_a_copy_of_a_signed_request_is_refused(slackbot: Slackbot) -> None:
    body = slackbot.request("tools/call", {"name": "propose_fix", "arguments": WISH})
    headers = slackbot.headers(body)
    assert slackbot.post(body, headers).status_code == 200
    again = slackbot.post(body, headers)
    assert (again.status_code, again.json()["error"]["message"]) == (401, "refused [replayed]")
    assert [event.action for event in slackbot.world.trust.events()].count("propose") == 1


@pytest.mark.parametrize(
    "body", [b"[]", b"nothing", b'{"method": 1}', b'[{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}]', b"[" * 50_000], ids=len
)
def test_a_body_that_is_no_single_request_is_refused(body: bytes, slackbot: Slackbot) -> None:
    assert slackbot.post(body).status_code == 401


def test_beside_slack_nobody_without_a_proof_is_let_in(slackbot: Slackbot) -> None:
    body = slackbot.request("tools/list")
    assert slackbot.post(body, path=http.PATH).status_code == 404
    assert httpx2.get(f"http://127.0.0.1:{slackbot.port}{slack_identity.PATH}", timeout=GUARD_S).status_code == 405


def test_without_a_secret_or_a_workspace_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_SIGNING_SECRET", raising=False)
    with pytest.raises(UsageError, match="anybody could ask"):
        signature_check()
    for teams, url in (("ours", URL), (TEAM, ""), (f"{TEAM},", URL)):
        with pytest.raises(UsageError, match="--mcp-slack"):
            http.http_options("127.0.0.1:0", url=url, slack_teams=teams)


def test_a_copy_sent_to_another_server_of_the_same_database_is_refused(slackbot: Slackbot) -> None:
    body = slackbot.request("tools/call", {"name": "propose_fix", "arguments": WISH})
    headers = slackbot.headers(body)
    with served(slackbot.world) as replica:
        assert replica.post(body, headers).status_code == 200
        again = slackbot.post(body, headers)
        assert (again.status_code, again.json()["error"]["message"]) == (401, "refused [replayed]")
        other = slackbot.request("tools/call", {"name": "list_hosts", "arguments": {}})
        assert slackbot.post(other).status_code == 200
    assert [event.action for event in slackbot.world.trust.events()].count("propose") == 1


def test_of_many_copies_at_once_one_is_answered(slackbot: Slackbot) -> None:
    body = slackbot.request("tools/call", {"name": "list_hosts", "arguments": {}})
    headers = slackbot.headers(body)
    with served(slackbot.world) as replica, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: (slackbot, replica)[number % 2].post(body, headers).status_code, range(16)))
    assert sorted(answers) == [200, *[401] * 15]


def test_without_the_database_nothing_is_answered_since_it_may_be_a_copy() -> None:
    def away(_signature: str) -> bool:
        raise TrustError("locked", reason="database")

    identity = slack_identity.SlackIdentity(None, lambda *_: True, away, (TEAM,), lambda _: None)  # type: ignore[arg-type]
    assert anyio.run(identity._identify, b"{}", {}) == (None, "database", False)
    assert slack_identity.STATUSES["database"] == 503


def test_who_draws_blocks_gets_them_beside_the_same_text_and_who_does_not_gets_the_text(slackbot: Slackbot) -> None:
    plain = slackbot.call("diagnose", {"host": "web-01"})
    assert "slack" not in plain.get("_meta", {}), "this client never said that it draws blocks"
    slackbot.begin(DRAWS)
    drawn = slackbot.call("diagnose", {"host": "web-01"})
    assert (drawn["content"], drawn["structuredContent"]) == (plain["content"], plain["structuredContent"])
    blocks = drawn["_meta"]["slack"]["blocks"]
    assert {block["type"] for block in blocks} <= TAKEN
    assert "actions" not in {block["type"] for block in blocks}
    assert "worker.service is at its task limit" in json.dumps(blocks)
    assert f"<@{ANN}>" in json.dumps(blocks)
    slackbot.begin({})
    assert "slack" not in slackbot.call("diagnose", {"host": "web-01"}).get("_meta", {})


def test_many_hosts_and_an_answer_read_again_are_drawn_too(slackbot: Slackbot) -> None:
    slackbot.begin(DRAWS)
    fleet = slackbot.call("diagnose_fleet", {"hosts": ["web-01", "web-02"]})
    assert {block["type"] for block in fleet["_meta"]["slack"]["blocks"]} <= TAKEN
    assert "2 hosts" in json.dumps(fleet["_meta"]["slack"]["blocks"][0])
    first = slackbot.call("diagnose", {"host": "web-01"})
    again = slackbot.call("get_diagnosis", {"diagnosis_id": first["structuredContent"]["diagnosis_id"]})
    assert again["_meta"] == first["_meta"]


def test_the_tools_say_that_they_may_have_blocks_where_somebody_draws_them(slackbot: Slackbot) -> None:
    answer = slackbot.post(slackbot.request("tools/list", team="", user=""))
    listed = json.loads(answer.text.partition("data: ")[2].splitlines()[0] if answer.text.startswith("event") else answer.text)
    drawn = {tool["name"] for tool in listed["result"]["tools"] if tool.get("_meta", {}).get("slack") == {"supportsBlockKit": True}}
    assert drawn == {"diagnose", "diagnose_fleet", "get_diagnosis"}


@pytest.mark.parametrize(
    ("request_", "before", "draws"),
    [
        ({"method": "initialize", "params": {"capabilities": DRAWS}}, False, True),
        ({"method": "initialize", "params": {"capabilities": {}}}, True, False),
        ({"method": "tools/call", "params": {}}, True, True),
        ({"method": "tools/call", "params": {"_meta": {CLIENT_CAPABILITIES_META_KEY: DRAWS}}}, False, True),
        ({"method": "tools/call", "params": {"_meta": {CLIENT_CAPABILITIES_META_KEY: {}}}}, True, False),
        ({"method": "tools/call", "params": {"_meta": []}}, False, False),
        ({"method": "tools/call", "params": "x"}, False, False),
        ({"method": "initialize", "params": {"capabilities": {"extensions": "io.slack/block-kit"}}}, False, False),
    ],
)
def test_a_client_draws_blocks_by_its_own_word(request_: dict[str, Any], before: bool, draws: bool) -> None:
    assert draws_blocks(request_, before) is draws
