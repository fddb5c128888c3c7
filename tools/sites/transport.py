"""Reaches a host by a worker of its site: the worker reads, and the facts are judged here.

A worker is told which kinds to read, never which program to run. One that dies under way is replaced: the host is read once more
by another worker of the site, which is harmless, and the counters are the host's own.
"""

import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.collector.fixed_argv import reading_of
from triagebook.tools.log import log_event
from triagebook.tools.sites import wire
from triagebook.tools.sites.client import Message, NoAnswer, SiteClient
from triagebook.tools.sites.process import SiteProcess
from triagebook.tools.transport.base import Login, LoginFailed, Route, Timeouts

OPEN_S = 30.0  # beyond the time of a login: the first sample
STEP_S = 45.0  # a further sample, or a program
HOLD_S = 60.0  # so long a worker holds a session that asks nothing
LONGEST_HOLD_S = 900.0
LONGEST_TEXT = 300
MOST_NOTES = 12
DIES = frozenset({"no_worker", "silent", "lost"})  # after these another worker is asked once
_WORD = re.compile(r"[a-z_]{1,30}")
READS = ("host",)  # the kind of a session that is opened for a reading only


class SiteTransport:
    """Reaches one host by its site. `host` is its name in the inventory; what ssh is told there is `reach`."""

    def __init__(self, client: SiteClient, site: str, host: str, timeouts: Timeouts | None = None) -> None:
        self._client, self._site, self._host, self._timeouts = client, site, host, timeouts or Timeouts()

    def collect(self, host: str, kinds: Sequence[str]) -> SiteProcess:
        """Have a worker log in and take the first sample. Raises LoginFailed, UsageError."""
        session = SiteSession(self._client, self._site, self._host, host, kinds, self._timeouts)
        return SiteProcess(session, session.open(1))

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> SiteProcess:
        """Have a worker make one of the closed set of readings. Raises LoginFailed: it is another program."""
        if reading_of(argv) is None:
            raise _not_run(self._site, argv)
        session = SiteSession(self._client, self._site, self._host, host, READS, self._timeouts)
        session.open(1)
        return session.start(argv, cap_bytes=cap_bytes)


