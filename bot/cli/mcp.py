"""`triagebook mcp` serves one person's AI assistant over standard input and output; `mcp install` writes its configuration."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.bot.cli import options
from triagebook.bot.cli.mcp_install import install
from triagebook.bot.cli.server_call import SocketOption
from triagebook.tools.log import log_event

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from triagebook.tools.mcp_server.slack_identity import FromSlack
    from triagebook.tools.server.options import Hosts
    from triagebook.tools.server.run import RunningServer


app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.command()(install)


@app.callback()
def mcp(
    context: typer.Context,
    *,
    inventory: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hosts that the assistant may name (default: the configured inventory)")
    ] = None,
    transport: options.TransportOption = "ssh",
    ssh_config: options.SshConfig = "",
    socket: SocketOption = None,
) -> None:
    """Serve an AI assistant over MCP on standard input and output. The assistant starts this command.

    It diagnoses with your own SSH access. Fixes, stored diagnoses and the audit log go through the approval server; the
    assistant can propose a fix and never approve one.

    Example: triagebook mcp --inventory inventory.yaml
    """
    if context.invoked_subcommand:
        return
    from triagebook.tools.mcp_server.stdio import run  # noqa: PLC0415 - the extra `mcp`: half a second of imports

    if sys.stdin.isatty():
        sys.stderr.write(
            "triagebook mcp: waiting for MCP on standard input; let an assistant start it: triagebook mcp install CLIENT\n"
        )
    run(inventory=inventory, transport=transport, ssh_config=ssh_config, socket=socket)


def http_face(
    listen: str, hosts: "Hosts", mounted: "Mapping[str, ASGIApp]", slack: "FromSlack | None" = None, **values: str
) -> "Callable[[RunningServer], AbstractContextManager[object]]":
    """Return the MCP server over HTTP, run inside `triagebook serve`; `mounted` are paths of other faces at that address.

    Raises UsageError before anything is served."""
    from triagebook.tools.mcp_server import http  # noqa: PLC0415 - the extra `mcp`

    asked = http.http_options(listen, **values)

    @contextmanager
    def face(running: "RunningServer") -> Iterator[None]:
        _, app = http.build_application(asked, running, hosts.service, hosts.names, hosts.default_runbook, slack)
        http.mount(app, mounted)
        with http.listen(asked, app) as port:
            log_event("server.listening", face="mcp", address=f"{asked.host}:{port}{http.PATH}")
            yield

    return face
