"""Finds messages that were posted but not recorded: each carries its id as metadata in the channel's history.

Reading a history needs scopes that the app has only when it was given them (`slack manifest --history`).
"""

import time
from collections.abc import Mapping
from typing import Any

from slack_sdk import WebClient
from triagebook.bot.slack.outbound.api import CannotSend, RetryLater, call
from triagebook.tools.store.chat_messages import Message

EVENT = "triagebook_message"
HISTORY_SCOPES: Mapping[str, str] = {
    "channels:history": "conversations.history, conversations.replies: was a card posted just before a crash?",
    "groups:history": "the same in private channels",
}
SKEW_S = 120.0  # between Slack's clock and ours
PAGE, MOST_PAGES = 200, 5


class HistoryUnreadable(Exception):
    """The history cannot be read; says why."""


def tag(message: Message) -> dict[str, Any]:
    """Return the metadata of a message to be posted."""
    return {"event_type": EVENT, "event_payload": {"message": message.id}}


def find_posted(client: WebClient, message: Message, thread: str, age_s: float, file: str = "") -> str:
    """Return the `ts` of this message, or of the one with its file; empty if absent. Raises HistoryUnreadable or RetryLater."""
    if not message.channel.startswith(("C", "G")):
        raise HistoryUnreadable("a direct message")
    arguments: dict[str, Any] = {
        "channel": message.channel,
        "oldest": f"{time.time() - age_s - SKEW_S:.6f}",
        "include_all_metadata": True,
        "limit": PAGE,
    }
    for _page in range(MOST_PAGES):
        answer = _page_of(client, thread, arguments)
        for item in answer.get("messages") or ():
            if _is_it(item, message, file):
                return str(item["ts"])
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return ""
        arguments["cursor"] = cursor
    raise HistoryUnreadable(f"more than {PAGE * MOST_PAGES} newer messages")


def _page_of(client: WebClient, thread: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        if thread:
            return call(client.conversations_replies, ts=thread, **arguments)
        return call(client.conversations_history, **arguments)
    except CannotSend as never:
        raise HistoryUnreadable(str(never)) from None
    except RetryLater as later:
        if str(later).startswith("missing_scope"):
            raise HistoryUnreadable(str(later)) from None
        raise


def _is_it(item: Mapping[str, Any], message: Message, file: str) -> bool:
    if file:
        return any(part.get("name") == file for part in item.get("files") or ())
    metadata = item.get("metadata") or {}
    return metadata.get("event_type") == EVENT and (metadata.get("event_payload") or {}).get("message") == message.id
