"""`triagebook serve`: the one place of trust. Run it under an account of its own."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.server.client import SOCKET

if TYPE_CHECKING:
    from triagebook.tools.server.run import Parts

DATABASE_VARIABLE = "TRIAGEBOOK_DATABASE"


def serve(
    *,
    data: Annotated[Path, typer.Option(help="Keys, database and checkpoints; 0700, this account's alone")] = Path(
        "/var/lib/triagebook"
    ),
    socket: Annotated[Path, typer.Option(help="Where the command line and MCP ask")] = Path(SOCKET),
    socket_mode: Annotated[str, typer.Option(help="0600, 0660 (with --socket-group) or 0666: who may ask at all")] = "0660",
    socket_group: Annotated[str, typer.Option(help="The group that 0660 lets in")] = "",
    policy: Annotated[Path | None, typer.Option(help="Who may do what; without one nothing can be changed")] = None,
    database: Annotated[
        str, typer.Option(help="postgresql://HOST/NAME for several replicas; a password belongs into a passfile")
    ] = "",
    anchor: Annotated[
        Path | None, typer.Option(help="Where checkpoints are kept outside the database, best on another disk")
    ] = None,
    syslog: Annotated[bool, typer.Option(help="Write checkpoints to the system log too")] = False,
    join: Annotated[
        bool, typer.Option(help="First start of another replica on a database in use; copy the keys over before")
    ] = False,
    mcp: Annotated[str, typer.Option(metavar="HOST:PORT", help="Serve assistants over HTTP too, such as 127.0.0.1:8765")] = "",
    mcp_url: Annotated[str, typer.Option(help="The address assistants use, https://NAME/mcp; tokens must be made for it")] = "",
    mcp_issuer: Annotated[
        str, typer.Option(help="Whose tokens count (OAuth 2.1); without one only loopback, and nobody is known")
    ] = "",
    mcp_jwks: Annotated[str, typer.Option(help="The issuer's keys: an https URL or a file")] = "",
    mcp_tls_cert: Annotated[str, typer.Option(help="A certificate chain, where no proxy ends TLS")] = "",
    mcp_tls_key: Annotated[str, typer.Option(help="Its private key")] = "",
) -> None:
    """Decide, sign and record for everybody else on this machine. Ends cleanly on SIGTERM."""
    from triagebook.tools.server.options import ServeOptions  # noqa: PLC0415 - SQLAlchemy is loaded here only
    from triagebook.tools.server.run import serve as run  # noqa: PLC0415

    url = database or os.environ.get(DATABASE_VARIABLE, "")
    if "@" in database and ":" in database.rpartition("@")[0].partition("//")[2]:
        raise UsageError(
            f"--database with a password is seen by every user; use ${DATABASE_VARIABLE} or a passfile", reason="usage"
        )
    if os.geteuid() == 0:
        sys.stderr.write("triagebook serve: running as root; give it an account of its own\n")
    options = ServeOptions(
        data=data,
        socket=socket,
        socket_mode=_mode(socket_mode),
        socket_group=socket_group,
        policy=policy,
        database=url,
        anchor=anchor,
        syslog=syslog,
        join=join,
    )

    beside = []
    if mcp:
        from triagebook.bot.mcp_command import web_face  # noqa: PLC0415

        beside.append(
            web_face(mcp, url=mcp_url, issuer=mcp_issuer, jwks=mcp_jwks, tls_certificate=mcp_tls_cert, tls_key=mcp_tls_key)
        )

    def ready() -> None:
        sys.stderr.write(f"triagebook serve: ready on {socket}\n")
        sys.stderr.flush()

    run(options, parts(), ready, beside)


def parts() -> "Parts":
    """What the server is built with: this product's own diagnosing, and no executor yet."""
    from triagebook.tools import setup  # noqa: PLC0415
    from triagebook.tools.server.run import Parts  # noqa: PLC0415
    from triagebook.tools.trust.diagnosing import ServiceDiagnoser  # noqa: PLC0415

    settings = setup.settings()
    service = setup.service(settings)
    diagnoser = ServiceDiagnoser(service)
    return Parts(diagnoser, diagnoser, default_runbook=lambda: setup.default_runbook(settings, service.catalog))


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise UsageError(f"--socket-mode {text!r}: expected 0600, 0660 or 0666", reason="usage") from None
