"""`triagebook serve`: the one place of trust. Run it under an account of its own."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.server.client import SOCKET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from triagebook.bot.slack.inbound.http import Endpoint
    from triagebook.tools.server.keys import ServerKeys
    from triagebook.tools.server.options import Hosts
    from triagebook.tools.server.run import Parts, RunningServer

DATABASE_VARIABLE = "TRIAGEBOOK_DATABASE"
SSH_CONFIG = "ssh_config"


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
    slack: Annotated[bool, typer.Option("--slack", help="Serve Slack too, over a WebSocket opened from here")] = False,
    slack_http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve it over HTTP instead; may be the address of --mcp")
    ] = "",
    slack_approvals: Annotated[
        str,
        typer.Option(metavar="CHANNEL", help="The channel id where plans wait; without it slack.approvals in config.yaml"),
    ] = "",
    ssh_config: Annotated[
        Path | None,
        typer.Option("--ssh-config", "-F", help="How hosts are diagnosed; without it DATA/ssh_config, never a person's own"),
    ] = None,
    fix_ssh_config: Annotated[Path | None, typer.Option(help="How helpers are reached; without it the same file")] = None,
    fix_account: Annotated[str, typer.Option(help="The account on hosts that may run the helper")] = "triagebook-fix",
    inventory: Annotated[
        Path | None, typer.Option(help="The hosts assistants and chats may name (default: the configured inventory)")
    ] = None,
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

    config = ssh_config or data / SSH_CONFIG
    hosts = hosts_of(config, inventory)
    beside: list[Callable[[RunningServer], AbstractContextManager[object]]] = []
    mounted: Mapping[str, Endpoint] = {}
    if slack or slack_http:
        from triagebook.bot.slack.serving import slack_face  # noqa: PLC0415

        face = slack_face(slack_http, hosts, slack_approvals, is_shared=bool(mcp) and mcp == slack_http)
        mounted = face.mounted
        beside.append(face)
    if mcp:
        from triagebook.bot.cli.mcp import web_face  # noqa: PLC0415

        tls = {"tls_certificate": mcp_tls_cert, "tls_key": mcp_tls_key}
        beside.append(web_face(mcp, hosts, mounted, url=mcp_url, issuer=mcp_issuer, jwks=mcp_jwks, **tls))

    def ready() -> None:
        sys.stderr.write(f"triagebook serve: ready on {socket}\n")
        sys.stderr.flush()

    run(options, parts(hosts, fix_ssh_config or config, fix_account), ready, beside)


def hosts_of(ssh_config: Path, inventory: Path | None = None) -> "Hosts":
    """The hosts this server knows, by its own ssh configuration. Raises UsageError: an inventory that does not read."""
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.server.options import server_hosts  # noqa: PLC0415

    settings = setup.settings()
    if inventory is not None:
        settings = replace(settings, inventory=(str(inventory),))
    return server_hosts(settings, _ssh_config_or_none(ssh_config))


def parts(hosts: "Hosts", fix_ssh_config: Path, fix_account: str) -> "Parts":
    """What the server is built with: this product's own diagnosing, rendering and executing."""
    from triagebook.tools.actions.orders import OrderKey  # noqa: PLC0415
    from triagebook.tools.execute.capture import Harm, HostCapture  # noqa: PLC0415
    from triagebook.tools.execute.executor import HostExecutor  # noqa: PLC0415
    from triagebook.tools.execute.helper_link import PATIENCE, HelperLink  # noqa: PLC0415
    from triagebook.tools.execute.renderer import HostRenderer  # noqa: PLC0415
    from triagebook.tools.fixes.diagnoser import ServiceDiagnoser  # noqa: PLC0415
    from triagebook.tools.server.run import Parts  # noqa: PLC0415
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415

    service = hosts.service
    diagnoser = ServiceDiagnoser(service, hosts.names.target)
    capture = HostCapture(service.transport_for, hosts.names.target)
    transport = SshTransport(config_file=_ssh_config_or_none(fix_ssh_config), deadlines=PATIENCE, may_fly=False)
    link = HelperLink(transport, fix_account, hosts.names.target)

    def executor(keys: "ServerKeys") -> HostExecutor:
        return HostExecutor(OrderKey(keys.orders), link, diagnoser, service.catalog, Harm(capture))

    return Parts(diagnoser, HostRenderer(capture, diagnoser, service.catalog), executor, default_runbook=hosts.default_runbook)


def _ssh_config_or_none(config: Path) -> Path:
    """The file, or one that says nothing: what a person's own ssh does is no business of a server."""
    return config if config.is_file() else Path(os.devnull)


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise UsageError(f"--socket-mode {text!r}: expected 0600, 0660 or 0666", reason="usage") from None
