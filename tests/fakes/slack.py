"""A Slack in memory: the part of the Web API that the product calls, over HTTP on loopback.

Source: Slack's pages of each method. `tests/system/slack/test_fake.py` holds its answers against those of the emulator.
"""

import itertools
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.hang import GUARD_S

TRIGGER_S = 10 * 3.0  # Slack has three seconds; how busy the machine is must not decide a test
Values = Mapping[str, str]
Answer = dict[str, Any]


class Refusal(Exception):
    """Slack answers `ok: false` with this error, and what else it says."""

    def __init__(self, error: str, **about: str) -> None:
        super().__init__(error)
        self.answer: Answer = {"ok": False, "error": error, **about}


@dataclass(frozen=True)
class Token:
    """What a token is for: whose it is, and what it may do."""

    user: str
    scopes: frozenset[str]


@dataclass
class FakeSlack:
    """One workspace. Users, channels and tokens are given; messages, views and files are made by calls."""

    users: Mapping[str, str]  # id -> name
    channels: Mapping[str, str]  # id -> name
    tokens: Mapping[str, Token]
    url: str = ""
    team: str = "T0FAKE"
    messages: list[Answer] = field(default_factory=list)
    views: dict[str, Answer] = field(default_factory=dict)
    triggers: dict[str, tuple[str, float]] = field(default_factory=dict)  # id -> user, when it expires
    files: dict[str, Answer] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def call(self, method: str, token: str, values: Values) -> Answer:
        """Return what Slack answers."""
        known = METHODS.get(method)
        if known is None:
            return {"ok": False, "error": "unknown_method"}
        scope, answer = known
        try:
            if token not in self.tokens:
                raise Refusal("invalid_auth" if token else "not_authed")
            who = self.tokens[token]
            if scope and scope not in who.scopes:
                raise Refusal("missing_scope", needed=scope, provided=",".join(sorted(who.scopes)))
            with self._guard:
                return {"ok": True, **answer(self, who, values)}
        except Refusal as refusal:
            return refusal.answer

    def upload(self, file: str, content: bytes) -> bool:
        """Take the bytes of a file that was announced. False: it was not."""
        if file not in self.files or self.files[file]["is_complete"]:
            return False
        self.files[file]["content"] = content
        return True

    def ts(self) -> str:
        """Return the next timestamp, which names a message of its channel."""
        return f"{int(time.time())}.{next(self._numbers):06}"

    def id(self, letter: str) -> str:
        """Return a new id."""
        return f"{letter}0FAKE{next(self._numbers):06}"

    def channel(self, values: Values) -> str:
        """Return the channel asked for; a direct message is named by its user."""
        channel = values.get("channel", "") or values.get("channel_id", "")
        if channel not in self.channels and channel not in self.users:
            raise Refusal("channel_not_found")
        return channel

    def add(self, user: str, channel: str, values: Values, **more: Any) -> Answer:
        """Store a message."""
        message = {"type": "message", "user": user, "text": values.get("text", ""), "ts": self.ts(), **_rich(values), **more}
        if thread := values.get("thread_ts"):
            message["thread_ts"] = thread
        self.messages.append({"channel": channel, **message})
        return message


def _rich(values: Values) -> Answer:
    found: Answer = {}
    for name, error in (("blocks", "invalid_blocks"), ("attachments", "invalid_attachments")):
        if name in values:
            try:
                found[name] = json.loads(values[name])
            except ValueError:
                raise Refusal(error) from None
            if not isinstance(found[name], list):
                raise Refusal(error)
    return found


def _test(slack: FakeSlack, who: Token, _values: Values) -> Answer:
    return {"team_id": slack.team, "team": "Tests", "user_id": who.user, "user": slack.users[who.user], "url": slack.url}


def _post(slack: FakeSlack, who: Token, values: Values) -> Answer:
    _require_content(values)
    channel = slack.channel(values)
    message = slack.add(who.user, channel, values)
    return {"channel": channel, "ts": message["ts"], "message": message}


def _post_ephemeral(slack: FakeSlack, _who: Token, values: Values) -> Answer:
    _require_content(values)
    slack.channel(values)
    if values.get("user") not in slack.users:
        raise Refusal("user_not_found")
    return {"message_ts": slack.ts()}


