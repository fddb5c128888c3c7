"""Everything that packages triagebook for assistants, made of one description: `make plugins` writes it, tests hold it.

The description is pyproject.toml, the table of clients of `triagebook mcp install`, and the words below. The skill and README.md
are written by hand; all else under deploy/mcp, .claude-plugin and .agents is made here.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triagebook.bot.cli.mcp_client_file import add_entry
from triagebook.bot.cli.mcp_clients import CLIENTS, NAME

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy" / "mcp"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION: str = PROJECT["version"]
URL = "https://triage.example/mcp"
TITLE = "triagebook"
SHORT = "Says why a Linux host refuses memory or processes; fixes it once a person has approved"
LONG = (
    'Finds out over SSH why a Linux host refuses memory, processes, threads, files or connections ("fork: retry", "Cannot allocate '
    'memory", "Too many open files"), by a versioned runbook and without a model, and proposes a fix that another person approves.'
)
KEYWORDS = ("linux", "ssh", "diagnosis", "runbook", "incident-response")
TOOLS = {
    "list_hosts": "Hosts one may ask about",
    "list_runbooks": "Runbooks, and what each looks at",
    "diagnose": "Why a host refuses memory, processes, files or connections",
    "diagnose_fleet": "The same of many hosts, grouped by verdict",
    "get_diagnosis": "More of the evidence of a diagnosis",
    "propose_fix": "A plan that another person must approve",
    "fix_status": "Where a fix stands",
    "apply_fix": "Carry out an approved plan, once",
    "search_audit": "What was done, by whom",
}
STDIO = {"command": NAME, "args": ["mcp"]}
REGISTRY_NAME = "io.github.triagebook/triagebook"
REPOSITORY = "https://github.com/triagebook/triagebook"
AUTHOR = {"name": "triagebook maintainers", "url": REPOSITORY}
ABOUT = {"name": NAME, "version": VERSION, "description": SHORT}
MORE = {
    "author": AUTHOR,
    "homepage": REPOSITORY,
    "repository": REPOSITORY,
    "license": PROJECT["license"],
    "keywords": list(KEYWORDS),
}
AGENT_PLUGINS = "https://agent-plugins.org/schemas/1.0.0"
SKILLS = "./skills/"
BUNDLE_MAIN = '''"""Starts the MCP server of triagebook, which `uv` has installed from pyproject.toml beside this file."""

from triagebook.bot.cli.app import main

main()
'''


def plugin() -> Mapping[str, Any]:
    """The plugin folder: Agent Plugins 1.0, and the same for clients that look for a manifest of their own."""
    servers = {NAME: STDIO}
    return {
        "plugin/plugin.json": {"$schema": f"{AGENT_PLUGINS}/plugin.schema.json", **ABOUT, **MORE},
        "plugin/mcp.json": {"$schema": f"{AGENT_PLUGINS}/mcp.schema.json", "mcpServers": {NAME: {"type": "stdio", **STDIO}}},
        "plugin/.mcp.json": {"mcpServers": servers},
        "plugin/.claude-plugin/plugin.json": {**ABOUT, **MORE},
        "plugin/.codex-plugin/plugin.json": {
            **ABOUT,
            **MORE,
            "skills": SKILLS,
            "mcpServers": "./.mcp.json",
            "interface": {
                "displayName": TITLE,
                "shortDescription": SHORT,
                "longDescription": LONG,
                "developerName": AUTHOR["name"],
                "category": "Developer Tools",
                "capabilities": ["Read", "Write"],
                "defaultPrompt": ["Why does web01 say fork: retry: Resource temporarily unavailable?"],
            },
        },
        "plugin/.cursor-plugin/plugin.json": {
            **ABOUT,
            "displayName": TITLE,
            "author": {"name": AUTHOR["name"]},
            **{key: value for key, value in MORE.items() if key != "author"},
            "skills": SKILLS,
            "mcpServers": "./.mcp.json",
        },
        "plugin/gemini-extension.json": {**ABOUT, "mcpServers": servers},
    }


def marketplaces() -> Mapping[str, Any]:
    """The repository as a marketplace of this one plugin, for Claude Code and for Codex."""
    source = "./deploy/mcp/plugin"
    return {
        "../../.claude-plugin/marketplace.json": {
            "name": NAME,
            "owner": {"name": AUTHOR["name"]},
            "metadata": {"description": SHORT},
            "plugins": [{"name": NAME, "source": source, "description": SHORT, "version": VERSION}],
        },
        "../../.agents/plugins/marketplace.json": {
            "name": NAME,
            "interface": {"displayName": TITLE},
            "plugins": [
                {
                    "name": NAME,
                    "source": {"source": "local", "path": source},
                    "policy": {"installation": "AVAILABLE", "authentication": "ON_INSTALL"},
                    "category": "Developer Tools",
                }
            ],
        },
    }


def bundle() -> Mapping[str, Any]:
    """The MCP bundle (.mcpb): `uv` fetches the package and starts it."""
    run = {"command": "uv", "args": ["run", "--directory", "${__dirname}", "main.py", "mcp"], "env": {}}
    return {
        "bundle/manifest.json": {
            "manifest_version": "0.4",
            "name": NAME,
            "display_name": TITLE,
            "version": VERSION,
            "description": SHORT,
            "long_description": LONG,
            "author": AUTHOR,
            "repository": {"type": "git", "url": REPOSITORY},
            "server": {"type": "uv", "entry_point": "main.py", "mcp_config": run},
            "tools": [{"name": name, "description": says} for name, says in TOOLS.items()],
            "keywords": list(KEYWORDS),
            "license": PROJECT["license"],
            "compatibility": {"platforms": ["darwin", "linux"], "runtimes": {"python": PROJECT["requires-python"]}},
        },
        "bundle/main.py": BUNDLE_MAIN,
        "bundle/pyproject.toml": (
            f'[project]\nname = "{NAME}-bundle"\nversion = "{VERSION}"\nrequires-python = "{PROJECT["requires-python"]}"\n'
            f'dependencies = ["{NAME}[mcp]=={VERSION}"]\n'
        ),
    }


def registry() -> Mapping[str, Any]:
    """The entry of the MCP registry. `uvx --with triagebook[mcp] triagebook==VERSION mcp`: `--from` would take the identifier."""
    return {
        "server.json": {
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
            "name": REGISTRY_NAME,
            "title": TITLE,
            "description": SHORT,
            "version": VERSION,
            "repository": {"url": REPOSITORY, "source": "github"},
            "packages": [
                {
                    "registryType": "pypi",
                    "identifier": NAME,
                    "version": VERSION,
                    "runtimeHint": "uvx",
                    "transport": {"type": "stdio"},
                    "runtimeArguments": [{"type": "named", "name": "--with", "value": f"{NAME}[mcp]"}],
                    "packageArguments": [{"type": "positional", "value": "mcp"}],
                }
            ],
        }
    }


def configurations() -> Mapping[str, str]:
    """A file a client and transport, as `triagebook mcp install` writes it where there was none."""
    made = {}
    for name, client in CLIENTS.items():
        for transport, url in (("stdio", ""), ("http", URL)):
            text = add_entry("", client.form, (*client.under, NAME), client.entry(NAME, url))
            made[f"{name}/{transport}.{client.form}"] = text
    return made


def files() -> Mapping[Path, str]:
    """Every file that is made, with its text."""
    made = {**plugin(), **marketplaces(), **bundle(), **registry(), **configurations()}
    return {
        (DEPLOY / name).resolve(): what if isinstance(what, str) else json.dumps(what, indent=2, ensure_ascii=False) + "\n"
        for name, what in made.items()
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
