"""What persons do in Slack, as Slack sends it: signed HTTP requests, or envelopes over Socket Mode."""

import hashlib
import hmac
import http.client
import itertools
import json
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.hang import GUARD_S
from tests.system.slack import workspace

from .gate import Gate

SECRET = "a-signing-secret"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """How a delivery was acknowledged."""

    status: int
    body: str
    seconds: float


class Way(Protocol):
    """How deliveries reach the product."""

    def send(self, kind: str, body: dict[str, Any]) -> Answer: ...


@dataclass
class Http:
    """Signed as Slack signs. `ahead_s` makes the timestamp a lie."""

    port: int
    secret: str = SECRET
    ahead_s: int = 0

    def send(self, kind: str, body: dict[str, Any]) -> Answer:
        content, content_type = encoded(kind, body)
        return self.post(content, self.headers(content, content_type))

    def headers(self, content: bytes, content_type: str) -> dict[str, str]:
        stamp = str(int(time.time()) + self.ahead_s)
        signature = hmac.new(self.secret.encode(), f"v0:{stamp}:".encode() + content, hashlib.sha256).hexdigest()
        return {"content-type": content_type, "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={signature}"}

    def post(self, content: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GUARD_S)
        began = time.perf_counter()
        try:
            connection.request("POST", "/slack/events", content, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), time.perf_counter() - began)
        finally:
            connection.close()


@dataclass
class Socket:
    """Envelopes over the WebSocket that the product opened."""

    gate: Gate
    types: dict[str, str] = field(
        default_factory=lambda: {"command": "slash_commands", "interactive": "interactive", "event": "events_api"}
    )

    def send(self, kind: str, body: dict[str, Any], envelope: str = "") -> Answer:
        envelope = envelope or f"envelope-{next(_NUMBERS)}"
        began = time.perf_counter()
        self.gate.send(
            {"type": self.types[kind], "envelope_id": envelope, "payload": body, "accepts_response_payload": kind != "event"}
        )
        while envelope not in self.gate.acknowledged:
            if not self.gate.is_connected:
                raise ConnectionError(f"{kind} was not acknowledged before the WebSocket was closed")
            if time.perf_counter() - began > GUARD_S:
                raise AssertionError(f"{kind} was not acknowledged")
            time.sleep(0.002)
        payload = self.gate.acknowledged[envelope]
        return Answer(200, json.dumps(payload) if payload else "", time.perf_counter() - began)


def encoded(kind: str, body: dict[str, Any]) -> tuple[bytes, str]:
    if kind == "event":
        return json.dumps(body).encode(), "application/json"
    form = body if kind == "command" else {"payload": json.dumps(body)}
    return urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"


