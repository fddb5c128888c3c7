"""Long calls as tasks, and a fix that waits for a person: `input_required` until somebody decides elsewhere."""

from typing import Any

import anyio
import httpx2
import pytest
from triagebook.tools.faces.limits import RateLimits
from triagebook.tools.mcp_server import http
from triagebook.tools.mcp_server.tasks import RULES, TaskRule

from tests.hang import GUARD_S
from tests.system.mcp import world as worlds

from .test_attacks import proposed
from .world import McpWorld, caller

EXTENSION = "io.modelcontextprotocol/tasks"


class Wire:
    """Requests of the 2026-07-28 wire, as any client could write them."""

    def __init__(self, client: httpx2.AsyncClient, declares: bool = True) -> None:
        self.client = client
        capabilities: dict[str, Any] = {"elicitation": {}, "extensions": {EXTENSION: {}} if declares else {}}
        self.meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }

    async def ask(self, method: str, named: str = "", **params: Any) -> Any:
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            "mcp-name": named or params.get("name") or params["taskId"],
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": self.meta}}
        answer = await self.client.post("http://127.0.0.1:1/mcp", json=body, headers=headers)
        assert answer.status_code in {200, 400}, (answer.status_code, answer.text)
        if "text/event-stream" in answer.headers["content-type"]:
            import json

            return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:") and "{" in line][-1]
        return answer.json()


def over_wire(world: McpWorld, steps: Any, **options: Any) -> Any:
    async def main() -> Any:
        app = http.application(world.server, http.http_options("127.0.0.1:1"))
        async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as client:
            return await steps(Wire(client, **options))

    return anyio.run(main)


async def until_completed(wire: "Wire", identifier: str) -> Any:
    """Ask for a task until it is completed: the protocol tells nobody."""
    with anyio.fail_after(GUARD_S):
        while (task := (await wire.ask("tasks/get", taskId=identifier))["result"])["status"] != "completed":
            await anyio.sleep(0.02)
    return task


def test_applying_before_a_person_decided_waits_and_an_answer_here_decides_nothing(world: McpWorld) -> None:
    fix = proposed(world)

    async def steps(wire: Wire) -> list[str]:
        seen = []
        made = (await wire.ask("tools/call", name="apply_fix", arguments={"fix_id": fix}))["result"]
        assert made["resultType"] == "task"
        identifier = made["taskId"]
        seen.append((await wire.ask("tasks/get", taskId=identifier))["result"])
        assert seen[0]["inputRequests"]["decision-elsewhere"]["method"] == "elicitation/create"
        answers = {"decision-elsewhere": {"action": "accept", "content": {"approved": True}}}
        await wire.ask("tasks/update", taskId=identifier, inputResponses=answers)
        seen.append((await wire.ask("tasks/get", taskId=identifier))["result"])
        world.trust.approve(fix, "bob")
        seen.append(await until_completed(wire, identifier))
        return seen

    seen = over_wire(world, steps)
    assert [item["status"] for item in seen[:2]] == ["input_required", "input_required"]
    assert seen[-1]["result"]["structuredContent"]["state"] == "validated"
    applies = [event for event in world.trust.events() if event.action == "apply"]
    assert [event.outcome for event in applies] == ["ok"]


def test_a_denied_fix_ends_its_task_with_the_reason(world: McpWorld) -> None:
    fix = proposed(world)

    async def steps(wire: Wire) -> Any:
        identifier = (await wire.ask("tools/call", name="apply_fix", arguments={"fix_id": fix}))["result"]["taskId"]
        world.trust.service.deny(worlds_actor("bob"), fix, world.trust.digest(fix), why="no")
        return await until_completed(wire, identifier)

    ended = over_wire(world, steps)
    assert ended["status"] == "completed"
    assert ended["result"]["isError"] is True
    assert "not_approved" in ended["result"]["content"][0]["text"]


def worlds_actor(name: str) -> Any:
    from tests.system.fixes import policies

    return policies.actor(name)


@pytest.mark.parametrize("arguments", [{"fix_id": "F-00000000"}, {"fix_id": "F-1", "approved": True}, {}])
def test_what_will_never_run_is_refused_at_once(world: McpWorld, arguments: dict[str, Any]) -> None:
    async def steps(wire: Wire) -> Any:
        return (await wire.ask("tools/call", name="apply_fix", arguments=arguments))["result"]

    answer = over_wire(world, steps)
    assert (answer["resultType"], answer["isError"]) == ("complete", True)


def test_a_long_diagnosis_becomes_a_task_of_its_caller_alone(tmp_path: Any) -> None:
    import threading

    world = worlds.build(tmp_path, RateLimits(burst=1000), {**RULES, "diagnose": TaskRule(0.1)})
    release = threading.Event()
    world.hosts.before = lambda: release.wait(GUARD_S) and None

    async def steps(wire: Wire) -> Any:
        made = (await wire.ask("tools/call", name="diagnose", arguments={"host": "web-01"}))["result"]
        identifier = made["taskId"]
        working = (await wire.ask("tasks/get", taskId=identifier))["result"]
        world.now[0] = caller("bob")
        foreign = await wire.ask("tasks/get", taskId=identifier)
        world.now[0] = caller("ann")
        mismatch = await wire.ask("tasks/get", named="another", taskId=identifier)
        release.set()
        return working, foreign, mismatch, await until_completed(wire, identifier)

    working, foreign, mismatch, done = over_wire(world, steps)
    assert (working["status"], working["ttlMs"] > 0) == ("working", True)
    assert foreign["error"]["code"] == -32602
    assert mismatch["error"]["code"] == -32020
    assert done["result"]["structuredContent"]["status"] == "cause_found"
    world.trust.store.close()


def test_a_client_without_the_extension_gets_plain_answers(world: McpWorld) -> None:
    fix = proposed(world)

    async def steps(wire: Wire) -> Any:
        plain = await wire.ask("tools/call", name="apply_fix", arguments={"fix_id": fix})
        return plain, await wire.ask("tasks/get", taskId="x")

    plain, gated = over_wire(world, steps, declares=False)
    assert "result" in plain, plain
    assert "not_approved" in plain["result"]["content"][0]["text"]
    assert gated["error"]["code"] == -32021
