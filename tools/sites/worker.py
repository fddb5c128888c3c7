"""Answers a server's questions about the hosts of one site: many sessions on one thread, a bound, and nothing that is kept.

It connects outward only. It has no database, no signing key, no policy and no token, and judges nothing: it reads.
"""

import contextlib
import platform
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import ParseError
from triagebook.tools.log import log_event
from triagebook.tools.sites import wire
from triagebook.tools.sites.capacity import Capacity
from triagebook.tools.sites.connection import NatsConnection, Subscription
from triagebook.tools.sites.host_session import HostSession, Ways
from triagebook.tools.sites.nats_server import NatsServer
from triagebook.tools.sites.transport import HOLD_S
from triagebook.tools.times import rfc3339
from triagebook.tools.transport.scheduler import Scheduler
from triagebook.tools.transport.wakeup import Wakeup

AT_ONCE = 200
BUSY_S = 1.0  # after which a server that found this worker busy may ask again
HERE_S = 5.0
TURN_S = 1.0
KEEPALIVE_S = 5.0  # a host's signs of life are answered at least this often
MOST_WAITING = 32  # messages of one session that are not answered yet


@dataclass
class _Open:
    """A session, the messages that wait for it, and what tells it that there are some."""

    session: HostSession
    inbox: deque[tuple[Mapping[str, Any], str]] = field(default_factory=deque)
    wakeup: Wakeup = field(default_factory=Wakeup)

    def add(self, message: Mapping[str, Any], reply: str) -> None:
        self.inbox.append((message, reply))
        self.wakeup.set()

    def next(self) -> tuple[Mapping[str, Any], str] | None:
        """Return the next message; None: nothing is asked any more, or the host is gone."""
        until = time.monotonic() + self.session.hold_s
        while not self.inbox and not self.session.is_over and (left_s := until - time.monotonic()) > 0:
            if not self.wakeup.wait(min(KEEPALIVE_S, left_s)):
                self.session.keep_alive()
        return self.inbox.popleft() if self.inbox else None


