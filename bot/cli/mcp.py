"""`triagebook mcp`: this person's assistant, over standard input and output."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.bot.cli.server_call import SocketOption
from triagebook.runbooks.engine.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from triagebook.tools.server.options import Hosts
    from triagebook.tools.server.run import RunningServer


def mcp(
    *,
    inventory: Annotated[
        Path | None, typer.Option(help="The hosts an assistant may name (default: the configured inventory)")
    ] = None,
    transport: Annotated[str, typer.Option(help="ssh, or openssh (your own ssh program)")] = "ssh",
    ssh_config: Annotated[str, typer.Option("-F", help="The ssh configuration file to use")] = "",
    socket: SocketOption = None,
) -> None:
    """Serve tools to an assistant over standard input and output: diagnose as you, everything else through `triagebook serve`."""
    with _needs_mcp():
        from triagebook.tools.mcp_server.stdio import run  # noqa: PLC0415 - half a second of imports
    if sys.stdin.isatty():
        sys.stderr.write(
            "triagebook mcp: speaks MCP on standard input; start it from an assistant (deploy/mcp has configurations)\n"
        )
    run(inventory=inventory, transport=transport, ssh_config=ssh_config, socket=socket)


def web_face(
    listen: str, hosts: "Hosts", mounted: "Mapping[str, ASGIApp]", **values: str
) -> "Callable[[RunningServer], AbstractContextManager[object]]":
    """The same server over HTTP, beside `triagebook serve`; `mounted` are other faces' paths at the same address.

    Raises UsageError before anything is served."""
    with _needs_mcp():
        from triagebook.tools.mcp_server import web  # noqa: PLC0415
    options = web.web_options(listen, **values)

    @contextmanager
    def face(place: "RunningServer") -> Iterator[None]:
        _, app = web.build_application(options, place, hosts.service, hosts.names, hosts.default_runbook)
        web.mount(app, mounted)
        with web.listen(options, app) as port:
            sys.stderr.write(f"triagebook serve: MCP on {options.host}:{port}{web.PATH}\n")
            sys.stderr.flush()
            yield

    return face


@contextmanager
def _needs_mcp() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types", "jwt", "uvicorn"}:
            raise
        raise UsageError("the MCP server is not installed: pip install 'triagebook[mcp]'", reason="usage") from None
