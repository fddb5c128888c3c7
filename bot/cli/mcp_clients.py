"""Lists the assistants that can start triagebook: which file each reads, and how an MCP server is written there.

Source: each client's own documentation.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass

NAME = "triagebook"
Entry = Callable[[str], Mapping[str, Any]]


@dataclass(frozen=True)
class Client:
    """One assistant. `file` is relative to the home directory; `under` are the tables that the entry stands in."""

    title: str
    form: str  # json (comments are kept where the client allows them), toml or yaml
    file: PurePosixPath
    under: tuple[str, ...]
    stdio: Entry  # of the program
    http: Entry  # of the address
    mac_file: PurePosixPath | None = None
    home_variable: tuple[str, str] = ("", "")  # a variable that moves the first part of `file`
    restart: str = "Start it again, so that it reads the file."

    def entry(self, program: str, url: str = "") -> Mapping[str, Any]:
        """Return what stands under the name `triagebook`."""
        return self.http(url) if url else self.stdio(program)


def _plain(program: str) -> Mapping[str, Any]:
    return {"command": program, "args": ["mcp"]}


def _stdio_entry(program: str) -> Mapping[str, Any]:
    return {"type": "stdio", **_plain(program)}


def _http_entry(url: str) -> Mapping[str, Any]:
    return {"type": "http", "url": url}


def _url(url: str) -> Mapping[str, Any]:
    return {"url": url}


MAC = PurePosixPath("Library/Application Support")
CONFIG_HOME = ("XDG_CONFIG_HOME", ".config")
CLIENTS: Mapping[str, Client] = {
    "claude-code": Client("Claude Code", "json", PurePosixPath(".claude.json"), ("mcpServers",), _stdio_entry, _http_entry),
    "claude-desktop": Client(
        "Claude Desktop",
        "json",
        PurePosixPath(".config/Claude/claude_desktop_config.json"),
        ("mcpServers",),
        _plain,
        lambda url: {"command": "npx", "args": ["-y", "mcp-remote", url]},
        mac_file=MAC / "Claude" / "claude_desktop_config.json",
        home_variable=CONFIG_HOME,
    ),
    "codex": Client(
        "Codex",
        "toml",
        PurePosixPath(".codex/config.toml"),
        ("mcp_servers",),
        _plain,
        _url,
        home_variable=("CODEX_HOME", ".codex"),
    ),
    "cursor": Client("Cursor", "json", PurePosixPath(".cursor/mcp.json"), ("mcpServers",), _plain, _url),
    "gemini-cli": Client(
        "Gemini CLI", "json", PurePosixPath(".gemini/settings.json"), ("mcpServers",), _plain, lambda url: {"httpUrl": url}
    ),
    "goose": Client(
        "Goose",
        "yaml",
        PurePosixPath(".config/goose/config.yaml"),
        ("extensions",),
        lambda program: {
            "enabled": True,
            "type": "stdio",
            "name": NAME,
            "cmd": program,
            "args": ["mcp"],
            "envs": {},
            "timeout": 300,
        },
        lambda url: {"enabled": True, "type": "streamable_http", "name": NAME, "uri": url, "timeout": 300},
        home_variable=CONFIG_HOME,
    ),
    "opencode": Client(
        "opencode",
        "json",
        PurePosixPath(".config/opencode/opencode.json"),
        ("mcp",),
        lambda program: {"type": "local", "command": [program, "mcp"], "enabled": True},
        lambda url: {"type": "remote", "url": url, "enabled": True},
        home_variable=CONFIG_HOME,
    ),
    "vscode": Client(
        "VS Code",
        "json",
        PurePosixPath(".config/Code/User/mcp.json"),
        ("servers",),
        _stdio_entry,
        _http_entry,
        mac_file=MAC / "Code" / "User" / "mcp.json",
        home_variable=CONFIG_HOME,
    ),
    "windsurf": Client(
        "Windsurf",
        "json",
        PurePosixPath(".codeium/windsurf/mcp_config.json"),
        ("mcpServers",),
        _plain,
        lambda url: {"serverUrl": url},
    ),
    "zed": Client(
        "Zed",
        "json",
        PurePosixPath(".config/zed/settings.json"),
        ("context_servers",),
        lambda program: {"source": "custom", **_plain(program), "env": {}},
        lambda url: {"source": "custom", "url": url},
        home_variable=CONFIG_HOME,
    ),
}
