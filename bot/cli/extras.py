"""Says which part of the product is not installed, and the command that installs it, for the way it was installed."""

import json
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

NAME = "triagebook"
# The modules that an extra of pyproject.toml brings, and what needs them.
EXTRAS: Mapping[str, tuple[str, frozenset[str]]] = {
    "mcp": ("the MCP server", frozenset({"anyio", "httpx", "jwt", "mcp", "mcp_types", "sse_starlette", "starlette", "uvicorn"})),
    "slack": ("the Slack face", frozenset({"PIL", "slack_bolt", "slack_sdk"})),
    "sites": ("the client of NATS", frozenset({"nats"})),
    "alerts": ("the intake of alerts", frozenset({"uvicorn"})),
    "postgresql": ("the driver for PostgreSQL", frozenset({"psycopg"})),
}


def install_advice(module: str) -> str:
    """Return a sentence with the command that installs what a missing module belongs to; '' if it is of no extra."""
    top = module.partition(".")[0]
    for extra, (what, modules) in EXTRAS.items():
        if top in modules:
            return f"{what} is not installed (no module {top!r}). Install it with: {install_command(extra)}"
    return ""


def install_command(extra: str) -> str:
    """Return the command that adds an extra to this installation: of pipx, of uv, or of the Python that runs it."""
    source = _source()
    wanted = shlex.quote(f"{source or NAME}[{extra}]")
    prefix = Path(sys.prefix)
    if prefix.parent.name == "venvs" and "pipx" in prefix.parts:
        return f"pipx install --force {wanted}"
    if prefix.parent.name == "tools" and prefix.parent.parent.name == "uv":
        return f"uv tool install --force {wanted}"
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"


def _source() -> str:
    """Return the folder that the product was installed from; '' if it came from an index."""
    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return ""
    url = urlsplit(json.loads(text).get("url", "")) if text else urlsplit("")
    return unquote(url.path) if url.scheme == "file" else ""
