"""The options of `triagebook serve`: a type and a help text each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError

# Options that say how a part of the server is to be, and those that start it, one of which has to be there.
PARTS = {
    ("mcp_url", "mcp_issuer", "mcp_jwks", "mcp_slack", "mcp_tls_cert", "mcp_tls_key"): ("mcp",),
    ("slack_approvals",): ("slack", "slack_http"),
    ("alert_rules", "alerts_tls_cert", "alerts_tls_key", "alerts_client_ca"): ("alerts",),
}


def require_parts(values: Mapping[str, object]) -> None:
    """Refuse an option of a part that is not started: it would do nothing, and nobody would know. Raises UsageError."""
    for names, starts in PARTS.items():
        given = next((name for name in names if values.get(name)), "")
        if given and not any(values.get(name) for name in starts):
            raise UsageError(
                f"{_option(given)} needs {' or '.join(map(_option, starts))}: that part is not started", reason="usage"
            )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


Data = Annotated[
    Path, typer.Option(metavar="DIR", help="Directory for keys, database and checkpoints; mode 0700, owned by this account")
]
Socket = Annotated[Path, typer.Option(metavar="PATH", help="Unix socket on which the command line and `triagebook mcp` connect")]
SocketMode = Annotated[
    str, typer.Option(metavar="MODE", help="Who may connect to the socket: 0600, 0660 (with --socket-group) or 0666")
]
SocketGroup = Annotated[str, typer.Option(metavar="NAME", help="Group that may connect with mode 0660, by name or number")]
Policy = Annotated[Path | None, typer.Option(metavar="FILE", help="Policy: who may do what; without it nothing can be changed")]
Database = Annotated[
    str, typer.Option(metavar="URL", help="postgresql://HOST/NAME, for several replicas; put its password in a passfile")
]
Anchor = Annotated[Path | None, typer.Option(metavar="FILE", help="Keep audit checkpoints in this file too, best on another disk")]
Syslog = Annotated[bool, typer.Option(help="Write audit checkpoints to the system log too")]
Join = Annotated[bool, typer.Option(help="First start of a further replica on a database in use; copy the keys to it before")]
Mcp = Annotated[str, typer.Option(metavar="HOST:PORT", help="Also serve MCP over HTTP, for example on 127.0.0.1:8765")]
McpUrl = Annotated[str, typer.Option(metavar="URL", help="Public address of MCP, https://NAME/mcp; tokens must be issued for it")]
McpIssuer = Annotated[
    str,
    typer.Option(metavar="URL", help="Accept tokens of this OAuth 2.1 issuer; without it: loopback only, callers are anonymous"),
]
McpJwks = Annotated[str, typer.Option(metavar="URL", help="Keys of the issuer: an https URL or a file")]
McpSlack = Annotated[
    str,
    typer.Option(
        metavar="TEAM[,TEAM...]",
        help="Let people of these Slack workspaces ask by Slackbot, at /mcp/slack; Slack signs for them ($SLACK_SIGNING_SECRET)",
    ),
]
McpTlsCert = Annotated[str, typer.Option(metavar="FILE", help="TLS certificate chain for MCP, if no proxy terminates TLS")]
McpTlsKey = Annotated[str, typer.Option(metavar="FILE", help="Private key of that certificate")]
Slack = Annotated[bool, typer.Option("--slack", help="Also serve Slack, in Socket Mode (an outgoing WebSocket)")]
SlackHttp = Annotated[str, typer.Option(metavar="HOST:PORT", help="Also serve Slack, over HTTP; may be the address of --mcp")]
SlackApprovals = Annotated[
    str, typer.Option(metavar="CHANNEL", help="Channel id for approval cards (default: slack.approvals in config.yaml)")
]
Alerts = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Also take alerts of monitoring systems, for example on 127.0.0.1:9095")
]
AlertRules = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Who may send alerts, what is asked (default: alerts.yaml in --data)")
]
AlertsTlsCert = Annotated[str, typer.Option(metavar="FILE", help="TLS certificate chain for alerts, if no proxy terminates TLS")]
AlertsTlsKey = Annotated[str, typer.Option(metavar="FILE", help="Private key of that certificate")]
AlertsClientCa = Annotated[
    str, typer.Option(metavar="FILE", help="Certificates of the authorities whose clients may prove themselves by TLS")
]
SshConfig = Annotated[
    Path | None,
    typer.Option("--ssh-config", "-F", metavar="FILE", help="ssh configuration for diagnosing (default: ssh_config in --data)"),
]
FixSshConfig = Annotated[
    Path | None, typer.Option(metavar="FILE", help="ssh configuration for applying fixes (default: that of --ssh-config)")
]
FixAccount = Annotated[str, typer.Option(metavar="USER", help="Account on hosts that runs the helper")]
Inventory = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Hosts that assistants and Slack may name (default: the configured inventory)")
]
Status = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Also serve /healthz, /readyz and /metrics, for example on 127.0.0.1:9464")
]
LogFormat = Annotated[str, typer.Option(metavar="FORMAT", help="Form of the log on standard error: text or json")]