class SiteSession:
    """A host that a worker has logged in to; the worker gives it up when nothing is asked for a while."""

    def __init__(self, client: SiteClient, site: str, host: str, reach: str, kinds: Sequence[str], timeouts: Timeouts) -> None:
        self._client, self.site, self._host, self._reach = client, site, host, reach
        self._kinds = tuple(kinds)
        self._hold_s = LONGEST_HOLD_S if timeouts.session_s else HOLD_S  # of a watch: it asks seldom
        self._open_s = timeouts.total_s + OPEN_S
        self._tag = f"{random.getrandbits(48):012x}"
        self._worker = self._session = ""
        self.login = Login("exec", "ok")
        self.route = Route(f"site {site}")

    def open(self, n: int) -> str:
        """Have a worker log in, and return its first sample as number `n`. Raises LoginFailed, UsageError."""
        message = {"ask": "read", "host": self._host, "reach": self._reach, "kinds": self._kinds}
        started = time.monotonic()
        answer = self._ask_site({**message, "tag": self._tag, "n": n, "hold_s": self._hold_s})
        self._worker, self._session = wire.text_of(answer, "worker", 100), wire.text_of(answer, "session", 64)
        if not wire.WORKER.fullmatch(self._worker):
            raise LoginFailed(Login("site", "malformed", f"site {self.site}: an answer that names no worker"))
        self._note(answer, (time.monotonic() - started) * 1000)
        return _text(answer)

    def sample(self, n: int, suspects: Sequence[int], asked: Sequence[str], *, is_brief: bool) -> str:
        """Take one more sample; by another worker where this one died. Raises OSError: none came, and why."""
        message = {"ask": "sample", "n": n, "suspects": list(suspects), "asked": list(asked), "brief": is_brief}
        try:
            return _text(self._ask_worker(message))
        except NoAnswer as error:
            if error.outcome not in DIES:
                raise OSError(str(error)) from None
            log_event("sites.asked_again", site=self.site, host=self._host, says=error)
            return self._sample_of_another(message, n, is_plain=not suspects and not asked)

    def _sample_of_another(self, message: Mapping[str, object], n: int, *, is_plain: bool) -> str:
        before = self.route.host_key
        try:
            text = self.open(n)
            if before != self.route.host_key:
                raise OSError(f"another worker of site {self.site} finds another host key: {self.route.host_key or 'none'}")
            return text if is_plain else _text(self._ask_worker(message))
        except (LoginFailed, UsageError, NoAnswer) as error:
            raise OSError(str(error)) from None

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> SiteProcess:
        """Have one of the fixed commands run. Raises LoginFailed: it could not be."""
        reading = reading_of(argv)
        message: Mapping[str, object] = {"ask": "run", "argv": list(argv)}
        if reading is not None:
            message = {"ask": "look", "name": reading.name, "subjects": list(reading.subjects)}
        try:
            answer = self._ask_worker(message)
            status = answer.get("status")
            return SiteProcess(self, _text(answer), cap_bytes, status=status if isinstance(status, int) else None)
        except (OSError, NoAnswer) as error:
            raise LoginFailed(Login("exec", "no_session", safe_text(str(error), LONGEST_TEXT))) from None

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Read no file: the worker does that itself where nothing runs on the host."""
        return dict.fromkeys(paths, "the worker of a site reads the files that it needs")

    def close(self) -> None:
        """Let the worker log out."""
        if self._session:
            self._client.tell(wire.worker_subject(self.site, self._worker), {"ask": "close", "session": self._session})

    def _ask_site(self, message: Mapping[str, object]) -> Message:
        """Ask one of the workers that are free; another one once where it died. Raises LoginFailed."""
        is_again = False
        while True:
            try:
                return self._check(self._client.ask_free_worker(self.site, message, self._open_s))
            except NoAnswer as error:
                if error.outcome not in DIES - {"no_worker"} or is_again:
                    raise LoginFailed(Login("site", error.outcome, str(error))) from None
                log_event("sites.asked_again", site=self.site, host=self._host, says=error)
                is_again = True

    def _ask_worker(self, message: Mapping[str, object]) -> Message:
        """Ask the worker that has the session. Raises NoAnswer; OSError: it could not do it, and why."""
        subject = wire.worker_subject(self.site, self._worker)
        answer = self._client.ask(self.site, subject, {**message, "session": self._session}, STEP_S)
        if "error" in answer and answer.get("reason") == "session":
            raise NoAnswer("no_worker", f"site {self.site}: {_says(answer)}")
        try:
            return self._check(answer)
        except (LoginFailed, UsageError) as error:
            raise OSError(str(error)) from None

    def _check(self, answer: Message) -> Message:
        """Refuse an answer that is none. Raises LoginFailed or UsageError: what the worker says, or of another host."""
        if (host := answer.get("host")) != self._host:
            log_event("sites.foreign_host", site=self.site, host=self._host, says=host)
            says = f"site {self.site} answered about another host ({safe_text(str(host), 60)}); the answer is not used"
            raise LoginFailed(Login("site", "malformed", says))
        if isinstance(login := answer.get("login"), dict):
            phase, outcome = (_word(wire.text_of(login, key, 30)) for key in ("phase", "outcome"))
            raise LoginFailed(Login(phase, outcome, _says(answer) + f" (by the worker of site {self.site})"))
        if "error" in answer:
            raise UsageError(f"site {self.site}: {_says(answer)}", reason="site")
        return answer

    def _note(self, answer: Message, spent_ms: float) -> None:
        """Take over what the worker says of its login."""
        route, key = self.route, wire.text_of(answer, "host_key", 60)
        route.host_key = key if wire.HOST_KEY.fullmatch(key) else ""
        route.transport = f"{safe_text(wire.text_of(answer, 'transport', 40), 40) or 'ssh'} via site {self.site}"
        route.notes[:] = [safe_text(note, LONGEST_TEXT) for note in wire.words_of(answer, "notes", MOST_NOTES)]
        timings: Any = answer.get("timings_ms")
        for name, value in list(timings.items())[:20] if isinstance(timings, dict) else ():
            if _WORD.fullmatch(name) and isinstance(value, (int, float)) and 0 <= value < 1e7:
                route.timings_ms[name] = float(value)
        route.timings_ms["site"] = spent_ms


def _text(answer: Message) -> str:
    return wire.text_of(answer, "text", wire.MOST_BYTES)


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else "site"


def _says(answer: Message) -> str:
    return safe_text(wire.text_of(answer, "error", 1000) or "it does not say why", 1000)


def _not_run(site: str, argv: Sequence[str]) -> LoginFailed:
    return LoginFailed(Login("exec", "refused", f"site {site}: its workers run no program that they are sent ({argv[0][:40]})"))
