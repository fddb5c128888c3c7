"""Reduces what Slack sent to what we act on. Slack vouches for the sender; everything else is untrusted.

A delivery's key is the same each time Slack sends it again, over either transport, so that it is worked on once.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any, Literal

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.policy.identity import Account, Actor
from triagebook.tools.redact import redact

Kind = Literal["command", "mention", "direct", "shortcut", "click", "change", "submit", "home"]
MOST_TEXT = 3000
MOST_VALUE = 1000
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One thing a person did. `team` is the workspace where it happened, `user_team` the user's own (Slack Connect: another)."""

    kind: Kind
    key: str
    team: str
    user: str
    user_team: str
    channel: str = ""
    thread_ts: str = ""
    message_ts: str = ""
    trigger: str = ""
    name: str = ""  # the command, the action's or the view's id
    text: str = ""
    token: str = ""
    view: str = ""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # block id -> action id -> what was entered

    @property
    def actor(self) -> Actor:
        """Return the account of the person, in the user's own workspace."""
        return Actor(Account("slack", self.user_team or self.team, self.user), "slack")

    def dump(self) -> str:
        """Return the delivery as JSON, to be stored."""
        return json.dumps(asdict(self))


def load(text: str) -> Delivery:
    """Read a stored delivery."""
    return Delivery(**json.loads(text))


def of_command(body: Body) -> Delivery:
    """Read a slash command."""
    return Delivery(
        kind="command",
        key=_key("command", body.get("trigger_id"), body),
        team=str(body.get("team_id", "")),
        user=str(body.get("user_id", "")),
        user_team=str(body.get("user_team_id") or body.get("team_id", "")),
        channel=str(body.get("channel_id", "")),
        trigger=str(body.get("trigger_id", "")),
        name=str(body.get("command", "")),
        text=_text(body.get("text")),
    )


def of_click(body: Body, kind: Kind = "click") -> Delivery:
    """Read a click on a button, or a changed field of a view (`change`)."""
    action: Body = next(iter(body.get("actions") or ()), {})
    container, view = body.get("container") or {}, body.get("view") or {}
    return Delivery(
        kind=kind,
        key=_key(kind, body.get("trigger_id"), body),
        **_who(body),
        channel=str((body.get("channel") or {}).get("id") or container.get("channel_id") or ""),
        thread_ts=str((body.get("message") or {}).get("thread_ts") or ""),
        message_ts=str((body.get("message") or {}).get("ts") or container.get("message_ts") or ""),
        trigger=str(body.get("trigger_id", "")),
        name=str(action.get("action_id", "")),
        token=str(view.get("private_metadata", "") if kind == "change" else action.get("value", "")),
        view=str(view.get("id", "")),
        values=_values(view),
    )


def of_view(body: Body) -> Delivery:
    """Read a submitted modal. Its private metadata is one of our tokens."""
    view = body.get("view") or {}
    unique = body.get("trigger_id") or f"{view.get('id', '')}/{view.get('hash', '')}"
    return Delivery(
        kind="submit",
        key=_key("submit", unique, body),
        **_who(body),
        trigger=str(body.get("trigger_id", "")),
        name=str(view.get("callback_id", "")),
        token=str(view.get("private_metadata", "")),
        view=str(view.get("id", "")),
        values=_values(view),
    )


def of_shortcut(body: Body) -> Delivery:
    """Read a shortcut on a message; only the message's text is used."""
    message = body.get("message") or {}
    return Delivery(
        kind="shortcut",
        key=_key("shortcut", body.get("trigger_id"), body),
        **_who(body),
        channel=str((body.get("channel") or {}).get("id", "")),
        thread_ts=str(message.get("thread_ts") or message.get("ts") or ""),
        message_ts=str(message.get("ts") or ""),
        trigger=str(body.get("trigger_id", "")),
        name=str(body.get("callback_id", "")),
        text=_text(_message_text(message)),
    )


def of_event(body: Body, kind: Kind) -> Delivery:
    """Read an event: a mention, a direct message, or the opened home tab."""
    event = body.get("event") or {}
    team = str(body.get("team_id", ""))
    return Delivery(
        kind=kind,
        key=_key("event", body.get("event_id"), body),
        team=team,
        user=str(event.get("user", "")),
        user_team=str(event.get("user_team") or event.get("team") or team),
        channel=str(event.get("channel", "")),
        thread_ts=str(event.get("thread_ts") or event.get("ts") or ""),
        message_ts=str(event.get("ts") or ""),
        text=_text(_message_text(event)),
    )


def is_direct(body: Body) -> bool:
    """Tell whether an event is what a person wrote to the app itself; edits, joins and programs are not."""
    event = body.get("event") or {}
    return event.get("channel_type") == "im" and not event.get("subtype") and not event.get("bot_id")


def actor_of(body: Body) -> Actor:
    """Return whose request this is, for an answer that is given at once."""
    who = _who(body)
    return Actor(Account("slack", who["user_team"] or who["team"], who["user"]), "slack")


def _who(body: Body) -> dict[str, Any]:
    user = body.get("user") or {}
    team = str((body.get("team") or {}).get("id") or user.get("team_id") or "")
    return {"team": team, "user": str(user.get("id", "")), "user_team": str(user.get("team_id") or team)}


def _key(kind: str, unique: object, body: Body) -> str:
    """Return Slack's own id of what was done, or the content if there is none."""
    if not unique:
        unique = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
    return f"{kind}:{str(unique)[:120]}"


def _values(view: Body) -> dict[str, dict[str, Any]]:
    """Return the fields of a view that we read."""
    found: dict[str, dict[str, Any]] = {}
    for block_id, block in ((view.get("state") or {}).get("values") or {}).items():
        found[str(block_id)] = {str(name): _element(element) for name, element in block.items()}
    return found


def _element(element: Body) -> dict[str, Any]:
    if selected := element.get("selected_option"):
        return {"selected_option": {"value": str(selected.get("value", ""))[:MOST_VALUE]}}
    return {"value": redact(str(element.get("value") or ""))[:MOST_VALUE]}


def _message_text(message: Body) -> str:
    """Return the text of a message with its attachments and the previews of its text files."""
    parts = [str(message.get("text") or "")]
    for attachment in message.get("attachments") or ():
        parts += [str(attachment.get(name) or "") for name in ("title", "text", "fallback")]
    parts += [
        str(file.get("preview") or "") for file in message.get("files") or () if str(file.get("mimetype", "")).startswith("text/")
    ]
    return "\n".join(part for part in parts if part)


def _text(value: object) -> str:
    text = redact(str(value or "")[:MOST_TEXT])
    return "\n".join(safe_text(line, MOST_TEXT) for line in text.splitlines())
