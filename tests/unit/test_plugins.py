"""What packages triagebook for assistants: made from one description, and as each format's published schema wants it.

The schemas are restated here in short, with their sources; tests/peers/test_clients.py runs the validators of the formats' owners.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from triagebook.bot.cli.mcp_client_file import read
from triagebook.bot.cli.mcp_clients import CLIENTS

from tests import plugins
from tests.plugins import AGENT_PLUGINS, DEPLOY, NAME, ROOT, VERSION

TEXT: Any = {"type": "string", "minLength": 1}
TEXTS: Any = {"type": "array", "items": TEXT}
AUTHOR: Any = {"type": "object", "properties": {"name": TEXT, "email": TEXT, "url": TEXT}, "additionalProperties": False}
IDENTIFIER: Any = {"type": "string", "maxLength": 64, "pattern": r"^(?!.*(?:--|\.\.))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$"}
INSIDE: Any = {"type": "string", "pattern": r"^\./(?!.*\.\.)"}
STDIO: Any = {"type": "object", "required": ["command"], "properties": {"command": TEXT, "args": TEXTS, "env": {"type": "object"}}}
SERVERS: Any = {"type": "object", "additionalProperties": STDIO, "minProperties": 1}
ABOUT: Any = {"name": IDENTIFIER, "version": TEXT, "description": TEXT, "author": AUTHOR, "homepage": TEXT, "repository": TEXT}
MORE: Any = {"license": TEXT, "keywords": TEXTS}


def closed(required: str, **properties: Any) -> Any:
    """A schema of an object that has no other members."""
    return {"type": "object", "required": required.split(), "properties": properties, "additionalProperties": False}


SCHEMAS: dict[str, Any] = {
    # agentplugins/agent-plugins-spec, schemas/1.0.0/plugin.schema.json and mcp.schema.json
    "plugin/plugin.json": closed(
        "$schema name",
        **{"$schema": {"const": f"{AGENT_PLUGINS}/plugin.schema.json"}},
        **ABOUT,
        **MORE,
        extensions={"type": "object"},
    ),
    "plugin/mcp.json": closed(
        "$schema mcpServers",
        **{"$schema": {"const": f"{AGENT_PLUGINS}/mcp.schema.json"}},
        mcpServers={
            "type": "object",
            "additionalProperties": closed(
                "type command", type={"const": "stdio"}, command=TEXT, args=TEXTS, env={"type": "object"}
            ),
        },
    ),
    # code.claude.com/docs/en/plugins-reference and plugin-marketplaces
    "plugin/.claude-plugin/plugin.json": closed("name", **ABOUT, **MORE),
    "plugin/.mcp.json": closed("mcpServers", mcpServers=SERVERS),
    "../../.claude-plugin/marketplace.json": closed(
        "name owner plugins",
        name=IDENTIFIER,
        owner=closed("name", name=TEXT, email=TEXT),
        metadata={"type": "object"},
        plugins={"type": "array", "items": closed("name source", name=IDENTIFIER, source=INSIDE, description=TEXT, version=TEXT)},
    ),
    # developers.openai.com/plugins: the manifest of a Codex plugin, and its marketplace
    "plugin/.codex-plugin/plugin.json": closed(
        "name version description",
        **ABOUT,
        **MORE,
        skills=INSIDE,
        mcpServers=INSIDE,
        interface={"type": "object", "required": ["displayName", "shortDescription"]},
    ),
    "../../.agents/plugins/marketplace.json": closed(
        "name plugins",
        name=IDENTIFIER,
        interface={"type": "object"},
        plugins={
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "source", "policy", "category"],
                "properties": {"source": closed("source path", source={"const": "local"}, path=INSIDE)},
            },
        },
    ),
    # github.com/cursor/plugins, schemas/plugin.schema.json
    "plugin/.cursor-plugin/plugin.json": closed(
        "name",
        **{**ABOUT, "author": closed("name", name=TEXT, email=TEXT)},
        **MORE,
        displayName=TEXT,
        skills=INSIDE,
        mcpServers=INSIDE,
    ),
    # geminicli.com/docs/extensions/reference
    "plugin/gemini-extension.json": closed("name version", name=IDENTIFIER, version=TEXT, description=TEXT, mcpServers=SERVERS),
    # modelcontextprotocol/mcpb, manifest 0.4
    "bundle/manifest.json": {
        "type": "object",
        "required": ["manifest_version", "name", "version", "description", "author", "server"],
        "properties": {
            "manifest_version": {"const": "0.4"},
            "server": closed(
                "type entry_point", type={"enum": ["python", "node", "binary", "uv"]}, entry_point=TEXT, mcp_config=STDIO
            ),
            "tools": {"type": "array", "items": closed("name", name=TEXT, description=TEXT)},
            "repository": closed("type url", type=TEXT, url=TEXT),
        },
    },
    # static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
    "server.json": closed(
        "name description version",
        **{"$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"}},
        name={"type": "string", "minLength": 3, "maxLength": 200, "pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
        title={"type": "string", "minLength": 1, "maxLength": 100},
        description={"type": "string", "minLength": 1, "maxLength": 100},
        version={"type": "string", "maxLength": 255},
        repository=closed("url source", url=TEXT, source=TEXT, id=TEXT, subfolder=TEXT),
        packages={
            "type": "array",
            "items": {
                "type": "object",
                "required": ["registryType", "identifier", "transport"],
                "properties": {"transport": closed("type", type={"const": "stdio"}), "version": {"not": {"const": "latest"}}},
            },
        },
    ),
}


@pytest.mark.parametrize("path", sorted(plugins.files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_what_the_description_gives(path: Path) -> None:
    assert path.read_text() == plugins.files()[path], "make plugins"


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_a_client_configuration_starts_our_command_or_names_our_path(client: str) -> None:
    known = CLIENTS[client]
    for transport, url in (("stdio", ""), ("http", plugins.URL)):
        found: Any = read((DEPLOY / client / f"{transport}.{known.form}").read_text(), known.form)
        for name in (*known.under, NAME):
            (found,) = [found[name]] if len(found) == 1 else []
        assert found == known.entry(NAME, url)
        assert (url or '"mcp"') in json.dumps(found)


def test_nothing_else_is_there() -> None:
    by_hand = {DEPLOY / "README.md", DEPLOY / "plugin" / "skills" / NAME / "SKILL.md"}
    assert {file for file in DEPLOY.rglob("*") if file.is_file()} - by_hand <= set(plugins.files())


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_manifest_is_as_its_format_wants_it(name: str) -> None:
    jsonschema.validate(json.loads((DEPLOY / name).read_text()), SCHEMAS[name], format_checker=jsonschema.FormatChecker())


def test_every_manifest_has_a_schema() -> None:
    made = {path for path in plugins.files() if path.suffix == ".json" and path.parent.name not in CLIENTS}
    assert made == {(DEPLOY / name).resolve() for name in SCHEMAS}


def test_a_path_of_a_manifest_leads_to_what_the_plugin_has() -> None:
    for name in ("codex", "cursor"):
        manifest = json.loads((DEPLOY / "plugin" / f".{name}-plugin" / "plugin.json").read_text())
        assert (DEPLOY / "plugin" / manifest["skills"] / NAME / "SKILL.md").is_file()
        assert (DEPLOY / "plugin" / manifest["mcpServers"]).is_file()
    assert (DEPLOY / "bundle" / json.loads((DEPLOY / "bundle" / "manifest.json").read_text())["server"]["entry_point"]).is_file()
    for marketplace in (".claude-plugin", ".agents/plugins"):
        (entry,) = json.loads((ROOT / marketplace / "marketplace.json").read_text())["plugins"]
        source = entry["source"] if isinstance(entry["source"], str) else entry["source"]["path"]
        assert (ROOT / source / "plugin.json").is_file()


def test_the_skill_has_the_name_of_its_folder_and_says_when_to_use_it() -> None:
    (skill,) = (DEPLOY / "plugin" / "skills").glob("*/SKILL.md")
    header = YAML(typ="safe").load(skill.read_text().split("---\n")[1])
    assert header["name"] == skill.parent.name
    assert 40 < len(header["description"]) <= 1024
    assert set(header) == {"name", "description"}


def test_all_have_the_version_of_the_package() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    versions = {line.strip() for text in plugins.files().values() for line in text.splitlines() if '"version"' in line}
    assert {line.rstrip(",") for line in versions} == {f'"version": "{VERSION}"'}
