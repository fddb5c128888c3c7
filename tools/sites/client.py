"""Asks the workers of sites, from any thread: one question, one answer, or at once why there is none."""

import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from triagebook.runbooks.engine.errors import ParseError, TriagebookError
from triagebook.tools.log import log_event
from triagebook.tools.sites import wire
from triagebook.tools.sites.answers import DENIED, LOST, AnswerParts, Came, OpenQuestion
from triagebook.tools.sites.backlog import Backlog, Turn
from triagebook.tools.sites.connection import NatsConnection, Subscription
from triagebook.tools.sites.last_contact import SeenSites, since_words
from triagebook.tools.sites.nats_server import NatsServer
from triagebook.tools.transport import waiting

CONNECT_S = 1.0  # what a question waits for a connection to the NATS server; the first one of a process takes longer
FIRST_CONNECT_S = 5.0
SILENCE_S = 4 * wire.BEAT_S  # a worker that says nothing so long has died, or its network has
RETRY_S = 1  # after which a person may try a busy site again
WHO_S = 1.0
FIRST_WHO_S = 10.0  # a worker that is there, by the word of the NATS server, may be slow to say who it is
JUST_S = 0.25  # a site that was heard so lately has a worker
MOST_FREE = 10_000  # questions of a line that one message of a worker lets go
Message = Mapping[str, Any]