def _require_content(values: Values) -> None:
    if not values.get("text") and not _rich(values):
        raise Refusal("no_text")


def _update(slack: FakeSlack, who: Token, values: Values) -> Answer:
    rich, at = _rich(values), (values.get("channel"), values.get("ts"))
    message = next((item for item in slack.messages if (item["channel"], item["ts"]) == at), None)
    if message is None:
        raise Refusal("message_not_found")
    if message["user"] != who.user:
        raise Refusal("cant_update_message")
    if "text" in values:
        message["text"] = values["text"]
        for name in ("blocks", "attachments"):
            message.pop(name, None)
    message |= {**rich, "edited": {"user": who.user, "ts": slack.ts()}}
    shown = {name: value for name, value in message.items() if name != "channel"}
    return {"channel": message["channel"], "ts": message["ts"], "text": message["text"], "message": shown}


def _history(slack: FakeSlack, who: Token, values: Values) -> Answer:
    channel, limit = slack.channel(values), int(values.get("limit") or 100)
    roots = [item for item in slack.messages if item["channel"] == channel and item.get("thread_ts", item["ts"]) == item["ts"]]
    roots.reverse()
    cursor = values.get("cursor", "")
    start = next((number for number, item in enumerate(roots) if item["ts"] == cursor), 0)
    page = [_without_channel(item) for item in roots[start : start + limit]]
    rest = roots[start + limit :]
    return {"messages": page, "has_more": bool(rest), "response_metadata": {"next_cursor": rest[0]["ts"] if rest else ""}}


def _replies(slack: FakeSlack, _who: Token, values: Values) -> Answer:
    channel, ts = slack.channel(values), values.get("ts", "")
    found = [item for item in slack.messages if item["channel"] == channel and ts in (item["ts"], item.get("thread_ts"))]
    return {"messages": [_without_channel(item) for item in found], "has_more": False}


def _without_channel(message: Answer) -> Answer:
    return {name: value for name, value in message.items() if name != "channel"}


def _list_channels(slack: FakeSlack, _who: Token, _values: Values) -> Answer:
    return {"channels": [{"id": id_, "name": name} for id_, name in slack.channels.items()]}


def _list_users(slack: FakeSlack, _who: Token, _values: Values) -> Answer:
    return {"members": [_user(slack, id_) for id_ in slack.users]}


def _user_info(slack: FakeSlack, _who: Token, values: Values) -> Answer:
    if values.get("user") not in slack.users:
        raise Refusal("user_not_found")
    return {"user": _user(slack, values["user"])}


def _user(slack: FakeSlack, id_: str) -> Answer:
    name = slack.users[id_]
    return {"id": id_, "team_id": slack.team, "name": name, "real_name": name, "deleted": False, "is_bot": False}


def _make_trigger(slack: FakeSlack, _who: Token, values: Values) -> Answer:
    trigger = slack.id("trigger.")
    slack.triggers[trigger] = (values["user_id"], time.monotonic() + TRIGGER_S)
    return {"trigger_id": trigger}


def _open_view(slack: FakeSlack, _who: Token, values: Values) -> Answer:
    view = _view(values, "modal")
    user, until = slack.triggers.pop(values.get("trigger_id", ""), ("", 0.0))
    if not user:
        raise Refusal("invalid_trigger")
    if time.monotonic() > until:
        raise Refusal("expired_trigger_id")
    return {"view": _store_view(slack, view, user)}


def _publish_view(slack: FakeSlack, _who: Token, values: Values) -> Answer:
    if values.get("user_id") not in slack.users:
        raise Refusal("user_not_found")
    return {"view": _store_view(slack, _view(values, "home"), values["user_id"])}


def _update_view(slack: FakeSlack, _who: Token, values: Values) -> Answer:
    before = slack.views.get(values.get("view_id", ""))
    if before is None:
        raise Refusal("not_found")
    return {"view": _store_view(slack, _view(values, before["type"]), before["user_id"], before["id"])}


