"""The official inspector's command line lists and calls every tool, over stdio and over HTTP, strictly."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hang import GUARD_S
from tests.peers import peers
from tests.system.mcp import persons

pytestmark = pytest.mark.skipif(peers.NO_NODE is not None, reason=str(peers.NO_NODE))
CLI = (str(peers.INSPECTOR), "--cli", "--connect-timeout", str(int(1000 * GUARD_S)))  # its own: 30 s until a server has started
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
    done = peers.node(*CLI, *arguments, timeout_s=GUARD_S)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


def called(*where: str, tool: str, **arguments: object) -> Any:
    options = [option for key, value in arguments.items() for option in ("--tool-arg", f"{key}={value}")]
    done = peers.node(*CLI, *where, "--method", "tools/call", "--tool-name", tool, *options, timeout_s=GUARD_S)
    assert done.stdout, (done.returncode, done.stderr[-2000:])
    return json.loads(done.stdout)


@pytest.mark.timeout(10 * GUARD_S)
def test_every_tool_is_called_over_http_and_the_schemas_are_strictly_portable(address: str) -> None:
    where = (address, "--transport", "http")
    listed = inspected(*where, "--method", "tools/list", "--strict")
    assert len(listed["tools"]) == 9
    fix = ""
    for name, arguments in (*CALLS, ("fix_status", {}), ("apply_fix", {})):
        answer = called(*where, tool=name, **arguments, **({"fix_id": fix} if name in {"fix_status", "apply_fix"} else {}))
        fix = answer.get("structuredContent", {}).get("fix_id", fix)
        if name == "apply_fix":
            assert "not_approved" in answer["content"][0]["text"]
        else:
            assert answer["structuredContent"], name


@pytest.mark.timeout(10 * GUARD_S)
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_client_of_either_revision_goes_from_the_verdict_to_the_state_of_a_fix(era: str, address: str) -> None:
    """`legacy` is 2025-11-25, `modern` 2026-07-28 and nothing else."""
    where = (address, "--transport", "http", "--protocol-era", era)
    verdict = called(*where, tool="diagnose", host="web-01")["structuredContent"]
    assert (verdict["status"], verdict["offers"][0]["remediation"]) == ("cause_found", "raise_tasks_max")
    fix = called(*where, tool="propose_fix", host="web-01", remediation="raise_tasks_max", parameters='{"limit":200}')
    fix_id = fix["structuredContent"]["fix_id"]
    assert called(*where, tool="fix_status", fix_id=fix_id)["structuredContent"]["state"] == "proposed"


FIX_ONLY = tuple(call for call in CALLS if call[0] in {"diagnose", "propose_fix"})  # each call starts two programs: two seconds


@pytest.mark.timeout(10 * GUARD_S)
@pytest.mark.parametrize("calls", [pytest.param(FIX_ONLY, id="a fix"), pytest.param(CALLS, id="all", marks=pytest.mark.long)])
def test_every_tool_is_called_over_stdio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: tuple[tuple[str, dict[str, Any]], ...]
) -> None:
    starter, server = persons.start(tmp_path)
    for name, value in persons.home(tmp_path).items():
        monkeypatch.setenv(name, value)
    program = tmp_path / "triagebook"
    program.write_text(f"#!{persons.COMMAND[0]}\nfrom triagebook.bot.cli.app import main\nmain()\n")
    program.chmod(0o755)
    where = (str(program), "mcp", "--socket", str(server.socket))
    try:
        assert len(inspected(*where, "--method", "tools/list", "--strict")["tools"]) == 9
        assert inspected(*where, "--method", "resources/templates/list")["resourceTemplates"]
        assert inspected(*where, "--method", "prompts/list")["prompts"][0]["name"] == "triage"
        fix = ""
        for name, arguments in (*calls, ("fix_status", {}), ("apply_fix", {})):
            given = {key: str(value).replace("web-02", "replay:user-nproc") for key, value in arguments.items()}
            if name.startswith("diagnose"):
                given = {key: value.replace("web-01", "replay:unit-tasksmax") for key, value in given.items()}
            answer = called(*where, tool=name, **given, **({"fix_id": fix} if name in {"fix_status", "apply_fix"} else {}))
            fix = answer.get("structuredContent", {}).get("fix_id", fix)
            expected = {"apply_fix": "not_approved", "get_diagnosis": "not_found"}.get(name)  # each call is a new process
            assert expected in answer["content"][0]["text"] if expected else answer["structuredContent"], name
    finally:
        starter.end()
