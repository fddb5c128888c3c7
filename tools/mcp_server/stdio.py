"""Serves MCP on standard input and output, as one OS user's own process."""

from pathlib import Path

from triagebook.tools.diagnosis import setup
from triagebook.tools.faces.permission import OwnPermission
from triagebook.tools.inventory.names import Names
from triagebook.tools.inventory.sources import load
from triagebook.tools.mcp_server.auth import os_caller
from triagebook.tools.mcp_server.diagnosis_runner import DiagnosisRunner
from triagebook.tools.mcp_server.server import McpParts, build
from triagebook.tools.mcp_server.socket_backend import SocketBackend
from triagebook.tools.server.client import default_socket
from triagebook.tools.settings import config_file


def parts(*, inventory: Path | None = None, transport: str = "ssh", ssh_config: str = "", socket: Path | None = None) -> McpParts:
    """Return the parts of this person's server. Raises UsageError."""
    settings = setup.settings()
    service = setup.service(settings, transport=transport, ssh_config=ssh_config)
    sources = (str(inventory),) if inventory else settings.inventory
    names = Names(load(sources, config_file(settings, ssh_config)))
    runner = DiagnosisRunner(service, OwnPermission(), names, lambda: settings.default_runbook)
    caller = os_caller()
    return McpParts(lambda: caller, runner, SocketBackend(socket or default_socket()))


def run(*, inventory: Path | None = None, transport: str = "ssh", ssh_config: str = "", socket: Path | None = None) -> None:
    """Serve until standard input ends."""
    made = parts(inventory=inventory, transport=transport, ssh_config=ssh_config, socket=socket)
    try:
        build(made).run("stdio")
    finally:
        made.runner.close()