def _view(values: Values, kind: str) -> Answer:
    try:
        view = json.loads(values.get("view", ""))
    except ValueError:
        raise Refusal("invalid_arguments") from None
    if not isinstance(view, dict) or view.get("type") != kind or not isinstance(view.get("blocks"), list):
        raise Refusal("invalid_arguments")
    return view


def _store_view(slack: FakeSlack, view: Answer, user: str, id_: str = "") -> Answer:
    stored = {**view, "id": id_ or slack.id("V"), "team_id": slack.team, "user_id": user, "hash": slack.ts()}
    slack.views[stored["id"]] = stored
    return stored


def _announce_file(slack: FakeSlack, who: Token, values: Values) -> Answer:
    if not values.get("filename") or not values.get("length", "").isdigit():
        raise Refusal("invalid_arguments")
    id_ = slack.id("F")
    slack.files[id_] = {"id": id_, "name": values["filename"], "user": who.user, "is_complete": False}
    return {"upload_url": f"{slack.url}/upload/v1/{id_}", "file_id": id_}


def _complete_files(slack: FakeSlack, who: Token, values: Values) -> Answer:
    wanted = json.loads(values.get("files", "[]"))
    found = [slack.files.get(item["id"], {}) for item in wanted]
    if not found or not all("content" in item and not item["is_complete"] and item["user"] == who.user for item in found):
        raise Refusal("file_not_found" if found else "invalid_arguments")
    shown = []
    for item, file in zip(wanted, found, strict=True):
        file |= {"is_complete": True, "title": item.get("title", file["name"])}
        shown.append({name: file[name] for name in ("id", "name", "title", "user")})
    if values.get("channel_id"):
        text = {**values, "text": values.get("initial_comment", "")}
        slack.add(who.user, slack.channel(values), text, files=shown, upload=True)
    return {"files": shown}


def _validate(_slack: FakeSlack, _who: Token, values: Values) -> Answer:
    if sum(name in values for name in ("blocks", "message", "view")) != 1:
        raise Refusal("invalid_arguments")
    return {}


Method = tuple[str, Callable[[FakeSlack, Token, Values], Answer]]
METHODS: Mapping[str, Method] = {  # method -> scope, answer
    "auth.test": ("", _test),
    "blocks.validate": ("", _validate),
    "chat.postEphemeral": ("chat:write", _post_ephemeral),
    "chat.postMessage": ("chat:write", _post),
    "chat.update": ("chat:write", _update),
    "conversations.history": ("channels:history", _history),
    "conversations.list": ("channels:read", _list_channels),
    "conversations.replies": ("channels:history", _replies),
    "files.completeUploadExternal": ("files:write", _complete_files),
    "files.getUploadURLExternal": ("files:write", _announce_file),
    "users.info": ("users:read", _user_info),
    "users.list": ("users:read", _list_users),
    "views.generateTriggerId": ("", _make_trigger),  # for tests: Slack sends one with each click
    "views.open": ("", _open_view),
    "views.publish": ("", _publish_view),
    "views.update": ("", _update_view),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slack: FakeSlack

    def do_POST(self) -> None:
        """Answer a call, or take a file."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        kind = self.headers.get("content-type", "")
        if self.path.startswith("/upload/v1/"):
            is_known = self.slack.upload(self.path.removeprefix("/upload/v1/"), _content(body, kind))
            return self._send(200 if is_known else 404, "text/plain", b"OK" if is_known else b"file_not_found")
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        values = _values(body, kind)
        answer = self.slack.call(self.path.removeprefix("/api/"), token or values.get("token", ""), values)
        return self._send(200, "application/json", json.dumps(answer).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""


def _values(body: bytes, kind: str) -> dict[str, str]:
    if kind.startswith("application/json"):
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in json.loads(body or b"{}").items()}
    return dict(urllib.parse.parse_qsl(body.decode()))


def _content(body: bytes, kind: str) -> bytes:
    """The bytes of an upload, which comes bare or as the one part of a form."""
    if not kind.startswith("multipart/"):
        return body
    (part, *_rest) = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body).get_payload()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@contextmanager
def serve(slack: FakeSlack) -> Iterator[FakeSlack]:
    """Serve it on a port of loopback for the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"slack": slack}))
    server.daemon_threads = True
    slack.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        server.server_close()
        thread.join(GUARD_S)
