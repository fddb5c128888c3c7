"""`triagebook mcp` as an assistant starts it: a process on pipes, the OS user, everything but diagnosing through the server."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from tests.hang import GUARD_S
from tests.system.fixes.server import Server
from tests.system.mcp import persons

from .test_attacks import WISH
from .world import text


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    starter, server = persons.start(tmp_path)
    yield server
    starter.end()


def with_client(directory: Path, socket: Path, steps: Any, **options: Any) -> Any:
    parameters = StdioServerParameters(
        command=persons.COMMAND[0], args=[*persons.COMMAND[1:], "mcp", "--socket", str(socket)], env=persons.home(directory)
    )

    async def main() -> Any:
        async with Client(parameters, **options) as client:
            return await steps(client)

    return anyio.run(main)


@pytest.mark.skipif(persons.NOT_ROOT is not None, reason=str(persons.NOT_ROOT))
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_from_a_verdict_to_a_fix_that_another_account_approved(served: Server, tmp_path: Path, mode: str) -> None:
    async def steps(client: Client) -> Any:
        verdict = await client.call_tool(
            "diagnose", {"host": "replay:unit-tasksmax", "symptom": "fork: Resource temporarily unavailable"}
        )
        assert verdict.structured_content["cause"]["cause"] == "pids_cgroup"
        asked = (await client.call_tool("propose_fix", WISH)).structured_content
        early = await client.call_tool("apply_fix", {"fix_id": asked["fix_id"], "approved": True})
        sooner = await client.call_tool("apply_fix", {"fix_id": asked["fix_id"]})
        await anyio.to_thread.run_sync(persons.approve, served.socket, asked["fix_id"], asked["digest"])
        seen = (await client.call_tool("fix_status", {"fix_id": asked["fix_id"]})).structured_content
        done = await client.call_tool("apply_fix", {"fix_id": asked["fix_id"]})
        rows = (await client.call_tool("search_audit", {"fix_id": asked["fix_id"]})).structured_content["rows"]
        return asked, early, sooner, seen, done, rows

    asked, early, sooner, seen, done, rows = with_client(tmp_path, served.socket, steps, mode=mode)
    assert (asked["state"], asked["requester"]) == ("proposed", "asker")
    assert "unknown_argument" in text(early)
    assert "not_approved" in text(sooner)
    assert seen["state"] == "approved"
    assert done.structured_content["state"] == "validated", text(done)
    assert {row["channel"] for row in rows if row["action"] in {"propose", "apply"}} == {"mcp"}
    noted = [row for row in served.ask("audit_list", limit=50) if row["reason"] == "unknown_argument"]
    assert [(row["action"], row["person"], row["channel"]) for row in noted] == [("apply", "asker", "mcp")]


def test_the_channel_is_an_assistants_even_when_the_account_could_approve(served: Server) -> None:
    fix = served.ask("propose", **WISH)
    from triagebook.runbooks.engine.errors import RefusedError

    with pytest.raises(RefusedError) as refused:
        served.ask("approve", fix=fix["id"], digest=fix["digest"], channel="mcp")
    assert refused.value.reason == "mcp_cannot_approve"


def test_without_a_server_diagnosing_works_and_the_rest_says_what_is_missing(tmp_path: Path) -> None:
    async def steps(client: Client) -> Any:
        names = (await client.call_tool("list_hosts", {})).structured_content["hosts"]
        verdict = await client.call_tool("diagnose", {"host": "replay:unit-tasksmax"})
        return names, verdict, await client.call_tool("propose_fix", WISH), await client.call_tool("search_audit", {})

    names, verdict, wish, audit = with_client(tmp_path, tmp_path / "nothing.sock", steps)
    assert [host["name"] for host in names] == ["web-01", "box"]
    assert verdict.structured_content["status"] == "cause_found"
    assert "refused [no_server]" in text(wish)
    assert "refused [no_server]" in text(audit)


def test_nothing_but_the_protocol_is_written_to_standard_output(tmp_path: Path) -> None:
    run = subprocess.run(
        [*persons.COMMAND, "mcp"],
        input="this is no JSON\n",
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
        env=persons.home(tmp_path),
    )
    assert all(line.startswith("{") for line in run.stdout.splitlines())
    assert "Traceback" not in run.stderr
