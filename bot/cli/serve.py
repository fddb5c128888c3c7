"""`triagebook serve` runs the approval server. Run it under an account of its own."""

import contextlib
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from triagebook.bot.cli import serve_options as options
from triagebook.bot.cli.serve_init import init
from triagebook.bot.cli.verbosity import of_context
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.files import create_private, private_directory, require_unwritable
from triagebook.tools.log import log_event
from triagebook.tools.server.client import SOCKET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from triagebook.bot.slack.inbound.http import Endpoint
    from triagebook.bot.slack.start import SlackFace
    from triagebook.tools.alerts.answer import Show
    from triagebook.tools.server.keys import ServerKeys
    from triagebook.tools.server.options import Hosts, ServeOptions
    from triagebook.tools.server.run import Parts, RunningServer

    Face = Callable[[RunningServer], AbstractContextManager[object]]

DATABASE_VARIABLE = "TRIAGEBOOK_DATABASE"
SSH_CONFIG, ALERTS = "ssh_config", "alerts.yaml"
OWN_SSH_CONFIG = b"# How this server reaches its hosts; read at each login. See docs/how-to/serve.md\n"


app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.command()(init)


@app.callback()
def serve(
    context: typer.Context,
    *,
    data: options.Data = Path("/var/lib/triagebook"),
    socket: options.Socket = Path(SOCKET),
    socket_mode: options.SocketMode = "0660",
    socket_group: options.SocketGroup = "",
    policy: options.Policy = None,
    database: options.Database = "",
    anchor: options.Anchor = None,
    syslog: options.Syslog = False,
    join: options.Join = False,
    mcp: options.Mcp = "",
    mcp_url: options.McpUrl = "",
    mcp_issuer: options.McpIssuer = "",
    mcp_jwks: options.McpJwks = "",
    mcp_slack: options.McpSlack = "",
    mcp_tls_cert: options.McpTlsCert = "",
    mcp_tls_key: options.McpTlsKey = "",
    slack: options.Slack = False,
    slack_http: options.SlackHttp = "",
    slack_approvals: options.SlackApprovals = "",
    alerts: options.Alerts = "",
    alert_rules: options.AlertRules = None,
    alerts_tls_cert: options.AlertsTlsCert = "",
    alerts_tls_key: options.AlertsTlsKey = "",
    alerts_client_ca: options.AlertsClientCa = "",
    ssh_config: options.SshConfig = None,
    fix_ssh_config: options.FixSshConfig = None,
    fix_account: options.FixAccount = "triagebook-fix",
    inventory: options.Inventory = None,
    status: options.Status = "",
    log_format: options.LogFormat = "text",
) -> None:
    """Run the approval server: policy, signing and audit log. SIGTERM stops it cleanly.

    Run it under an account of its own, never root. `triagebook serve init` sets that up; step by step: docs/how-to/serve.md

    Example: triagebook serve --policy policy.yaml --ssh-config ssh_config
    """
    if context.invoked_subcommand:
        return
    options.require_parts(context.params)
    from triagebook.tools.server.options import ServeOptions  # noqa: PLC0415 - loads SQLAlchemy, which no other command needs
    from triagebook.tools.server.run import serve as run  # noqa: PLC0415

    _start_log(context, log_format)
    plain = ServeOptions(data, socket, policy=policy, anchor=anchor, syslog=syslog, join=join, socket_group=socket_group)
    made = replace(plain, socket_mode=_mode(socket_mode), database=_database_url(database))
    hosts = hosts_of(config := _config_of(ssh_config, data, fix_ssh_config, inventory, alert_rules), inventory)
    faces: list[Face] = [_status_face(status, made)] if status else []
    face = _slack_face(slack_http, hosts, slack_approvals, is_shared=mcp == slack_http != "") if slack or slack_http else None
    faces += [face] if face else []
    if mcp:
        told = {"url": mcp_url, "issuer": mcp_issuer, "jwks": mcp_jwks, "slack_teams": mcp_slack}
        faces.append(_mcp_face(mcp, hosts, face.mounted if face else {}, **told, tls_certificate=mcp_tls_cert, tls_key=mcp_tls_key))
    if alerts:
        rules, tls = alert_rules or data / ALERTS, (alerts_tls_cert, alerts_tls_key, alerts_client_ca)
        faces.append(_alerts_face(alerts, rules, hosts, face.shows_of_alerts if face else [], tls))
    run(made, parts(hosts, _fix_config(fix_ssh_config, config), fix_account), beside=faces)


