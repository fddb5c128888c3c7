"""Accepts MCP requests of Slackbot: Slack has signed them, and says in them for which person of which workspace it asks.

Slack signs such a request as it signs every other delivery, over its time and its whole body, and puts the ids of the person into
`params._meta.slack` of that body. They become the account `slack:TEAM/USER` of the policy, on the channel `mcp`: that may propose
and never decide. Source: docs.slack.dev/ai/slackbot-mcp-client, "Slack identity auth".
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, MutableMapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

import anyio.to_thread
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.faces import CHANNELS
from triagebook.tools.log import log_event
from triagebook.tools.mcp_server.auth import CHANNEL, NOBODY, Caller, GetCaller
from triagebook.tools.mcp_server.native_blocks import Cards, draws_blocks
from triagebook.tools.policy.identity import Account, Actor
from triagebook.tools.server.asgi import read_body
from triagebook.tools.store import jobs
from triagebook.tools.store.database import Store

PATH = "/mcp/slack"
MAX_BODY = 256 * 1024
KIND = "slack_signature"  # of what is noted among the jobs, which all servers of one database share
MEMORY = timedelta(minutes=10)  # a signature is valid for five minutes to either side
IMPERSONAL = frozenset(
    {"initialize", "ping", "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"}
)
USER = re.compile(CHANNELS["slack"].account.subject)
STATUSES: Mapping[str, int] = {"too_large": 413, "database": 503}  # all others: 401
IsSigned = Callable[[str, Mapping[str, str]], bool]
IsFirst = Callable[[str], bool]
_caller: ContextVar[Caller | None] = ContextVar("slack_caller", default=None)
_viewer: ContextVar[str] = ContextVar("slack_viewer", default="")


@dataclass(frozen=True)
class FromSlack:
    """What only the Slack face knows: whether Slack has signed a request, and how its cards look."""

    is_signed: IsSigned
    cards: Cards


def caller_or(otherwise: GetCaller) -> GetCaller:
    """Return what says who asks: the person whom Slack names in this request, else the caller by another proof."""
    return lambda: _caller.get() or otherwise()


def viewer() -> str:
    """Return the Slack user for whom the answer to this request is drawn; '' where the client draws nothing."""
    return _viewer.get()


class SlackIdentity:
    """The endpoint for Slackbot. `is_signed` judges signature and age; `teams` are the workspaces whose people may ask.

    `is_first` says whether a signature comes for the first time, to whichever server of the database.
    """

    def __init__(
        self, app: ASGIApp, is_signed: IsSigned, is_first: IsFirst, teams: Collection[str], refused: Callable[[str], None]
    ) -> None:
        self._app, self._is_signed, self._is_first, self._refused = app, is_signed, is_first, refused
        self._teams = frozenset(teams)
        self._draws = False  # whether the client said last that it draws blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, and have it answered as the person's."""
        body = await read_body(receive, MAX_BODY)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        caller, reason, draws = await self._identify(body, headers)
        if caller is None or body is None:
            log_event("mcp.slack_refused", reason=reason)
            self._refused(reason)
            await _refuse(reason)(scope, receive, send)
            return

        unread = [body]

        async def again() -> MutableMapping[str, Any]:
            """Give the body once, and then what comes: whoever waits for the end of the connection must wait."""
            return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

        tokens = _caller.set(caller), _viewer.set(caller.actor.account.subject if draws else "")
        try:
            await self._app(scope, again, send)
        finally:
            _caller.reset(tokens[0])
            _viewer.reset(tokens[1])

    async def _identify(self, body: bytes | None, headers: Mapping[str, str]) -> tuple[Caller | None, str, bool]:
        """Return whose request it is, or None and the reason; and whether the client draws blocks."""
        reason, text = await self._judge(body, headers)
        if reason:
            return None, reason, False
        request = _request(text)
        if isinstance(request, str):
            return None, request, False
        caller, reason = self._person(request)
        draws = draws_blocks(request, self._draws)
        if caller is not None and request["method"] == "initialize":
            self._draws = draws
        return caller, reason, draws

    async def _judge(self, body: bytes | None, headers: Mapping[str, str]) -> tuple[str, str]:
        """Return why a request does not count ('': it does), and its text. Nothing in it is read before Slack has signed it."""
        if body is None:
            return "too_large", ""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return "not_signed", ""
        if not self._is_signed(text, headers):
            return "not_signed", ""
        try:
            is_first = await anyio.to_thread.run_sync(self._is_first, headers.get("x-slack-signature", ""))
        except TrustError:  # nobody can say whether it came before: it may
            return "database", ""
        return ("", text) if is_first else ("replayed", "")

    def _person(self, request: Mapping[str, Any]) -> tuple[Caller | None, str]:
        method = request["method"]
        team, user = _ids(request)
        if not team and not user:
            is_open = method in IMPERSONAL or method.startswith("notifications/")
            return (Caller(NOBODY), "") if is_open else (None, "no_person")
        if team not in self._teams:
            return None, "other_team"
        if not USER.fullmatch(user):
            return None, "no_person"
        return Caller(Actor(Account(CHANNELS["slack"].account.name, team, user), CHANNEL)), ""


def _request(text: str) -> dict[str, Any] | str:
    """Return the one request of a body, or the reason why there is none: a batch would be of several persons."""
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        return "not_json"
    return request if isinstance(request, dict) and isinstance(request.get("method"), str) else "no_request"


def memory(store: Store, clock: Callable[[], datetime]) -> IsFirst:
    """Return what notes signatures where all servers of one database see them. Raises TrustError: it cannot be noted."""

    def is_first(signature: str) -> bool:
        key = hashlib.sha256(signature.encode()).hexdigest()
        with store.write("slack.signature") as transaction:
            return jobs.is_first(transaction, KIND, key, clock(), MEMORY)

    return is_first


def _ids(request: Mapping[str, Any]) -> tuple[str, str]:
    """Read team and user. What is no text is none."""
    found: Any = request
    for name in ("params", "_meta", "slack"):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return "", ""
    team, user = found.get("team_id"), found.get("user_id")
    return (team if isinstance(team, str) else ""), (user if isinstance(user, str) else "")


def _refuse(reason: str) -> JSONResponse:
    error = {"code": -32600, "message": f"refused [{reason}]"}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status_code=STATUSES.get(reason, 401))
