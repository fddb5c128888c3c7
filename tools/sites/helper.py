"""Takes a signed order to the helper of a site's host: by the worker, once, and never again whatever becomes of the answer."""

from collections.abc import Mapping, Sequence

from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.sites import wire
from triagebook.tools.sites.client import Message, NoAnswer, SiteClient
from triagebook.tools.sites.transport import STEP_S
from triagebook.tools.transport.base import Exit, Login, LoginFailed, Route

PATIENCE_S = 30.0  # beyond the time that the worker gives the helper
LOGIN_S = 90.0
LONGEST = 1000


class SiteHelperTransport:
    """Reaches the helper of one host. Which program that is, and by which account, is the worker's own setting."""

    def __init__(self, client: SiteClient, site: str, host: str) -> None:
        self._client, self._site, self._host = client, site, host

    def launch(self, host: str, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "SiteHelper":
        """Have a worker log in and start the helper, which then waits. Raises LoginFailed: nothing was sent."""
        message = {"ask": "helper", "host": self._host, "reach": host}
        try:
            answer = self._client.ask_free_worker(self._site, message, LOGIN_S, is_urgent=True)
        except NoAnswer as error:
            raise LoginFailed(Login("site", error.outcome, str(error))) from None
        if answer.get("host") != self._host:
            raise LoginFailed(Login("site", "malformed", f"site {self._site} answered about another host"))
        worker, session = wire.text_of(answer, "worker", 100), wire.text_of(answer, "session", 64)
        if "error" in answer or not session or not wire.WORKER.fullmatch(worker):
            says = safe_text(wire.text_of(answer, "error", LONGEST) or "an answer without a session", LONGEST)
            raise LoginFailed(Login("site", "refused", f"{says} (by the worker of site {self._site})"))
        return SiteHelper(SiteHelperSession(self._client, self._site, self._host, worker, session))


class SiteHelperSession:
    """A helper that waits at a worker's end."""

    def __init__(self, client: SiteClient, site: str, host: str, worker: str, session: str) -> None:
        self._client, self._site, self._host, self._session = client, site, host, session
        self._subject = wire.worker_subject(site, worker)
        self.login = Login("exec", "ok")
        self.route = Route(f"site {site}")

    def ask(self, message: Mapping[str, object], deadline_s: float) -> Message:
        """Ask the worker, once. Raises OSError: what became of it is not known."""
        try:
            answer = self._client.ask(self._site, self._subject, {**message, "session": self._session}, deadline_s)
        except NoAnswer as error:
            raise OSError(str(error)) from None
        if "error" in answer or answer.get("host") != self._host:
            raise OSError(safe_text(f"site {self._site}: {wire.text_of(answer, 'error', LONGEST) or 'not its answer'}", LONGEST))
        return answer

    def start(self, argv: Sequence[str], *, cap_bytes: int = 1 << 20) -> "SiteHelper":
        """Start nothing else. Raises LoginFailed."""
        raise LoginFailed(Login("exec", "refused", "a session with a helper runs nothing else"))

    def read_files(self, paths: Sequence[str], *, cap_bytes: int = 1 << 16) -> Mapping[str, bytes | str]:
        """Read no file."""
        return dict.fromkeys(paths, "a session with a helper reads no files")

    def close(self) -> None:
        """Let the worker log out."""
        self._client.tell(self._subject, {"ask": "close", "session": self._session})


class SiteHelper:
    """The helper, in the form of a process. What is written leaves with `finish`, in one message."""

    def __init__(self, session: SiteHelperSession) -> None:
        self.session = session
        self._message, self._output, self._is_sent = b"", b"", False

    def read(self, timeout_s: float) -> bytes:
        """Return what it said; before it has its order, what it said out of turn. Raises TimeoutError: it still waits."""
        if self._is_sent:
            data, self._output = self._output, b""
            return data
        answer = self.session.ask({"ask": "glance"}, STEP_S)
        if "waits" in answer:
            raise TimeoutError("the helper waits for its order")
        return wire.text_of(answer, "text", wire.MOST_BYTES).encode()

    def write(self, data: bytes) -> None:
        """Take the order; it is sent by `finish`. Raises OSError: one was sent already."""
        if self._is_sent:
            raise BrokenPipeError(32, "an order was sent already")
        self._message += data

    def finish(self, timeout_s: float) -> Exit:
        """Send the order, once, and wait for the helper's end. Raises OSError: its answer was lost."""
        if self._is_sent:
            raise BrokenPipeError(32, "an order was sent already")
        self._is_sent = True
        answer = self.session.ask({"ask": "order", "message": self._message.decode("ascii")}, timeout_s + PATIENCE_S)
        self._output = wire.text_of(answer, "text", wire.MOST_BYTES).encode()
        stderr = wire.text_of(answer, "stderr", 4000).encode()
        ended, detail = wire.text_of(answer, "ended", 20), safe_text(wire.text_of(answer, "detail", 200), 200)
        return Exit(None, stderr, ended=ended if ended in {"exit", "signal", "cut", "timeout"} else "cut", detail=detail)
