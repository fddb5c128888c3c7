"""`triagebook serve` runs the approval server. Run it under an account of its own."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.bot.cli.verbosity import of_context
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.log import log_event
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
    context: typer.Context,
    *,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory for keys, database and checkpoints; mode 0700, owned by this account")
    ] = Path("/var/lib/triagebook"),
    socket: Annotated[
        Path, typer.Option(metavar="PATH", help="Unix socket on which the command line and `triagebook mcp` connect")
    ] = Path(SOCKET),
    socket_mode: Annotated[
        str, typer.Option(metavar="MODE", help="Who may connect to the socket: 0600, 0660 (with --socket-group) or 0666")
    ] = "0660",
    socket_group: Annotated[str, typer.Option(metavar="GROUP", help="Group that may connect with mode 0660")] = "",
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Policy: who may do what; without it nothing can be changed")
    ] = None,
    database: Annotated[
        str, typer.Option(metavar="URL", help="postgresql://HOST/NAME, for several replicas; put its password in a passfile")
    ] = "",
    anchor: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep audit checkpoints in this file too, best on another disk")
    ] = None,
    syslog: Annotated[bool, typer.Option(help="Write audit checkpoints to the system log too")] = False,
    join: Annotated[
        bool, typer.Option(help="First start of a further replica on a database in use; copy the keys to it before")
    ] = False,
    mcp: Annotated[str, typer.Option(metavar="HOST:PORT", help="Also serve MCP over HTTP, for example on 127.0.0.1:8765")] = "",
    mcp_url: Annotated[
        str, typer.Option(metavar="URL", help="Public address of MCP, https://NAME/mcp; tokens must be issued for it")
    ] = "",
    mcp_issuer: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Accept tokens of this OAuth 2.1 issuer; without it: loopback only, callers are anonymous"
        ),
    ] = "",
    mcp_jwks: Annotated[str, typer.Option(metavar="URL", help="Keys of the issuer: an https URL or a file")] = "",
    mcp_tls_cert: Annotated[
        str, typer.Option(metavar="FILE", help="TLS certificate chain for MCP, if no proxy terminates TLS")
    ] = "",
    mcp_tls_key: Annotated[str, typer.Option(metavar="FILE", help="Private key of that certificate")] = "",
    slack: Annotated[bool, typer.Option("--slack", help="Also serve Slack, in Socket Mode (an outgoing WebSocket)")] = False,
    slack_http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Also serve Slack, over HTTP; may be the address of --mcp")
    ] = "",
    slack_approvals: Annotated[
        str,
        typer.Option(metavar="CHANNEL", help="Channel id for approval cards (default: slack.approvals in config.yaml)"),
    ] = "",
    ssh_config: Annotated[
        Path | None,
        typer.Option("--ssh-config", "-F", metavar="FILE", help="ssh configuration for diagnosing (default: ssh_config in --data)"),
    ] = None,
    fix_ssh_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="ssh configuration for applying fixes (default: that of --ssh-config)")
    ] = None,
    fix_account: Annotated[str, typer.Option(metavar="USER", help="Account on hosts that runs the helper")] = "triagebook-fix",
    inventory: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Hosts that assistants and Slack may name (default: the configured inventory)"),
    ] = None,
    status: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Also serve /healthz, /readyz and /metrics, for example on 127.0.0.1:9464")
    ] = "",
    log_format: Annotated[str, typer.Option(metavar="FORMAT", help="Form of the log on standard error: text or json")] = "text",
) -> None:
    """Run the approval server: policy, signing and audit log. SIGTERM stops it cleanly.

    Run it under an account of its own, never root.

    Set-up step by step: docs/how-to/serve.md

    Example: triagebook serve --policy policy.yaml --ssh-config ssh_config
    """
    from triagebook.tools.log_output import FORMS, show_of_server  # noqa: PLC0415
    from triagebook.tools.server.options import ServeOptions  # noqa: PLC0415 - loads SQLAlchemy, which no other command needs
    from triagebook.tools.server.run import serve as run  # noqa: PLC0415

    if log_format not in FORMS:
        raise UsageError(f"--log-format {log_format!r}: expected {' or '.join(FORMS)}", reason="usage")
    show_of_server(sys.stderr, of_context(context), log_format)
    url = database or os.environ.get(DATABASE_VARIABLE, "")
    if "@" in database and ":" in database.rpartition("@")[0].partition("//")[2]:
        raise UsageError(
            f"--database: every user on this machine can see that password; use ${DATABASE_VARIABLE} or a passfile", reason="usage"
        )
    if os.geteuid() == 0:
        log_event("server.is_root")
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
    if status:
        from triagebook.tools.server.status import StatusFace  # noqa: PLC0415 - prometheus-client

        beside.append(StatusFace(status, options))
    if slack or slack_http:
        from triagebook.bot.slack.serving import slack_face  # noqa: PLC0415

        face = slack_face(slack_http, hosts, slack_approvals, is_shared=bool(mcp) and mcp == slack_http)
        mounted = face.mounted
        beside.append(face)
    if mcp:
        from triagebook.bot.cli.mcp import http_face  # noqa: PLC0415

        tls = {"tls_certificate": mcp_tls_cert, "tls_key": mcp_tls_key}
        beside.append(http_face(mcp, hosts, mounted, url=mcp_url, issuer=mcp_issuer, jwks=mcp_jwks, **tls))

    run(options, parts(hosts, fix_ssh_config or config, fix_account), beside=beside)


def hosts_of(ssh_config: Path, inventory: Path | None = None) -> "Hosts":
    """Return the hosts of this server, reached with its own ssh configuration. Raises UsageError: unreadable inventory."""
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.server.options import server_hosts  # noqa: PLC0415

    settings = setup.settings()
    if inventory is not None:
        settings = replace(settings, inventory=(str(inventory),))
    return server_hosts(settings, _ssh_config_or_none(ssh_config))


def parts(hosts: "Hosts", fix_ssh_config: Path, fix_account: str) -> "Parts":
    """Return the parts that the server runs on: the real diagnoser, renderer and executor."""
    from triagebook.tools.actions.orders import OrderKey  # noqa: PLC0415
    from triagebook.tools.execute.capture import Harm, HostCapture  # noqa: PLC0415
    from triagebook.tools.execute.executor import HostExecutor  # noqa: PLC0415
    from triagebook.tools.execute.helper_link import TIMEOUTS, HelperLink  # noqa: PLC0415
    from triagebook.tools.execute.renderer import HostRenderer  # noqa: PLC0415
    from triagebook.tools.fixes.diagnoser import ServiceDiagnoser  # noqa: PLC0415
    from triagebook.tools.server.run import Parts  # noqa: PLC0415
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415

    service = hosts.service
    diagnoser = ServiceDiagnoser(service, hosts.names.target)
    capture = HostCapture(service.transport_for, hosts.names.target)
    transport = SshTransport(config_file=_ssh_config_or_none(fix_ssh_config), timeouts=TIMEOUTS, allows_one_flight=False)
    link = HelperLink(transport, fix_account, hosts.names.target)

    def executor(keys: "ServerKeys") -> HostExecutor:
        return HostExecutor(OrderKey(keys.orders), link, diagnoser, service.catalog, Harm(capture))

    return Parts(diagnoser, HostRenderer(capture, diagnoser, service.catalog), executor, default_runbook=hosts.default_runbook)


def _ssh_config_or_none(config: Path) -> Path:
    """Return the file, or an empty one if it is missing: a server never uses a person's own ssh configuration."""
    return config if config.is_file() else Path(os.devnull)


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise UsageError(f"--socket-mode {text!r}: expected 0600, 0660 or 0666", reason="usage") from None