class Worker:
    """The worker of a site. `run` goes on until `stop` was called and what runs has ended."""

    def __init__(self, site: str, server: NatsServer, ways: Ways, *, at_once: int = AT_ONCE) -> None:
        self.site, self._ways, self._at_once = site, ways, at_once
        self._capacity = Capacity(at_once)
        host = re.sub(r"[^A-Za-z0-9_-]", "-", platform.node())[:60].strip("-_") or "worker"
        self.name = f"{host}-{secrets.token_hex(4)}"
        self._began = datetime.now(UTC)
        self._arrived: deque[tuple[bytes, str, bool]] = deque()  # payload, where to answer, whether it begins a session
        self._wakeup = Wakeup()
        self._open: dict[str, _Open] = {}
        self._in_hand: dict[str, float] = {}  # where an answer is waited for, and since when
        self._scheduler = Scheduler()
        self._stopping = threading.Event()
        listened = (
            Subscription(wire.ask_subject(site), self._take_first, wire.QUEUE, self._capacity.want_anew),
            Subscription(wire.worker_subject(site, self.name), partial(self._arrive, False)),
            Subscription(wire.who_subject(site), self._tell_who),
        )
        self._connection = NatsConnection(server, f"triagebook worker {self.name}", listened)

    @property
    def is_connected(self) -> bool:
        """Whether the NATS server is reached."""
        return self._connection.is_connected

    def stop(self) -> None:
        """Take no further question. May be called from a signal handler."""
        self._stopping.set()
        self._wakeup.set()

    def run(self) -> None:
        """Answer questions."""
        log_event("sites.worker_started", site=self.site, worker=self.name, at_once=self._at_once)
        threading.Thread(target=self._tell_that_alive, name="beats", daemon=True).start()
        self._scheduler.start(self._await_wake)
        is_told = False
        while self._open or not self._stopping.is_set():
            self._scheduler.run_once(TURN_S)
            while self._arrived:
                self._begin(*self._arrived.popleft())
            self._want_more()
            if self._stopping.is_set() and not is_told:
                is_told = True
                self._leave()
        self._scheduler.close()
        self._connection.close()
        log_event("sites.worker_stopped", site=self.site, worker=self.name)

    def _want_more(self) -> None:
        """Ask for as many questions as this worker can take, and let the servers know."""
        count = self._capacity.want()
        if count and not self._connection.want(wire.ask_subject(self.site), count):
            self._capacity.unwant(count)  # a new connection asks anew
        elif count:
            self._tell_here(count)

    def _tell_here(self, free: int) -> None:
        self._connection.publish(wire.here_subject(self.site), wire.encode({"worker": self.name, "free": free}))

    def _leave(self) -> None:
        """Take no further questions; those that came meanwhile are answered, and watches look for another worker."""
        self._capacity.close()
        for subject in (wire.ask_subject(self.site), wire.who_subject(self.site)):
            self._connection.unsubscribe(subject)
        for opened in self._open.values():
            if opened.session.hold_s > HOLD_S:
                opened.add({"ask": "close"}, "")

    def _take_first(self, subject: str, payload: bytes, headers: Mapping[str, str], reply: str) -> None:
        """Take a question that begins a session, unless more came than were asked for."""
        if self._capacity.arrive():
            self._arrive(True, subject, payload, headers, reply)
        else:
            self._answer(reply, {"busy": BUSY_S})

    def _arrive(self, is_first: bool, _subject: str, payload: bytes, _headers: Mapping[str, str], reply: str) -> None:
        self._arrived.append((payload, reply, is_first))
        self._wakeup.set()

    def _await_wake(self) -> None:
        """Have the scheduler return when something arrived."""
        while True:  # until the scheduler ends it
            self._wakeup.wait(TURN_S)

    def _begin(self, payload: bytes, reply: str, is_first: bool) -> None:
        """Begin a session, or pass a message on to the one that it is for."""
        try:
            message = wire.decode(payload)
        except ParseError as error:
            self._answer(reply, {"error": str(error)})
            if is_first:
                self._capacity.end()
            return
        if is_first:
            opened = _Open(HostSession(self._ways, message))
            self._open[opened.session.id] = opened
            self._in_hand[reply] = time.monotonic()
            self._scheduler.start(partial(self._serve, opened, reply))
        elif (found := self._open.get(wire.text_of(message, "session", 64))) and len(found.inbox) < MOST_WAITING:
            if reply:
                self._in_hand[reply] = time.monotonic()
            found.add(message, reply)
        elif reply:
            self._answer(reply, {"error": "the session is over", "reason": "session"})

    def _serve(self, opened: _Open, reply: str) -> None:
        """Do a session from its beginning to its end."""
        session = opened.session
        try:
            self._do(session, reply, session.open)
            while not session.is_over and (came := opened.next()) is not None and came[0].get("ask") != "close":
                message, reply = came
                self._do(session, reply, partial(session.answer, message))
        finally:
            del self._open[session.id]
            self._capacity.end()
            opened.wakeup.close()
            for _message, unanswered in opened.inbox:
                self._answer(unanswered, {"error": "the session is over", "reason": "session"})
            with contextlib.suppress(OSError):
                session.close()

    def _do(self, session: HostSession, reply: str, work: Callable[[], dict[str, object]]) -> None:
        try:
            answer = work()
        except Exception as error:  # noqa: BLE001 - a defect ends one question, not the worker
            log_event("sites.defect", host=session.host, error=error)
            session.is_over = True
            answer = {"error": f"{type(error).__name__} in the worker", "reason": "internal"}
        log_event("sites.answered", site=self.site, host=session.host, says=answer.get("error"))
        self._answer(reply, {**answer, "host": session.host})

    def _answer(self, reply: str, message: Mapping[str, object]) -> None:
        self._in_hand.pop(reply, None)
        if not reply:
            return
        try:
            parts = wire.split(wire.encode({**message, "worker": self.name}))
        except ParseError as error:
            parts = wire.split(wire.encode({"error": str(error), "host": message.get("host"), "worker": self.name}))
        for number, part in enumerate(parts, 1):
            self._connection.publish(reply, part, headers=wire.part_header(number, len(parts)) if len(parts) > 1 else None)

    def _tell_who(self, _subject: str, _payload: bytes, _headers: Mapping[str, str], reply: str) -> None:
        about = {"version": version("triagebook"), "hosts": len(self._open), "at_once": self._at_once}
        self._answer(reply, {**about, "waiting": len(self._arrived), "began": rfc3339(self._began)})

    def _tell_that_alive(self) -> None:
        """Say that this worker is there, and at which questions it still is. A thread of its own: a session may compute."""
        heard, beat = 0.0, wire.encode({"beat": True})
        while not self._stopping.wait(wire.BEAT_S) or self._open:
            now = time.monotonic()
            for reply, since in list(self._in_hand.items()):
                if now - since >= wire.BEAT_S:
                    self._connection.publish(reply, beat)
            if now - heard >= HERE_S:
                heard = now
                self._tell_here(max(0, self._at_once - self._capacity.sessions))
            if self._stopping.is_set():
                time.sleep(wire.BEAT_S)
