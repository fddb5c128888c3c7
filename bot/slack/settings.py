"""Reads the set-up of the Slack face: tokens from the environment or private files, the rest from `slack:` in config.yaml.

slack:
  approvals: C0123456789     # the channel where plans wait for a decision
  alerts: C0123456789        # the channel where alerts are shown whose rule names no other
  commands: {/triage: ""}    # further slash commands, each with the runbook it means ("": the default one)
  storm: 10                  # so many new hosts within a minute in one channel become one table
"""

import os
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean
from triagebook.tools.files import read_private

KEYS = ("approvals", "alerts", "commands", "storm")
GENERIC = "/triage"  # names the runbook as its second word
BOT_TOKEN, APP_TOKEN, SIGNING_SECRET = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"
API = "SLACK_API_URL"
_CHANNEL = re.compile(r"[CG][A-Z0-9]{2,30}")
_COMMAND = re.compile(r"/[a-z0-9_-]{1,31}")


@dataclass(frozen=True)
class Credentials:
    """The secrets that prove us to Slack, and Slack to us. They are never shown."""

    bot_token: str = field(repr=False)
    app_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    api_url: str = "https://slack.com/api/"


@dataclass(frozen=True)
class SlackSettings:
    """The channels of approvals and of alerts, the slash commands, and when many cards become one."""

    approvals: str = ""
    commands: Mapping[str, str] = field(default_factory=dict)
    storm: int = 10
    alerts: str = ""


def credentials(environment: Mapping[str, str] = os.environ, *, over_http: bool) -> Credentials:
    """Read the credentials. Raises UsageError naming what is missing. `NAME_FILE` is the path of a 0600 file that holds NAME."""
    found = {name: _secret(environment, name) for name in (BOT_TOKEN, APP_TOKEN, SIGNING_SECRET)}
    if not found[BOT_TOKEN].startswith("xoxb-"):
        raise UsageError(f"--slack: ${BOT_TOKEN} or ${BOT_TOKEN}_FILE must hold the bot token (xoxb-...)", reason="slack")
    if over_http and not found[SIGNING_SECRET]:
        message = f"--slack-http: without ${SIGNING_SECRET} (or ${SIGNING_SECRET}_FILE) anybody could send clicks; not started"
        raise UsageError(message, reason="slack")
    if not over_http and not found[APP_TOKEN].startswith("xapp-"):
        message = f"--slack: Socket Mode needs ${APP_TOKEN} or ${APP_TOKEN}_FILE (xapp-..., scope connections:write)"
        raise UsageError(message, reason="slack")
    api_url = environment.get(API, Credentials.api_url)
    return Credentials(found[BOT_TOKEN], found[APP_TOKEN], found[SIGNING_SECRET], api_url.rstrip("/") + "/")


def require_secret(environment: Mapping[str, str] = os.environ) -> str:
    """Read what Slack signs with. Raises UsageError without it."""
    found = _secret(environment, SIGNING_SECRET)
    if not found:
        message = f"--mcp-slack: without ${SIGNING_SECRET} (or ${SIGNING_SECRET}_FILE) anybody could ask; not started"
        raise UsageError(message, reason="slack")
    return found


def slack_settings(raw: Mapping[str, object], runbooks: tuple[str, ...]) -> SlackSettings:
    """Read the `slack:` part of the configuration; every runbook gets the command of its id. Raises UsageError."""
    for key in raw:
        if key not in KEYS:
            raise UsageError(f"slack.{key}: unknown key{did_you_mean(str(key), KEYS)}", reason="slack")
    channels = {key: str(raw.get(key) or "") for key in ("approvals", "alerts")}
    for key, channel in channels.items():
        if channel and not _CHANNEL.fullmatch(channel):
            raise UsageError(f"slack.{key}: {channel[:40]!r} is not a channel id such as C0123456789", reason="slack")
    storm = raw.get("storm", SlackSettings.storm)
    if type(storm) is not int or storm < 1:
        raise UsageError(f"slack.storm: expected a number of hosts, got {storm!r}", reason="slack")
    return SlackSettings(channels["approvals"], _commands(raw.get("commands") or {}, runbooks), storm, channels["alerts"])


def _commands(raw: object, runbooks: tuple[str, ...]) -> Mapping[str, str]:
    if not isinstance(raw, Mapping):
        raise UsageError("slack.commands: expected commands and runbooks", reason="slack")
    commands = {f"/{name}": name for name in runbooks} | {GENERIC: ""}
    for command, runbook in raw.items():
        if not isinstance(command, str) or not _COMMAND.fullmatch(command):
            raise UsageError(f"slack.commands: {command!r} is not a command such as /triage", reason="slack")
        if runbook and runbook not in runbooks:
            raise UsageError(f"slack.commands: no runbook {runbook!r}{did_you_mean(str(runbook), runbooks)}", reason="slack")
        commands[command] = str(runbook or "")
    return commands


def _secret(environment: Mapping[str, str], name: str) -> str:
    file = environment.get(f"{name}_FILE", "")
    if not file:
        return environment.get(name, "").strip()
    try:
        return read_private(Path(file)).decode().strip()
    except (FileNotFoundError, UnicodeDecodeError):
        raise UsageError(f"${name}_FILE: {file}: missing, or not text", reason="slack") from None
