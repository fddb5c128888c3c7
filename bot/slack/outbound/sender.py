"""Brings Slack to what the messages should say: posts, edits, ephemeral answers, files; patient with limits and outages."""

import base64
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Any

from slack_sdk import WebClient
from triagebook.bot.slack.outbound.api import CannotSend, RetryLater, call
from triagebook.bot.slack.outbound.lost_messages import HistoryUnreadable, find_posted, tag
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.tools.log import log_event
from triagebook.tools.periodic import PeriodicThread
from triagebook.tools.store import chat_messages
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.database import Store
from triagebook.tools.store.leases import Lease, hold_lease

LEASE = timedelta(seconds=10)  # renewed while messages are being sent: a sender that died holds them up no longer
POLL_S = 1.0
ROUND_S = 15.0  # a slow channel holds up the next round of all the others no longer
LONGEST_S = 30.0
WORKERS = 4
EPHEMERAL, FILE = "ephemeral", "file"
INSTEAD = "instead_tell"  # who is told when there is no way into a message's channel
STALE = timedelta(minutes=10)  # an answer for one person's eyes is of no use later
NO_WAY_IN = frozenset(["not_in_channel", "channel_not_found", "is_archived", "user_not_in_channel", "restricted_action"])
UNEDITABLE = frozenset(["message_not_found", "cant_update_message", "edit_window_closed"])
TOO_MUCH = frozenset(["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"])


