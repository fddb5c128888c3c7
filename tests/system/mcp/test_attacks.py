"""What an assistant must not get, whatever it sends. Each refusal carries a reason and is a row of the audit log."""

from typing import Any

import pytest
from mcp import Client
from mcp_types import ElicitResult
from triagebook.tools.log import INFO, ROOT

from .world import SCOPES, McpWorld, text

WISH = {"host": "web-01", "remediation": "raise_tasks_max", "parameters": {"limit": 200}}


def proposed(world: McpWorld, host: str = "web-01") -> str:
    answer = world.as_("ann").call("propose_fix", {**WISH, "host": host})
    assert not answer.is_error, text(answer)
    found: str = answer.structured_content["fix_id"]
    return found


def approved(world: McpWorld, host: str = "web-01") -> str:
    fix = proposed(world, host)
    assert world.trust.approve(fix, "bob") == "approved"
    return fix


def effects(world: McpWorld) -> list[str]:
    return sorted(file.name for file in world.trust.executor.directory.iterdir())


def test_no_tool_approves_and_no_argument_of_any_tool_says_yes(world: McpWorld) -> None:
    tools = world.run(lambda client: client.list_tools()).tools

    def names(schema: Any) -> set[str]:
        if isinstance(schema, dict):
            found = set(schema.get("properties", {}))
            return found.union(*map(names, schema.values())) if schema else found
        return set().union(*map(names, schema)) if isinstance(schema, list) and schema else set()

    words = ("approve", "approved", "confirm", "confirmed", "force", "yes", "token", "command", "script", "password")
    assert len(tools) == 9
    for tool in tools:
        assert not [word for word in words if word in tool.name.split("_")]
        assert not names(tool.input_schema) & set(words), tool.name
        assert tool.input_schema["additionalProperties"] is False


def test_approved_true_gets_nothing(world: McpWorld) -> None:
    fix = proposed(world)
    assert world.refused("apply_fix", {"fix_id": fix, "approved": True}, action="apply") == "unknown_argument"
    assert world.refused("apply_fix", {"fix_id": fix}) == "not_approved"
    assert world.trust.state(fix) == "proposed"
    assert effects(world) == []


def test_an_elicitation_that_the_client_answers_itself_approves_nothing(world: McpWorld) -> None:
    fix, asked = proposed(world), []

    async def yes(_context: Any, params: Any) -> ElicitResult:
        asked.append(params)
        return ElicitResult(action="accept", content={"approved": True, "confirm": True})

    for mode in ("auto", "legacy"):
        answer = world.call("apply_fix", {"fix_id": fix}, elicitation_callback=yes, mode=mode)
        assert (answer.is_error, "not_approved" in text(answer)) == (True, True)
    assert world.trust.last().reason == "not_approved"
    assert asked == []
    assert effects(world) == []


def test_an_approved_fix_is_applied_once(world: McpWorld) -> None:
    fix = approved(world)
    first = world.as_("cid").call("apply_fix", {"fix_id": fix})
    assert first.structured_content["state"] == "validated", text(first)
    assert world.refused("apply_fix", {"fix_id": fix}, action="apply") == "already_used"
    assert len(effects(world)) == 1


def test_anothers_plan_is_not_applied_without_the_right(world: McpWorld) -> None:
    fix = approved(world)
    assert world.as_("dan").refused("apply_fix", {"fix_id": fix}) == "no_rule"
    assert world.as_("robot").refused("apply_fix", {"fix_id": fix}) == "no_rule"
    assert world.trust.state(fix) == "approved"
    assert effects(world) == []


def test_a_guessed_id_says_no_more_than_one_that_exists_elsewhere(world: McpWorld) -> None:
    assert world.refused("apply_fix", {"fix_id": "F-00000000"}) == "not_found"
    assert world.refused("fix_status", {"fix_id": "F-00000000"}, action="show") == "not_found"
    hidden = proposed(world)
    seen = text(world.as_("stranger").call("fix_status", {"fix_id": hidden}))
    guessed = text(world.call("fix_status", {"fix_id": "F-00000000"}))
    world.trust.sql(f"UPDATE fixes SET host = 'db-01' WHERE id = '{hidden}'")
    unseen = text(world.call("fix_status", {"fix_id": hidden}))
    assert unseen.replace(hidden, "F-00000000") == guessed
    assert "UNTRUSTED" in seen  # strangers may look at web-*, and at nothing else