class NoAnswer(TriagebookError):
    """A site did not answer. `outcome`: no_nats | no_worker | busy | denied | silent | lost | malformed | deadline."""

    reason = "site"

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class SiteClient:
    """The one connection of a process to its sites."""

    def __init__(self, server: NatsServer, seen: SeenSites, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._server, self.last_heard, self._now = server, seen, now
        self._instance = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._waiting: dict[str, OpenQuestion] = {}  # by the last word of the subject
        self.backlog = Backlog()
        self._heard: dict[str, float] = {}  # of the monotonic clock
        self._connect_s = FIRST_CONNECT_S
        listened = (
            Subscription(wire.answer_subject("*", self._instance, "*"), self._take),
            Subscription(wire.here_subject("*"), self._hear),
        )
        self._connection = NatsConnection(
            server, f"triagebook server {self._instance}", listened, lost=self._lose, denied=self._deny
        )

    def ask(self, site: str, subject: str, message: Message, deadline_s: float) -> Message:
        """Ask one worker of a site, once. Raises NoAnswer: `outcome` says what is known of it."""
        number = str(next(self._numbers))
        until, parts = time.monotonic() + deadline_s, AnswerParts()
        self.require_connection(site)
        with self._wait_for(site, number) as waiting_for:
            if not self._connection.publish(subject, wire.encode(message), wire.answer_subject(site, self._instance, number)):
                raise self._no_nats(site)
            while (left_s := until - time.monotonic()) > 0:
                came = waiting_for.next(min(left_s, SILENCE_S))
                if came is None and until - time.monotonic() > 0:
                    self.require_connection(site)  # where it broke at this moment, the worker is not to blame
                    raise NoAnswer("silent", f"the worker of site {site} that was asked says nothing more; it may have died")
                answer = self._read(site, came, parts) if came is not None else None
                if answer is not None:
                    return answer
        raise NoAnswer("deadline", f"site {site}: no answer within {deadline_s:g} s")

    def ask_free_worker(self, site: str, message: Message, deadline_s: float, *, is_urgent: bool = False) -> Message:
        """Ask a worker of a site that is free, in line where none is; what is urgent asks first.

        Raises NoAnswer: also `busy`, where none came free in time.
        """
        began, calls = time.monotonic(), self.backlog.calls(site)
        turn: Turn = "called" if is_urgent or self.backlog.is_empty(site) else self.backlog.wait(site, began, calls, is_first=False)
        while turn != "over":
            calls = self.backlog.calls(site)
            try:
                answer = self.ask(site, wire.ask_subject(site), message, deadline_s)
            except NoAnswer as error:
                if error.outcome != "no_worker":
                    raise
                if not self._has_workers(site):
                    self.backlog.call(site, MOST_FREE)  # all of the line need not wait to be told the same
                    raise
            else:
                if "busy" not in answer:
                    self.backlog.call(site, turn == "looks")  # the next one may find a free worker, too
                    return answer
            turn = self.backlog.wait(site, began, calls, is_first=True)
        says = f"site {site} is busy: all its workers have as many hosts in hand as they may; retry in {RETRY_S} s"
        raise NoAnswer("busy", says)

    def _has_workers(self, site: str) -> bool:
        """Whether somebody is there who takes no question now. One that does not say so in time is there, too."""
        if time.monotonic() - self._heard.get(site, -JUST_S) < JUST_S:
            return True
        try:
            self._ask_who(site, WHO_S, most=1)
        except NoAnswer as error:
            if error.outcome == "no_worker":
                return False
            raise
        return True

    def tell(self, subject: str, message: Message) -> None:
        """Send a message that nobody answers, if there is a connection."""
        self._connection.publish(subject, wire.encode(message))

    def ask_all(self, site: str, seconds: float) -> tuple[Message, ...]:
        """Ask all workers of a site who they are, and return what came within that time, or else the first answer.

        Raises NoAnswer: no connection.
        """
        try:
            return self._ask_who(site, seconds, first_s=FIRST_WHO_S)
        except NoAnswer as error:
            if error.outcome == "no_nats":
                raise
            return ()

    def _ask_who(self, site: str, seconds: float, most: int = 1000, first_s: float = 0.0) -> tuple[Message, ...]:
        """Return the first answers to who is there, and wait longer for the very first; none where none came in time.

        Raises NoAnswer: nobody is there.
        """
        self.require_connection(site)
        number, began = str(next(self._numbers)), time.monotonic()
        found: list[Message] = []
        with self._wait_for(site, number) as open_question:
            self._connection.publish(wire.who_subject(site), wire.encode({}), wire.answer_subject(site, self._instance, number))
            while len(found) < most:
                left_s = began + (seconds if found else max(seconds, first_s)) - time.monotonic()
                if left_s <= 0 or (came := open_question.next(left_s)) is None:
                    break
                try:
                    found.append(self._read(site, came, AnswerParts()) or {})
                except NoAnswer:
                    if not found:
                        raise
                    break
        return tuple(found)

    def require_connection(self, site: str) -> None:
        """Wait a moment for the NATS server. Raises NoAnswer: there is no connection to it."""
        seconds, self._connect_s = self._connect_s, CONNECT_S
        if not waiting.until(lambda: self._connection.is_connected, seconds):
            raise self._no_nats(site)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _no_nats(self, site: str) -> NoAnswer:
        since = since_words(self._connection.since, self._now())
        where, why = self._server.url, self._connection.why
        return NoAnswer("no_nats", f"site {site} cannot be asked: no connection to the NATS server {where} {since} ({why})")

    @contextlib.contextmanager
    def _wait_for(self, site: str, number: str) -> Iterator[OpenQuestion]:
        found = self._waiting[number] = OpenQuestion(site)
        try:
            yield found
        finally:
            del self._waiting[number]
            found.wakeup.close()

    def _read(self, site: str, came: Came, parts: AnswerParts) -> Message | None:
        """Return the answer once it is whole; None before. Raises NoAnswer."""
        if came == LOST:
            raise NoAnswer("lost", f"site {site}: the connection to the NATS server broke before the answer came")
        if isinstance(came, str):  # DENIED
            raise NoAnswer("denied", f"site {site}: the NATS server does not let this key ask it; see `triagebook site init`")
        payload, headers = came
        if headers.get(wire.STATUS) == wire.NO_RESPONDERS:
            raise NoAnswer("no_worker", f"no worker for site {site} {self.last_heard.since(site, self._now())}")
        try:
            whole = parts.add(payload, headers.get(wire.PART, "1/1"))
            answer = wire.decode(whole) if whole is not None else None
        except ParseError as error:
            raise NoAnswer("malformed", f"site {site}: {error}") from None
        return None if answer is None or "beat" in answer else answer

    def _take(self, subject: str, payload: bytes, headers: Mapping[str, str], _reply: str) -> None:
        """Pass on what came, if it came on the subject of the site that was asked."""
        site = wire.site_of(subject)
        found = self._waiting.get(subject.rpartition(".")[2])
        if found is None:
            return
        if found.site != site:
            log_event("sites.foreign_answer", site=site, asked=found.site)
            return
        if headers.get(wire.STATUS) != wire.NO_RESPONDERS:
            self._mark(site)
        found.add((payload, headers))

    def _hear(self, subject: str, payload: bytes, _headers: Mapping[str, str], _reply: str) -> None:
        """Note that a worker is there, and let as many questions of the line ask as it says that it takes."""
        site = wire.site_of(subject)
        self._mark(site)
        with contextlib.suppress(ParseError):
            free = wire.decode(payload).get("free")
            self.backlog.call(site, min(free, MOST_FREE) if isinstance(free, int) else 0)

    def _mark(self, site: str) -> None:
        self._heard[site] = time.monotonic()
        self.last_heard.mark(site, self._now())

    def _lose(self) -> None:
        for found in list(self._waiting.values()):
            found.add(LOST)
        self.backlog.call_all()

    def _deny(self, subject: str) -> None:
        for found in list(self._waiting.values()):
            if found.site.lower() == wire.site_of(subject).lower():  # nats-py lowers what the NATS server says
                found.add(DENIED)
