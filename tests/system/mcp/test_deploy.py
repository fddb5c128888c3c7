"""What is handed out for clients names tools, commands and options that exist."""

import json
import re
import tomllib
from pathlib import Path

from tests import plugins
from tests.command import ROOT, Triagebook

from .world import McpWorld

DEPLOY = ROOT / "deploy" / "mcp"
STEPS = ("Diagnose", "Explain", "Propose", "Wait", "Apply", "Verify")
SKILL = DEPLOY / "plugin" / "skills" / "triagebook" / "SKILL.md"


def test_the_texts_name_only_tools_commands_and_options_that_exist(world: McpWorld, tmp_path: Path) -> None:
    tools = {tool.name for tool in world.run(lambda client: client.list_tools()).tools}
    text = SKILL.read_text()
    named = set(re.findall(r"`([a-z]+_[a-z_]+|diagnose)(?:\(|`)", text)) - {"cannot_apply"}
    assert named <= tools
    assert set(plugins.TOOLS) == tools
    assert named >= tools - {"list_runbooks"}
    triagebook = Triagebook(tmp_path)
    texts = text + (DEPLOY / "README.md").read_text() + (DEPLOY / "server.json").read_text()
    for command in ("serve", "mcp", "fix show", "fix approve"):
        assert f"triagebook {command}" in texts
        shown = triagebook(*command.split(), "--help").out
        assert shown
        for option in re.findall(r"(--[a-z]+(?:-[a-z]+)*)", texts) if command == "serve" else ():
            assert option in shown or option in {"--socket", "--with"}, option


def test_the_skill_keeps_the_safe_order(world: McpWorld) -> None:
    text = SKILL.read_text()
    places = [text.index(f"**{step}") for step in STEPS]
    assert places == sorted(places)
    assert text.startswith("---\nname: triagebook\ndescription: ")


def test_the_registry_entry_has_the_version_of_the_package() -> None:
    entry = json.loads((DEPLOY / "server.json").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {entry["version"], entry["packages"][0]["version"]} == {version}
    assert len(entry["description"]) <= 100
    # A client runs `uvx RUNTIME_ARGUMENTS IDENTIFIER==VERSION ARGUMENTS`: `--from` would take the identifier for the command.
    (package,) = entry["packages"]
    assert [item["name"] for item in package["runtimeArguments"]] == ["--with"]
    assert package["runtimeArguments"][0]["value"] == f"{package['identifier']}[mcp]"
    assert f"mcp-name: {entry['name']}" in (ROOT / "README.md").read_text()
