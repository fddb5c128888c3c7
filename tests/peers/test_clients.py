"""Real assistants (`make clients`): what `triagebook mcp install` wrote is read by their own parsers, and they list nine tools.

Each has a clean home directory and one command was given. Nobody signs in and no model is asked.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.command import ROOT
from tests.hang import GUARD_S
from tests.peers.peers import CACHE
from tests.plugins import DEPLOY, TOOLS
from tests.system.mcp import persons

MODULES = CACHE / "clients" / "node_modules"
BIN = MODULES / ".bin"
OPENCODE = MODULES / "opencode-linux-x64" / "bin" / "opencode"  # npm runs no scripts here, so neither has its link
CLAUDE = MODULES / "@anthropic-ai" / "claude-code-linux-x64" / "claude"
NO_CLIENTS = None if (CACHE / "clients" / ".installed").exists() else "no assistants here (`make clients` installs them, 1.3 GB)"

pytestmark = [pytest.mark.skipif(NO_CLIENTS is not None, reason=str(NO_CLIENTS)), pytest.mark.timeout(300)]


@pytest.fixture
def home(tmp_path: Path) -> Mapping[str, str]:
    """A clean home, and a `triagebook` on the path that keeps what it says: the answer to tools/list among it."""
    program = tmp_path / "bin" / "triagebook"
    program.parent.mkdir()
    start = f'"{persons.COMMAND[0]}" -c "from triagebook.bot.cli.app import main; main()"'
    program.write_text(f'#!/bin/sh\n{start} "$@" | tee -a "{tmp_path}/said"\n')
    program.chmod(0o755)
    (tmp_path / "work").mkdir()
    (tmp_path / "home").mkdir()
    path = f"{program.parent}:{BIN}:{os.environ['PATH']}"
    return {"HOME": str(tmp_path / "home"), "PATH": path, "TERM": "dumb", "GEMINI_CLI_TRUST_WORKSPACE": "true"}


def run(home: Mapping[str, str], *argv: str) -> str:
    """What a command says; it must succeed."""
    where = Path(home["HOME"]).parent / "work"
    done = subprocess.run(argv, capture_output=True, text=True, timeout=GUARD_S, env=dict(home), cwd=where, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    return done.stdout + done.stderr


def tools_given(home: Mapping[str, str]) -> set[str]:
    """The tools that the client has asked for and been given."""
    said = (Path(home["HOME"]).parent / "said").read_text().splitlines()
    answers = [json.loads(line).get("result", {}) for line in said if line.startswith('{"jsonrpc"')]
    return {tool["name"] for answer in answers for tool in answer.get("tools", ())}


def codex_tools(home: Mapping[str, str]) -> set[str]:
    """The tools that Codex's own server says it has of us."""
    asked: tuple[dict[str, Any], ...] = (
        {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "test", "version": "1"}}},
        {"method": "initialized"},
        {"id": 2, "method": "mcpServerStatus/list", "params": {}},
    )
    with subprocess.Popen(
        ("codex", "app-server"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(home)
    ) as codex:
        assert codex.stdin is not None
        assert codex.stdout is not None
        codex.stdin.write("".join(json.dumps(one) + "\n" for one in asked))
        codex.stdin.flush()
        answer = next(read for read in map(json.loads, codex.stdout) if read.get("id") == 2)
        codex.terminate()
    (server,) = answer["result"]["data"]
    assert server["name"] == "triagebook"
    return set(server["tools"])


def test_codex_lists_nine_tools_after_one_command(home: Mapping[str, str]) -> None:
    run(home, "triagebook", "mcp", "install", "codex", "--write")
    assert codex_tools(home) == set(TOOLS)


def test_claude_code_connects_and_is_given_nine_tools(home: Mapping[str, str]) -> None:
    run(home, "triagebook", "mcp", "install", "claude-code", "--write")
    assert "Connected" in run(home, str(CLAUDE), "mcp", "list")
    assert tools_given(home) == set(TOOLS)


def test_opencode_connects_and_is_given_nine_tools(home: Mapping[str, str]) -> None:
    run(home, "triagebook", "mcp", "install", "opencode", "--write")
    assert "connected" in run(home, str(OPENCODE), "mcp", "list")
    assert tools_given(home) == set(TOOLS)


def test_gemini_cli_reads_the_server_from_its_settings(home: Mapping[str, str]) -> None:
    """It gives a server five seconds to start, which a busy machine may not have: that it is read is all that is asked here."""
    run(home, "triagebook", "mcp", "install", "gemini-cli", "--write")
    assert "triagebook mcp (stdio)" in run(home, "gemini", "mcp", "list")


def test_codex_installs_the_plugin_from_this_repository(home: Mapping[str, str]) -> None:
    run(home, "codex", "plugin", "marketplace", "add", str(ROOT))
    run(home, "codex", "plugin", "add", "triagebook@triagebook")
    assert codex_tools(home) == set(TOOLS)


def test_claude_code_installs_the_plugin_from_this_repository(home: Mapping[str, str]) -> None:
    run(home, str(CLAUDE), "plugin", "marketplace", "add", str(ROOT))
    run(home, str(CLAUDE), "plugin", "install", "triagebook@triagebook")
    assert "triagebook@triagebook" in run(home, str(CLAUDE), "plugin", "list")


@pytest.mark.parametrize("folder", [DEPLOY / "plugin", ROOT], ids=["plugin", "marketplace"])
def test_claude_codes_validator_passes(folder: Path, home: Mapping[str, str]) -> None:
    assert "Validation passed" in run(home, str(CLAUDE), "plugin", "validate", str(folder))


def test_geminis_validator_passes(home: Mapping[str, str]) -> None:
    assert "successfully validated" in run(home, "gemini", "extensions", "validate", str(DEPLOY / "plugin"))


def test_the_bundle_passes_the_validator_of_mcpb_and_is_packed(home: Mapping[str, str], tmp_path: Path) -> None:
    assert "passes" in run(home, "mcpb", "validate", str(DEPLOY / "bundle" / "manifest.json"))
    run(home, "mcpb", "pack", str(DEPLOY / "bundle"), str(tmp_path / "triagebook.mcpb"))
    assert (tmp_path / "triagebook.mcpb").stat().st_size > 500
