"""The manifest asks Slack for what the listeners take, and for nothing else; its tokens can be checked."""

import socket
from pathlib import Path
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.request import BoltRequest
from triagebook.bot.slack import app as listeners
from triagebook.bot.slack.manifest import EVENTS, SCOPES, SHORTCUT, manifest
from triagebook.bot.slack.settings import Credentials, credentials, slack_settings
from triagebook.bot.slack.token_check import problems
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.library.document import read_document
from triagebook.runbooks.library.yaml_text import write_yaml

from tests.command import ROOT
from tests.system.slack import workspace

from .driver import encoded
from .gate import Gate
from .world import SlackWorld

FILE = ROOT / "deploy" / "slack" / "manifest.yaml"
SOCKET_EVENTS = {"event": {"type": "x", "user": "U1", "ts": "1"}, "type": "event_callback", "team_id": "T1"}


def written() -> dict[str, Any]:
    found: dict[str, Any] = read_document(FILE.read_text(), str(FILE)).data  # type: ignore[assignment]
    return found


def test_the_file_is_what_the_command_prints(slacked: SlackWorld) -> None:
    commands = slacked.face.context.settings.commands
    assert FILE.read_text() == write_yaml(manifest(commands))
    assert written() == manifest(commands)


def test_over_http_every_address_is_ours() -> None:
    made = str(manifest(["/x"], "https://triage.example/"))
    assert made.count("https://triage.example/slack/events") == 4
    assert "'socket_mode_enabled': False" in made


def test_what_the_manifest_announces_is_listened_to_and_nothing_else(slacked: SlackWorld) -> None:
    made = written()
    app: App = slacked.face.app
    commands = {entry["command"] for entry in made["features"]["slash_commands"]}
    assert commands == set(slacked.face.context.settings.commands)
    for command in (*commands, "/other"):
        body, kind = encoded("command", {"command": command, "team_id": "T1", "user_id": "U1", "text": "help"})
        assert is_taken(app, body, kind) is (command in commands)
    for event in (*made["settings"]["event_subscriptions"]["bot_events"], "message", "reaction_added"):
        body, kind = encoded("event", {**SOCKET_EVENTS, "event": {**SOCKET_EVENTS["event"], "type": event}})  # type: ignore[dict-item]
        assert is_taken(app, body, kind) is (event in EVENTS)
    (shortcut,) = made["features"]["shortcuts"]
    assert shortcut["callback_id"] == SHORTCUT == listeners.SHORTCUT
    assert len(shortcut["name"]) <= 24
    assert len(made["display_information"]["description"]) <= 140
    assert set(made["oauth_config"]["scopes"]["bot"]) == set(SCOPES)


def is_taken(app: App, body: bytes, kind: str) -> bool:
    """Is there a listener for it? Unsigned, as over Socket Mode, where the signature is the connection's."""
    import json
    import urllib.parse

    content = json.loads(body) if kind.endswith("json") else dict(urllib.parse.parse_qsl(body.decode()))
    return app.dispatch(BoltRequest(body=content, mode="socket_mode")).status == 200


def test_the_scopes_are_those_that_the_whole_path_was_tested_with() -> None:
    assert set(workspace.SCOPES) == set(SCOPES)
    assert set(manifest(["/x"], has_history=True)["oauth_config"]["scopes"]["bot"]) == {*SCOPES, *workspace.HISTORY}


def test_the_check_names_what_a_token_lacks(through: Gate) -> None:
    good = Credentials(workspace.TOKEN, "xapp-test", "", f"{through.url}/api/")
    through.scopes = ",".join(SCOPES)
    assert [line.split()[0] for line in problems(good, "C0123456789")] == ["ok", "ok", "note", "ok", "ok", "ok"]
    through.scopes = ",".join((*SCOPES, *workspace.HISTORY))
    assert [line.split()[0] for line in problems(good, "C0123456789")] == ["ok"] * 5
    through.scopes = "commands,chat:write,admin"
    lines = problems(good, "")
    assert [line for line in lines if line.startswith("MISSING scope users:read")]
    assert [line for line in lines if line.startswith("note    scope admin is not needed")]
    assert [line for line in lines if line.startswith("note    approval cards: config.yaml names no channel")]
    through.failing |= {"auth.test", "apps.connections.open"}
    assert [line.split(":")[0] for line in problems(good, "C0123456789")[:2]] == [
        "MISSING bot token",
        "MISSING app-level token for Socket Mode",
    ]


def test_the_check_has_slack_judge_our_cards(through: Gate) -> None:
    good = Credentials(workspace.TOKEN, "", "", f"{through.url}/api/")
    assert "ok      cards: Slack takes 4 of 4" in problems(good, "C0123456789")
    through.picky = True
    lines = [line for line in problems(good, "C0123456789") if line.startswith("MISSING")]
    assert len(lines) == 4
    assert lines[0] == "MISSING help card: Slack refuses it at /blocks/0: picky"
    through.failing.add("blocks.validate")
    assert "note    cards: Slack did not judge them: internal_error" in problems(good, "C0123456789")


def test_the_check_says_that_slack_cannot_be_reached_and_no_token_is_blamed() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nothing listens there
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/api/"
        lines = problems(Credentials(workspace.TOKEN, "xapp-test", "", url), "C0123456789")
    assert lines == [
        f"MISSING Slack cannot be reached, so no token was checked: {url}: Connection refused",
        "ok      approval cards go to C0123456789",
    ]


@pytest.mark.parametrize(
    ("environment", "over_http", "says"),
    [
        ({}, False, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxp-user"}, False, "xoxb-"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, False, "SLACK_APP_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}, True, "SLACK_SIGNING_SECRET"),
        ({"SLACK_BOT_TOKEN_FILE": "/nonexistent/token"}, False, "missing, or not text"),
    ],
)
def test_nothing_starts_without_what_proves_both_sides(environment: dict[str, str], over_http: bool, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        credentials(environment, over_http=over_http)


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("xoxb-1\n")
    file.chmod(0o600)
    environment = {"SLACK_BOT_TOKEN_FILE": str(file), "SLACK_APP_TOKEN": "xapp-1"}
    assert credentials(environment, over_http=False).bot_token == "xoxb-1"
    assert "xoxb-1" not in repr(credentials(environment, over_http=False))
    file.chmod(0o644)
    with pytest.raises(TriagebookError, match="0600"):
        credentials(environment, over_http=False)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"aprovals": "C1"}, "did you mean 'approvals'"),
        ({"approvals": "#approvals"}, "not a channel id"),
        ({"storm": 0}, "storm"),
        ({"commands": {"triage": ""}}, "not a command"),
        ({"commands": {"/x": "nosuch"}}, "no runbook"),
        ({"commands": ["/x"]}, "expected commands"),
    ],
)
def test_a_setting_that_is_none_is_refused(raw: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        slack_settings(raw, ("forks",))
