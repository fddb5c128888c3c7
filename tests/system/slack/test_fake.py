"""What the fake workspace answers, and that the independent emulator answers the same: each test runs in both."""

import json
import urllib.request
from typing import Any

import pytest

from .workspace import READER, SCOPES, TOKEN, WITH_HISTORY, Workspace, call

BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}}]
MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "t"}, "blocks": BLOCKS}


def post(slack: Workspace, **values: Any) -> dict[str, Any]:
    return slack.call("chat.postMessage", as_bot=True, **{"channel": slack.channels["incidents"], "text": "x", **values})


def history(slack: Workspace, **values: Any) -> dict[str, Any]:
    return slack.call("conversations.history", channel=slack.channels["incidents"], **values)


def test_a_token_is_its_users(slack: Workspace) -> None:
    told = call(slack.url, TOKEN, "auth.test")
    assert (told["ok"], told["team_id"], told["user_id"], told["user"]) == (
        True,
        slack.team,
        slack.users["triagebook"],
        "triagebook",
    )


def test_a_token_that_nobody_has_is_refused(in_memory: Workspace) -> None:
    assert call(in_memory.url, "xoxb-nobody", "auth.test")["error"] == "invalid_auth"  # the emulator takes any


def test_a_message_is_shown_updated_and_its_authors_alone(slack: Workspace) -> None:
    posted = post(slack, text="one", blocks=BLOCKS)
    assert (posted["ok"], posted["channel"]) == (True, slack.channels["incidents"])
    at = {"channel": slack.channels["incidents"], "ts": posted["ts"]}
    updated = slack.call("chat.update", as_bot=True, **at, text="two")
    assert (updated["ok"], updated["text"]) == (True, "two")
    newest = history(slack, limit="1")["messages"][0]
    assert (newest["ts"], newest["text"], newest["user"]) == (posted["ts"], "two", slack.users["triagebook"])
    assert "blocks" not in newest, "an update of the text alone drops the blocks"
    assert "edited" in newest
    assert slack.call("chat.update", **at, text="three")["error"] == "cant_update_message"
    assert slack.call("chat.update", as_bot=True, **at | {"ts": "1.000001"}, text="x")["error"] == "message_not_found"


def test_a_thread_is_not_in_the_channel(slack: Workspace) -> None:
    root = post(slack, text="root")["ts"]
    reply = post(slack, text="reply", thread_ts=root)["ts"]
    assert history(slack, limit="1")["messages"][0]["ts"] == root
    replies = slack.call("conversations.replies", channel=slack.channels["incidents"], ts=root)
    assert [item["ts"] for item in replies["messages"]] == [root, reply]
    assert replies["messages"][1]["thread_ts"] == root


def test_history_comes_in_pages_newest_first(slack: Workspace) -> None:
    made = [post(slack, text=str(number))["ts"] for number in range(3)]
    first = history(slack, limit="2")
    assert ([item["ts"] for item in first["messages"]], first["has_more"]) == (made[:0:-1], True)
    second = history(slack, limit="1", cursor=first["response_metadata"]["next_cursor"])
    assert second["messages"][0]["ts"] == made[0]


@pytest.mark.parametrize(
    ("method", "values", "error"),
    [
        ("chat.postMessage", {"channel": "C0NONE", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "incidents"}, "no_text"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "blocks": "{"}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "blocks": "{}"}, "invalid_blocks"),
        ("chat.postEphemeral", {"channel": "incidents", "user": "U0NONE", "text": "x"}, "user_not_found"),
        ("conversations.history", {"channel": "incidents"}, "missing_scope"),
        ("users.info", {"user": "U0NONE"}, "user_not_found"),
        ("views.update", {"view_id": "V0NONE", "view": json.dumps(MODAL)}, "not_found"),
        ("views.publish", {"user_id": "U0NONE", "view": json.dumps({**MODAL, "type": "home"})}, "user_not_found"),
        ("files.completeUploadExternal", {"files": json.dumps([{"id": "F0NONE"}])}, "file_not_found"),
    ],
)
def test_a_refusal_has_its_error(slack: Workspace, method: str, values: dict[str, str], error: str) -> None:
    named = {**values, "channel": slack.channels.get(values["channel"], values["channel"])} if "channel" in values else values
    answer = call(slack.url, TOKEN, method, **named)
    assert (answer["ok"], answer["error"]) == (False, error)
    if error == "missing_scope":
        assert answer["needed"] == "channels:history"
        assert set(answer["provided"].split(",")) == set(SCOPES)


def test_history_is_for_the_token_that_may_read(slack: Workspace) -> None:
    assert call(slack.url, WITH_HISTORY, "conversations.history", channel=slack.channels["incidents"])["ok"]
    assert call(slack.url, READER, "conversations.history", channel=slack.channels["incidents"])["ok"]


def test_a_view_opens_once_for_a_click_and_is_updated(slack: Workspace) -> None:
    trigger = call(slack.url, TOKEN, "views.generateTriggerId", user_id=slack.users["ann"])["trigger_id"]
    opened = call(slack.url, TOKEN, "views.open", trigger_id=trigger, view=MODAL)
    assert opened["ok"]
    assert not call(slack.url, TOKEN, "views.open", trigger_id=trigger, view=MODAL)["ok"]
    changed = {**MODAL, "title": {"type": "plain_text", "text": "u"}}
    updated = call(slack.url, TOKEN, "views.update", view_id=opened["view"]["id"], view=changed)
    assert (updated["view"]["id"], updated["view"]["title"]["text"]) == (opened["view"]["id"], "u")
    assert call(slack.url, TOKEN, "views.publish", user_id=slack.users["ann"], view={**MODAL, "type": "home"})["ok"]


def test_a_file_is_shared_once_its_bytes_have_come(slack: Workspace) -> None:
    root = post(slack, text="root")["ts"]
    announced = call(slack.url, TOKEN, "files.getUploadURLExternal", filename="chart.png", length="3")
    wanted = {"files": [{"id": announced["file_id"], "title": "t"}], "channel_id": slack.channels["incidents"], "thread_ts": root}
    assert call(slack.url, TOKEN, "files.completeUploadExternal", **wanted)["error"] == "file_not_found"
    upload = urllib.request.Request(  # noqa: S310
        announced["upload_url"], b"abc", {"content-type": "application/octet-stream"}
    )
    with urllib.request.urlopen(upload, timeout=60) as answer:  # noqa: S310
        assert answer.status == 200
    assert call(slack.url, TOKEN, "files.completeUploadExternal", **wanted)["files"][0]["id"] == announced["file_id"]
    assert call(slack.url, TOKEN, "files.completeUploadExternal", **wanted)["error"] == "file_not_found", "it is shared once"
    replies = slack.call("conversations.replies", channel=slack.channels["incidents"], ts=root)["messages"]
    assert replies[-1]["files"][0]["title"] == "t"


def test_a_user_has_a_name_and_a_team(slack: Workspace) -> None:
    found = call(slack.url, TOKEN, "users.info", user=slack.users["bob"])["user"]
    assert (found["name"], found["team_id"], found["deleted"]) == ("bob", slack.team, False)
