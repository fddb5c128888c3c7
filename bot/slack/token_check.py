"""Checks that the tokens are valid, belong to one app and grant every scope that is needed, and that Slack takes our cards."""

import json
import ssl
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from triagebook.bot.slack.cards.help import SAYS, help_card
from triagebook.bot.slack.cards.home import Health, home
from triagebook.bot.slack.cards.refusal import refusal_of
from triagebook.bot.slack.cards.views import diagnose
from triagebook.bot.slack.manifest import AGENT_SCOPES, SCOPES
from triagebook.bot.slack.outbound.lost_messages import HISTORY_SCOPES
from triagebook.bot.slack.settings import Credentials

TIMEOUT_S = 15
SCOPES_HEADER = "x-oauth-scopes"


def problems(credentials: Credentials, approvals: str) -> list[str]:
    """Return one line for each check: `ok`, `MISSING` or `note`."""
    client = WebClient(credentials.bot_token, base_url=credentials.api_url, timeout=TIMEOUT_S, ssl=ssl.create_default_context())
    return [*_bot(client), *_socket(client, credentials), *_cards(client), *_settings(credentials, approvals)]


def _bot(client: WebClient) -> list[str]:
    try:
        answer = client.auth_test()
    except (SlackApiError, SlackClientError, OSError) as error:
        if why := _why_unreachable(error):
            return [f"MISSING Slack cannot be reached, so no token was checked: {client.base_url}: {why}"]
        return [f"MISSING bot token: {_word(error)}"]
    lines = [f"ok      bot token: {answer['user']} ({answer['user_id']}) in {answer['team']} ({answer['team_id']})"]
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if SCOPES_HEADER not in headers:
        return [*lines, "note    scopes: Slack did not say which the token has"]
    granted = {scope.strip() for scope in headers[SCOPES_HEADER].split(",")}
    lines += [
        f"MISSING scope {scope}: {SCOPES[scope]}; add it to the app and install it again" for scope in sorted(set(SCOPES) - granted)
    ]
    lines += [f"note    scope {scope} is not needed" for scope in sorted(granted - {*SCOPES, *HISTORY_SCOPES, *AGENT_SCOPES, ""})]
    lines += ["ok      scopes"] if len(lines) == 1 else []
    if not granted & set(HISTORY_SCOPES):
        lines.append("note    scope channels:history is not granted: a card posted just before a crash is posted twice")
    return lines


def _cards(client: WebClient) -> list[str]:
    """Have Slack itself judge a card of each kind that can be drawn without a host."""
    samples = {name: json.dumps(made) for name, made in surfaces().items()}
    lines = []
    for name, content in samples.items():
        try:
            client.api_call("blocks.validate", data={"view" if name.endswith("view") else "blocks": content})
        except SlackApiError as error:
            said = error.response.get("errors") or ()
            if not str(error.response.get("error")).startswith("invalid_") or not said:
                return [f"note    cards: Slack did not judge them: {_word(error)}"]
            lines += [f"MISSING {name}: Slack refuses it at {item.get('pointer')}: {item.get('message')}" for item in said]
        except (SlackClientError, OSError):
            return []  # said of the bot token
    return lines or [f"ok      cards: Slack takes {len(samples)} of {len(samples)}"]


def surfaces() -> dict[str, Any]:
    """Return blocks and views that need no host: a help card, a refusal, App Home, and the form of a diagnosis."""
    runbooks = [("a-runbook", "Linux refuses memory, processes or threads")]
    return {
        "help card": help_card([action for action, _says in SAYS], "/triage", runbooks).payload()["blocks"],
        "refusal card": refusal_of("this host is in no group of yours", "not_allowed", "approve F-1").payload()["blocks"],
        "home view": home((), (), (), Health()),
        "diagnosis view": diagnose(runbooks, "token", "web01", "fork: retry"),
    }


def _socket(client: WebClient, credentials: Credentials) -> list[str]:
    if not credentials.app_token:
        return []
    try:
        client.apps_connections_open(app_token=credentials.app_token)
    except (SlackApiError, SlackClientError, OSError) as error:
        if _why_unreachable(error):
            return []  # said of the bot token
        return [f"MISSING app-level token for Socket Mode: {_word(error)}; it needs connections:write"]
    return ["ok      app-level token: Socket Mode works"]


def _settings(credentials: Credentials, approvals: str) -> list[str]:
    lines = ["ok      signing secret is set"] if credentials.signing_secret else []
    where = (
        f"ok      approval cards go to {approvals}"
        if approvals
        else "note    approval cards: config.yaml names no channel (slack.approvals), so `serve` needs --slack-approvals"
    )
    return [*lines, where]


def _word(error: Exception) -> str:
    return str(error.response.get("error")) if isinstance(error, SlackApiError) else type(error).__name__


def _why_unreachable(error: Exception) -> str:
    """Return why Slack itself was not reached; '' if it answered, and said no."""
    if isinstance(error, SlackApiError):
        return ""
    reason = getattr(error, "reason", error)  # of urllib's URLError
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)
