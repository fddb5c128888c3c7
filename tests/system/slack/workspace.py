"""The workspace that the tests know: its persons, channels and tokens, in memory (`tests/fakes/slack.py`) or in the emulator."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.fakes.slack import FakeSlack, Token, serve
from tests.hang import GUARD_S

SCOPES = (
    "commands",
    "chat:write",
    "files:write",
    "app_mentions:read",
    "users:read",
    "usergroups:read",
)  # what the manifest asks for
HISTORY = ("channels:history", "groups:history")
TOKEN = "xoxb-of-the-bot"
WITH_HISTORY = "xoxb-of-the-bot-that-may-read"  # with what `slack manifest --history` asks for besides
READER = "xoxb-of-the-test"  # reads what the bot wrote
READER_SCOPES = (
    *("channels:history", "channels:read", "users:read", "im:history"),
    *("im:read", "files:read", "chat:write", "groups:history"),
)
PERSONS = ("ann", "bob", "cid", "dan", "eve", "guest", "unmapped", "triagebook")
CHANNELS = ("incidents", "approvals", "alerts")


@dataclass(frozen=True)
class Workspace:
    """A workspace that is served at `url`; users and channels by their names."""

    url: str
    team: str
    users: Mapping[str, str]
    channels: Mapping[str, str]

    def call(self, method: str, *, as_bot: bool = False, **values: Any) -> dict[str, Any]:
        return call(self.url, TOKEN if as_bot else READER, method, **values)


def call(url: str, token: str, method: str, **values: Any) -> dict[str, Any]:
    """What the Web API at `url` answers. Raises OSError."""
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    request = urllib.request.Request(  # noqa: S310
        f"{url}/api/{method}", urllib.parse.urlencode(form).encode(), {"authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=GUARD_S) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


def look_up(url: str) -> Workspace:
    """The workspace served at `url`, with the ids of its users and channels. Raises OSError: nothing answers there yet."""
    team = call(url, READER, "auth.test")["team_id"]
    users = {user["name"]: user["id"] for user in call(url, READER, "users.list")["members"]}
    channels = {item["name"]: item["id"] for item in call(url, READER, "conversations.list")["channels"]}
    return Workspace(url, team, users, channels)


@contextmanager
def in_memory() -> Iterator[Workspace]:
    """A workspace of this process."""
    users = {f"U0FAKE{number:02}": name for number, name in enumerate(PERSONS)}
    of = {name: id_ for id_, name in users.items()}
    tokens = {
        TOKEN: Token(of["triagebook"], frozenset(SCOPES)),
        WITH_HISTORY: Token(of["triagebook"], frozenset((*SCOPES, *HISTORY))),
        READER: Token(of["ann"], frozenset(READER_SCOPES)),
    }
    channels = {f"C0FAKE{number:02}": name for number, name in enumerate(CHANNELS)}
    with serve(FakeSlack(users, channels, tokens)) as slack:
        yield look_up(slack.url)
