"""The official inspector's command line lists and calls every tool, over stdio and over HTTP, strictly."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mcp import persons
from tests.peers import peers

pytestmark = pytest.mark.skipif(peers.NO_NODE is not None, reason=str(peers.NO_NODE))
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_hosts", {}),
    ("list_runbooks", {}),
    ("diagnose", {"host": "web-01"}),
    ("diagnose_fleet", {"hosts": '["web-01","web-02"]'}),
    ("get_diagnosis", {"diagnosis_id": "D-1"}),
    ("propose_fix", {"host": "web-01", "remediation": "raise_tasks_max", "parameters": '{"limit":200}'}),
    ("search_audit", {"limit": 5}),
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with peers.serving("product") as found:
        yield found


def inspected(*arguments: str) -> Any:
    done = peers.node(str(peers.INSPECTOR), "--cli", *arguments, timeout_s=90)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(200)
def test_every_tool_is_called_over_http_and_the_schemas_are_strictly_portable(address: str) -> None:
    where = (address, "--transport", "http")
    listed = inspected(*where, "--method", "tools/list", "--strict")
    assert len(listed["tools"]) == 9
    fix = ""
    for name, arguments in (*CALLS, ("fix_status", {}), ("apply_fix", {})):
        given = {**arguments, **({"fix_id": fix} if name in {"fix_status", "apply_fix"} else {})}
        options = [option for key, value in given.items() for option in ("--tool-arg", f"{key}={value}")]
        done = peers.node(str(peers.INSPECTOR), "--cli", *where, "--method", "tools/call", "--tool-name", name, *options, timeout_s=90)
        answer = json.loads(done.stdout)
        fix = answer.get("structuredContent", {}).get("fix_id", fix)
        if name == "apply_fix":
            assert "not_approved" in answer["content"][0]["text"]
        else:
            assert answer["structuredContent"], name


@pytest.mark.timeout(200)
def test_it_lists_and_calls_over_stdio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in persons.home(tmp_path).items():
        monkeypatch.setenv(name, value)
    program = tmp_path / "triagebook"
    program.write_text(f"#!{persons.COMMAND[0]}\nfrom triagebook.bot.cli import main\nmain()\n")
    program.chmod(0o755)
    listed = inspected(str(program), "mcp", "--method", "tools/list", "--strict")
    assert len(listed["tools"]) == 9
    called = ("--method", "tools/call", "--tool-name", "diagnose", "--tool-arg", "host=replay:unit-tasksmax")
    assert inspected(str(program), "mcp", *called)["structuredContent"]["status"] == "cause_found"
    assert inspected(str(program), "mcp", "--method", "resources/templates/list")["resourceTemplates"]
    assert inspected(str(program), "mcp", "--method", "prompts/list")["prompts"][0]["name"] == "triage"