@dataclass
class Driver:
    """Persons of the workspace, by their names there."""

    gate: Gate
    way: Way

    def trigger(self, user: str) -> str:
        answer = workspace.call(
            self.gate.workspace.url, workspace.TOKEN, "views.generateTriggerId", user_id=self.gate.workspace.users[user]
        )
        return str(answer["trigger_id"])

    def command(self, user: str, text: str, *, command: str = "/triage", channel: str = "incidents", trigger: str = "") -> Answer:
        return self.way.send("command", self.command_body(user, text, command, channel, trigger))

    def command_body(self, user: str, text: str, command: str, channel: str, trigger: str = "") -> dict[str, Any]:
        return {
            "command": command,
            "text": text,
            "team_id": self.gate.workspace.team,
            "user_id": self.gate.workspace.users[user],
            "channel_id": self.gate.workspace.channels[channel],
            "trigger_id": trigger or self.trigger(user),
            "response_url": "https://hooks.invalid/x",
            "token": "deprecated",
        }

    def mention(self, user: str, text: str, *, channel: str = "incidents", thread_ts: str = "", event_id: str = "") -> Answer:
        ts = f"{time.time():.6f}"
        event = {
            "type": "app_mention",
            "user": self.gate.workspace.users[user],
            "text": f"<@{self.gate.workspace.users['triagebook']}> {text}",
            "ts": ts,
            "channel": self.gate.workspace.channels[channel],
            **({"thread_ts": thread_ts} if thread_ts else {}),
        }
        return self.event(event, event_id)

    def direct(self, user: str, text: str, *, event_id: str = "", **more: Any) -> Answer:
        """What a person writes to the app itself; one of its channels stands in for the fake's direct ones."""
        event = {
            "type": "message",
            "channel_type": "im",
            "user": self.gate.workspace.users[user],
            "text": text,
            "ts": f"{time.time():.6f}",
            "channel": self.gate.workspace.channels["incidents"],
        }
        return self.event({**event, **more}, event_id)

    def home(self, user: str) -> Answer:
        return self.event({"type": "app_home_opened", "user": self.gate.workspace.users[user], "tab": "home", "channel": "D0"})

    def event(self, event: dict[str, Any], event_id: str = "") -> Answer:
        body = {
            "type": "event_callback",
            "team_id": self.gate.workspace.team,
            "event_id": event_id or f"Ev{next(_NUMBERS)}-{time.time_ns()}",
            "event": event,
        }
        return self.way.send("event", body)

    def shortcut(self, user: str, text: str, *, channel: str = "incidents") -> Answer:
        ts = f"{time.time():.6f}"
        body = {
            **self._who(user),
            "type": "message_action",
            "callback_id": "diagnose_message",
            "trigger_id": self.trigger(user),
            "channel": {"id": self.gate.workspace.channels[channel]},
            "message": {"ts": ts, "text": text},
        }
        return self.way.send("interactive", body)

    def click(self, user: str, message: dict[str, Any], action: str, **changes: Any) -> Answer:
        return self.way.send("interactive", self.click_body(user, message, action, **changes))

    def click_body(self, user: str, message: dict[str, Any], action: str, **changes: Any) -> dict[str, Any]:
        button = button_of(message, action)
        made = {"type": "button", "action_id": action, "value": button["value"], "block_id": "b"}
        return self._body_of(user, message, made) | changes

    def _body_of(self, user: str, message: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._who(user),
            "type": "block_actions",
            "trigger_id": self.trigger(user),
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]},
            "channel": {"id": message["channel"]},
            "message": {"ts": message["ts"], "thread_ts": message.get("thread_ts", "")},
            "actions": [action],
        }

    def judge(self, user: str, message: dict[str, Any], *, was_right: bool, lie: dict[str, Any] | None = None) -> Answer:
        """Press one of the two buttons that ask whether an answer was right."""
        (element,) = [item for block in message["blocks"] if block["type"] == "context_actions" for item in block["elements"]]
        value = element["positive_button" if was_right else "negative_button"]["value"]
        action = {"type": "feedback_buttons", "action_id": element["action_id"], "value": value, "block_id": "b"}
        body = self._body_of(user, message, action)
        return self.way.send("interactive", body | (lie or {}))

    def submit(self, user: str, view: dict[str, Any], values: dict[str, dict[str, Any]], **changes: Any) -> Answer:
        body = {
            **self._who(user),
            "type": "view_submission",
            "trigger_id": self.trigger(user),
            "view": {**view, "state": {"values": values}},
        }
        return self.way.send("interactive", body | changes)

    def change(self, user: str, view: dict[str, Any], action: str, values: dict[str, dict[str, Any]]) -> Answer:
        body = {
            **self._who(user),
            "type": "block_actions",
            "trigger_id": self.trigger(user),
            "container": {"type": "view", "view_id": view["id"]},
            "view": {**view, "state": {"values": values}},
            "actions": [{"type": "number_input", "action_id": action, "value": "1", "block_id": "b"}],
        }
        return self.way.send("interactive", body)

    def _who(self, user: str) -> dict[str, Any]:
        team = self.gate.workspace.team
        return {"team": {"id": team}, "user": {"id": self.gate.workspace.users[user], "team_id": team}}


def button_of(message: dict[str, Any], action: str) -> dict[str, Any]:
    """A button of a message by its action id."""
    for block in message.get("blocks", []):
        for element in block.get("elements", []):
            if element.get("action_id") == action:
                found: dict[str, Any] = element
                return found
    raise AssertionError(f"no button {action} on {[block.get('type') for block in message.get('blocks', [])]}")


def buttons(message: dict[str, Any]) -> list[str]:
    """Action ids of a message's buttons."""
    return [
        element["action_id"] for block in message.get("blocks", []) if block["type"] == "actions" for element in block["elements"]
    ]