@dataclass
class Sender:
    """One replica's sender. Messages of a channel go one after the other; a limit holds up its channel only."""

    store: Store
    clock: Callable[[], datetime]
    client: WebClient
    poll_s: float = POLL_S
    lease: timedelta = LEASE
    longest_s: float = LONGEST_S
    owner: str = field(default_factory=lambda: secrets.token_hex(8))  # names this sender in the leases
    _paused: dict[str, float] = field(default_factory=dict)  # channel -> monotonic time
    _said: str = ""

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, "slack-send")
        self._thread = PeriodicThread("slack-sender", self.round)

    def start(self) -> None:
        """Begin."""
        self._thread.every_s = self.poll_s
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        self._thread.wake()

    def stop(self) -> None:
        """End; what is unsent is sent after the next start."""
        self._thread.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def round(self) -> bool:
        """Send what is due. True: something was."""
        with self.store.read() as transaction:
            if not chat_messages.is_due(transaction, self.clock()):
                return False
        with self.store.write("chat.claim") as transaction:
            due = chat_messages.claim(transaction, self._make_lease(), self.clock())
        channels: dict[str, list[Message]] = defaultdict(list)
        for message in due:
            channels[message.channel].append(message)
        with hold_lease(lambda: self._renew(due), self.lease):
            list(self._pool.map(self._send_all, channels.values()))
        return bool(due)

    def _make_lease(self) -> Lease:
        return Lease(self.owner, self.clock() + self.lease)

    def _renew(self, batch: list[Message]) -> bool:
        with self.store.write("chat.renew") as transaction:
            return chat_messages.renew(transaction, batch, self._make_lease(), self.clock()) > 0

    def _send_all(self, batch: list[Message]) -> None:
        until = time.monotonic() + ROUND_S
        for number, message in enumerate(batch):
            if number and (self._thread.is_stopping or time.monotonic() > until):
                with self.store.write("chat.release") as transaction:
                    chat_messages.release(transaction, batch[number:])
                return
            try:
                self._send(message)
            except Exception as error:  # noqa: BLE001 - the others are sent; perhaps this one was as well
                log_event("slack.defect", doing="send", error=error)
                self._put_off(message, None, is_doubtful=True)

    def _send(self, message: Message) -> None:
        wait_s = self._paused.get(message.channel, 0.0) - time.monotonic()
        if wait_s > 0:
            self._put_off(message, wait_s)
            return
        try:
            ts = self._deliver(message)
        except RetryLater as later:
            if later.after_s is not None:
                self._paused[message.channel] = time.monotonic() + later.after_s
            self._tell(str(later))
            self._put_off(message, later.after_s, is_doubtful=later.is_doubtful)
            return
        except CannotSend as never:
            self._give_up(message, str(never))
            return
        self._said = ""
        with self.store.write("chat.sent") as transaction:
            chat_messages.mark_sent(transaction, message, ts)

    def _deliver(self, message: Message) -> str:
        content = {name: value for name, value in message.content.items() if name != INSTEAD}
        with self.store.read() as transaction:
            thread = chat_messages.thread_of(transaction, message)
        place = {"channel": message.channel, **({"thread_ts": thread} if thread else {})}
        if message.kind == EPHEMERAL:
            return self._whisper(place, content)
        if message.is_doubtful and not message.ts:
            message = replace(message, ts=self._find_posted(message, thread))
        if message.kind == FILE and message.ts:
            return thread or "-"
        if message.kind == FILE:
            if "base64" in content:
                content["content"] = base64.b64decode(content.pop("base64"))
            call(self.client.files_upload_v2, **{"thread_ts": None, **place, **content})
            return thread or "-"
        try:
            return self._show(message, place, content)
        except CannotSend as never:
            if str(never) not in TOO_MUCH or "blocks" not in content:
                raise
            log_event("slack.as_text", says=str(never))
            return self._show(message, place, {"text": content["text"]})

    def _show(self, message: Message, place: Mapping[str, Any], content: Mapping[str, Any]) -> str:
        """Posted, or edited; what cannot be edited any more is said below it."""
        post = {**place, **content, "unfurl_links": False, "unfurl_media": False, "metadata": tag(message)}
        if not message.ts:
            return str(call(self.client.chat_postMessage, **post)["ts"])
        try:
            call(self.client.chat_update, channel=message.channel, ts=message.ts, **content)
        except CannotSend as never:
            if str(never) not in UNEDITABLE:
                raise
            return str(call(self.client.chat_postMessage, **{"thread_ts": message.ts, **post})["ts"])
        return message.ts

    def _find_posted(self, message: Message, thread: str) -> str:
        """Where Slack shows it already, although nobody could write that down; empty: nowhere, or it is not known."""
        with self.store.read() as transaction:
            age = chat_messages.age(transaction, message, self.clock())
        name = str(message.content.get("filename", "")) if message.kind == FILE else ""
        try:
            return find_posted(self.client, message, thread, age.total_seconds(), name)
        except HistoryUnreadable as blind:
            self._tell(f"{message.channel}: {blind}: it may be shown there twice")
            return ""

    def _whisper(self, place: Mapping[str, Any], content: dict[str, Any]) -> str:
        """To one person; where we are not a member, as a direct message."""
        user = content.pop("user")
        try:
            if place["channel"].startswith("D"):
                raise CannotSend("channel_not_found")
            call(self.client.chat_postEphemeral, **place, user=user, **content)
        except CannotSend as never:
            if str(never) not in NO_WAY_IN:
                raise
            call(self.client.chat_postMessage, channel=user, **content, unfurl_links=False)
        return "-"

    def _put_off(self, message: Message, after_s: float | None, *, is_doubtful: bool = False) -> None:
        now = self.clock()
        wait_s = min(self.longest_s, 0.5 * 2.0 ** min(message.tries, 10)) if after_s is None else after_s
        with self.store.write("chat.later") as transaction:
            if message.kind == EPHEMERAL and chat_messages.age(transaction, message, now) > STALE:
                chat_messages.mark_failed(transaction, message, "too late")
            else:
                is_doubtful = (is_doubtful or message.is_doubtful) and not message.ts
                chat_messages.mark_retry(transaction, message, now + timedelta(seconds=wait_s), is_doubtful=is_doubtful)

    def _give_up(self, message: Message, word: str) -> None:
        self._tell(f"{message.channel}: {word}")
        user = str(message.content.get(INSTEAD, ""))
        with self.store.write("chat.never") as transaction:
            chat_messages.mark_failed(transaction, message, word)
            if word in NO_WAY_IN and user:
                text = f"I cannot write to <#{message.channel}> ({word}): invite me there with /invite, and ask again."
                told = Message(chat_messages.new_id(), "notice", message.subject, user, {"text": text})
                chat_messages.add(transaction, told, self.clock())

    def _tell(self, what: str) -> None:
        if what != self._said:
            log_event("slack.not_sent", says=what)
            self._said = what
