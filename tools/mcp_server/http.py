"""Serves MCP over HTTP in the process of `triagebook serve`, as an OAuth 2.1 resource server or on loopback only.

Without an issuer it listens on loopback, and every caller is anonymous: an account that belongs to no person.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from mcp.server.auth.routes import create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from mcp.server.streamable_http import EventStore
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.faces import CHANNELS
from triagebook.tools.faces.permission import PolicyPermission
from triagebook.tools.fixes import view
from triagebook.tools.inventory.names import Names
from triagebook.tools.inventory.target import LOCAL, is_loopback
from triagebook.tools.mcp_server import slack_identity
from triagebook.tools.mcp_server.auth import (
    CHANNEL,
    NOBODY,
    READ,
    SCOPES,
    Caller,
    GetCaller,
    Issuer,
    JwtVerifier,
    RefusalCounter,
    token_caller,
)
from triagebook.tools.mcp_server.checked_server import CheckedServer
from triagebook.tools.mcp_server.diagnosis_runner import DiagnosisRunner
from triagebook.tools.mcp_server.local_backend import LocalBackend
from triagebook.tools.mcp_server.native_blocks import NativeBlocks
from triagebook.tools.mcp_server.server import McpParts, build
from triagebook.tools.server import web as server_web
from triagebook.tools.server.run import RunningServer
from triagebook.tools.store.jobs import store_of_arrivals

PATH = "/mcp"
TEAM = re.compile(CHANNELS["slack"].account.issuer)
MAX_BODY = 256 * 1024
MOST_CONNECTIONS = 512


@dataclass(frozen=True)
class HttpOptions:
    """Where to listen, the address clients use (`url`, also the tokens' audience), and whose tokens count."""

    host: str
    port: int
    url: str = ""
    issuer: str = ""
    jwks: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    slack_teams: str = ""  # workspaces whose people may ask by Slackbot, separated by commas


def http_options(listen: str, **values: str) -> HttpOptions:
    """Read `HOST:PORT` and the other options. Raises UsageError for what would let strangers in."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not is_whole_number(port) or int(port) > 65535:
        raise UsageError(f"--mcp {listen[:60]!r}: expected HOST:PORT", reason="mcp")
    options = HttpOptions(host, int(port), **values)
    if bool(options.issuer) != bool(options.jwks):
        raise UsageError("--mcp-issuer and --mcp-jwks go together", reason="mcp")
    if not options.issuer and not is_loopback(host):
        message = (
            f"--mcp {listen}: anybody could reach it there: give --mcp-issuer, --mcp-jwks and --mcp-url, or listen on 127.0.0.1"
        )
        raise UsageError(message, reason="mcp")
    if options.issuer and urlsplit(options.url).scheme not in {"http", "https"}:
        raise UsageError(
            "--mcp-url: the address clients use, such as https://triage.example/mcp; tokens must name it", reason="mcp"
        )
    if options.slack_teams and not (options.url and all(TEAM.fullmatch(team) for team in options.slack_teams.split(","))):
        message = "--mcp-slack: the id of your workspace, such as T0123456789, and --mcp-url, the address that Slack calls"
        raise UsageError(message, reason="mcp")
    if bool(options.tls_certificate) != bool(options.tls_key):
        raise UsageError("--mcp-tls-cert and --mcp-tls-key go together", reason="mcp")
    return options


def build_application(
    options: HttpOptions,
    running: RunningServer,
    service: Service,
    names: Names,
    default_runbook: Any,
    slack: slack_identity.FromSlack | None = None,
) -> tuple[CheckedServer, Starlette]:
    """Build the server and its ASGI application; with `slack` also the endpoint for Slackbot."""
    caller, settings = _callers(options, running)
    runner = DiagnosisRunner(service, PolicyPermission(running.approval_server), names, default_runbook)
    blocks = NativeBlocks(slack.cards, slack_identity.viewer) if slack is not None else None
    backend = LocalBackend(running.service)
    server = build(McpParts(slack_identity.caller_or(caller), runner, backend, settings=settings, blocks=blocks))
    app = application(server, options)
    if options.slack_teams and slack is not None:
        refusals = RefusalCounter(_recorder(running))
        teams = options.slack_teams.split(",")
        answer = server.session_manager.handle_request
        is_first = slack_identity.memory(store_of_arrivals(running.approval_server.store), running.approval_server.clock)
        found = slack_identity.SlackIdentity(answer, slack.is_signed, is_first, teams, refusals.add)
        if not options.issuer:  # nobody without a proof gets in beside Slack
            app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") != PATH]
        mount(app, {slack_identity.PATH: found})
    return server, app


def application(server: CheckedServer, options: HttpOptions, store: EventStore | None = None) -> Starlette:
    """Build the endpoint, with Host and Origin checked, bodies capped, and the scopes in the metadata document.

    Sessions are kept only with an event store: our own tools need none, so that any replica answers any request.
    """
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=store is None,
        event_store=store,
        retry_interval=100 if store else None,
        max_request_body_size=MAX_BODY,
        transport_security=transport_security(options),
        host=options.host,
    )
    if options.issuer:
        offered = create_protected_resource_routes(
            resource_url=AnyHttpUrl(options.url),
            authorization_servers=[AnyHttpUrl(options.issuer)],
            scopes_supported=list(SCOPES),
        )
        paths = {route.path for route in offered}
        app.router.routes[:] = [*offered, *(route for route in app.router.routes if getattr(route, "path", "") not in paths)]
    return app


def mount(app: Starlette, mounted: Mapping[str, ASGIApp]) -> None:
    """Add other faces at the same address, each at its own path."""
    app.router.routes[:0] = [Route(path, endpoint, methods=["POST"]) for path, endpoint in mounted.items()]


def transport_security(options: HttpOptions) -> TransportSecuritySettings:
    """Return the Host and Origin headers that are ours: a page that rebinds its name to this address has another."""
    named = urlsplit(options.url)
    hosts = [named.netloc] if named.netloc else []
    origins = [f"{named.scheme}://{named.netloc}"] if named.netloc else []
    if is_loopback(options.host):
        port = options.port or "*"  # 0: any free one
        ours = [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in LOCAL]
        hosts += ours
        origins += [f"http://{name}" for name in ours]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


@contextmanager
def listen(options: HttpOptions, app: Starlette) -> Iterator[int]:
    """Serve in a thread of its own for as long as the block lasts. Yields the port."""
    address = f"{options.host}:{options.port}"
    with server_web.listen(
        address, app, "mcp", tls_certificate=options.tls_certificate, tls_key=options.tls_key, most=MOST_CONNECTIONS
    ) as port:
        yield port


def _recorder(running: RunningServer) -> Callable[[Mapping[str, int]], None]:
    """Return what writes the counts of refused credentials into the audit log."""

    def record_refusals(counts: Mapping[str, int]) -> None:
        try:
            view.record_strangers(running.approval_server, counts.items(), CHANNEL)
        except TriagebookError:  # the log is broken: the server says so at every decision
            return

    return record_refusals


def _callers(options: HttpOptions, running: RunningServer) -> tuple[GetCaller, dict[str, Any]]:
    if not options.issuer:
        nobody = Caller(NOBODY)
        return (lambda: nobody), {}
    issuer = Issuer(options.issuer, options.url, options.jwks)
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(options.issuer),
        resource_server_url=AnyHttpUrl(options.url),
        required_scopes=[READ],
        validate_token_resource=False,  # the verifier checks the audience itself
    )
    return token_caller, {"token_verifier": JwtVerifier(issuer, _recorder(running)), "auth": auth}