def _start_log(context: typer.Context, form: str) -> None:
    """Show the server's log on standard error, and say there when it runs as root. Raises UsageError: no such form."""
    from triagebook.tools.log_output import FORMS, show_of_server  # noqa: PLC0415

    if form not in FORMS:
        raise UsageError(f"--log-format {form!r}: expected {' or '.join(FORMS)}", reason="usage")
    show_of_server(sys.stderr, of_context(context), form)
    if os.geteuid() == 0:
        log_event("server.is_root")


def _database_url(database: str) -> str:
    """Return the option's URL, or the environment's. Raises UsageError: a password in an argument, which every user can see."""
    if "@" in database and ":" in database.rpartition("@")[0].partition("//")[2]:
        raise UsageError(
            f"--database: every user on this machine can see that password; use ${DATABASE_VARIABLE} or a passfile", reason="usage"
        )
    return database or os.environ.get(DATABASE_VARIABLE, "")


def _status_face(address: str, made: "ServeOptions") -> "Face":
    from triagebook.tools.server.status import StatusFace  # noqa: PLC0415 - prometheus-client

    return StatusFace(address, made)


def _slack_face(listen: str, hosts: "Hosts", approvals: str, *, is_shared: bool) -> "SlackFace":
    from triagebook.bot.slack.start import slack_face  # noqa: PLC0415 - the extra `slack`

    return slack_face(listen, hosts, approvals, is_shared=is_shared)


def _mcp_face(address: str, hosts: "Hosts", mounted: "Mapping[str, Endpoint]", **values: str) -> "Face":
    from triagebook.bot.cli.mcp import http_face  # noqa: PLC0415 - the extra `mcp`

    slack = None
    if values.get("slack_teams"):
        from triagebook.bot.slack.cards.slackbot import SlackbotCards  # noqa: PLC0415 - the extra `slack`
        from triagebook.bot.slack.inbound.signature import signature_check  # noqa: PLC0415 - as above
        from triagebook.tools.mcp_server.slack_identity import FromSlack  # noqa: PLC0415 - the extra `mcp`

        slack = FromSlack(signature_check(), SlackbotCards(lambda: datetime.now(UTC)))
    return http_face(address, hosts, mounted, slack, **values)


def _alerts_face(address: str, rules: Path, hosts: "Hosts", shows: "list[Show]", tls: tuple[str, str, str]) -> "Face":
    from triagebook.tools.alerts.face import TlsFiles, alerts_face  # noqa: PLC0415 - the extra `alerts`

    return alerts_face(address, rules, hosts, shows, TlsFiles(*tls))


def hosts_of(ssh_config: Path, inventory: Path | None = None) -> "Hosts":
    """Return the hosts of this server, reached with its own ssh configuration. Raises UsageError: unreadable inventory."""
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.server.options import server_hosts  # noqa: PLC0415

    settings = setup.settings()
    if inventory is not None:
        settings = replace(settings, inventory=(str(inventory),))
    return server_hosts(settings, ssh_config)


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
    transport = SshTransport(config_file=_require_file(fix_ssh_config), timeouts=TIMEOUTS, allows_one_flight=False)
    link = HelperLink(transport, fix_account, hosts.names.target, hosts.sites.helper)

    def executor(keys: "ServerKeys") -> HostExecutor:
        return HostExecutor(OrderKey(keys.orders), link, diagnoser, service.catalog, Harm(capture))

    renderer = HostRenderer(capture, diagnoser, service.catalog)
    return Parts(diagnoser, renderer, executor, default_runbook=hosts.default_runbook, names=hosts.names)


def _fix_config(fix_ssh_config: Path | None, config: Path) -> Path:
    """Return the ssh configuration for fixes; the one for diagnosing is made empty if it is missing.

    That happens last, when nothing else refused the start. It is read at each login; a person's own never is.
    """
    if not config.exists():
        with contextlib.suppress(FileExistsError):
            create_private(private_directory(config.parent) / config.name, OWN_SSH_CONFIG)
    return fix_ssh_config or config


def _config_of(ssh_config: Path | None, data: Path, *others: Path | None) -> Path:
    """Return the ssh configuration for diagnosing. Raises TrustError: others can write it, or another file of the server.

    These files say which machine a name is, which key it has, who may send alerts and who is told.
    """
    config = _require_file(ssh_config) if ssh_config else data / SSH_CONFIG
    require_unwritable(config, data / ALERTS, *others)
    return config


def _require_file(config: Path) -> Path:
    """Return the ssh configuration. Raises UsageError: there is no such file."""
    if not config.exists():
        raise UsageError(f"{config}: no such ssh configuration", reason="usage")
    return config


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise UsageError(f"--socket-mode {text!r}: expected 0600, 0660 or 0666", reason="usage") from None