def test_a_token_without_a_person_may_diagnose_and_nothing_else(world: McpWorld) -> None:
    world.as_("stranger")
    assert not world.call("diagnose", {"host": "web-01"}).is_error
    assert world.refused("diagnose", {"host": "vault-1"}, action="diagnose") == "no_rule"
    assert world.refused("propose_fix", WISH, action="propose") == "unmapped_account"
    assert world.refused("search_audit", {}) == "unmapped_account"


def test_a_scope_that_is_missing_is_asked_for_by_name(world: McpWorld) -> None:
    fix = approved(world)
    world.as_("ann", ("triagebook:read",))
    for tool, arguments in (("propose_fix", WISH), ("apply_fix", {"fix_id": fix}), ("search_audit", {})):
        assert world.refused(tool, arguments) == "scope_missing"
    world.as_("ann", tuple(scope for scope in SCOPES if scope != "triagebook:read"))
    assert world.refused("diagnose", {"host": "web-01"}, action="diagnose") == "scope_missing"
    assert world.hosts.asked == []


def test_only_names_of_the_inventory_reach_a_host(world: McpWorld) -> None:
    for name in ("localhost", "127.0.0.1", "root@web-01", "web-01;id", "-oProxyCommand=id", "../web-01", "web-01\n", "[::1]"):
        assert world.refused("diagnose", {"host": name}) == "host_name", name
        assert world.refused("propose_fix", {**WISH, "host": name}) == "host_name", name
    assert world.refused("diagnose", {"host": "web-99"}) == "inventory"
    assert world.hosts.asked == []
    assert world.trust.diagnoser.asked == []


def test_what_was_diagnosed_is_read_only_by_who_may_diagnose_that_host_now(world: McpWorld) -> None:
    answer = world.call("diagnose", {"host": "vault-1"}).structured_content
    identifier = answer["diagnosis_id"]

    async def read(client: Client) -> str:
        try:
            return str((await client.read_resource(f"diagnosis://{identifier}")).contents[0])
        except Exception as error:  # noqa: BLE001 - whatever the client makes of it
            return str(error)

    assert "untrusted" in world.run(read)
    world.as_("stranger")
    assert "not_found" in world.run(read)
    assert "not_found" in text(world.call("get_diagnosis", {"diagnosis_id": identifier}))


def test_proposals_of_assistants_are_counted_by_the_day(world: McpWorld) -> None:
    for _ in range(20):
        fix = proposed(world)
        world.trust.service.withdraw(world.now[0].actor, fix)
    assert world.refused("propose_fix", WISH, action="propose") == "daily_quota"
    live = world.trust.approved()
    world.trust.apply(live)
    assert "daily_quota" in text(
        world.call("propose_fix", {"host": "web-01", "remediation": "raise_tasks_max", "permanent_of": live})
    )
    assert world.trust.propose("ann")  # the person's own terminal is not counted
    world.trust.clock.pass_(days=1, minutes=1)
    assert proposed(world)


def test_too_many_calls_are_refused_and_the_log_is_not_drowned(world: McpWorld) -> None:
    world.server._limits.burst, world.server._limits.a_second = 3.0, 0.001
    before = len(world.trust.events())
    answers = world.run(lambda client: _many(client, 12))
    reasons = [text(answer).partition("refused [")[2].partition("]")[0] for answer in answers if answer.is_error]
    assert 8 <= len(reasons) <= 9
    assert set(reasons) == {"rate_limit"}
    rows = [event for event in world.trust.events()[before:] if event.reason == "rate_limit"]
    assert len(rows) == 1


async def _many(client: Client, count: int) -> list[Any]:
    return [await client.call_tool("list_hosts", {}) for _ in range(count)]


def test_each_call_is_one_line_of_the_log_and_holds_nothing_of_its_arguments(
    world: McpWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(INFO, ROOT)
    world.as_("ann").call("diagnose", {"host": "web-01", "symptom": "password=hunter2"})
    world.as_("ann").refused("apply_fix", {"fix_id": "F-1", "approved": True}, action="apply")
    calls = [record.context for record in caplog.records if getattr(record, "event", "") == "mcp.call"]  # type: ignore[attr-defined]
    assert [(call["tool"], call["outcome"], call["reason"]) for call in calls] == [
        ("diagnose", "ok", None),
        ("apply_fix", "refused", "unknown_argument"),
    ]
    assert {call["account"] for call in calls} == {"mcp:https://idp.example/#ann"}
    assert "hunter2" not in caplog.text
