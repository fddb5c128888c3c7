"""What the ssh program says of its login (`-E`, LogLevel DEBUG2): how far it went, and why it failed.

Texts of OpenSSH 7 to 10. A log that is worded otherwise costs precision, not the login: the exit status and the first
byte of output still tell.
"""

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.text import safe_line
from triagebook.tools.log import log_event
from triagebook.tools.ssh.failures import DROPPED_ON_PURPOSE
from triagebook.tools.transport.base import Login, LoginFailed

_PROXIED = "debug1: Executing proxy command"
_MARKS = (  # a line that begins so, and the phase that begins with it
    ("debug1: Connection established", "banner"),
    (_PROXIED, "banner"),
    ("debug1: Remote protocol version", "kex"),
    ("debug1: SSH2_MSG_NEWKEYS received", "auth"),
    ("debug1: Authentication succeeded", "session"),
    ("Authenticated to ", "session"),
)
_RUNNING = ("debug2: exec request accepted on channel", "debug1: mux_client_request_session: master session id")
_ORDER = ("connect", "banner", "kex", "auth", "session")
# The first that fits decides; None is the phase that the login was in.
_FAILURES: tuple[tuple[str, str | None, str], ...] = (
    (r"Could not resolve hostname", "resolve", "refused"),
    (r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for", "host_key", "host_key"),
    (r"during banner exchange", "banner", "timeout"),
    (r"connect to (host|address) .*timed out|^Connection timed out", "connect", "timeout"),
    (r"connect to (host|address) .*Connection reset", "banner", "no_banner"),  # it was established, then reset
    (r"^ssh: connect to ", "connect", "refused"),
    (r"Permission denied|Too many authentication failures", "auth", "refused"),
    (r"exec request failed|open failed|shell request failed", "session", "no_session"),
    (r"no matching .* found|Unable to negotiate", "kex", "refused"),
    (r"kex_exchange_identification: (Connection closed|read: Connection reset|client sent)", "banner", "no_banner"),
    (r"[Cc]onnection (to .* )?(closed|reset)|Broken pipe", None, "cut"),
)
_USAGE = re.compile(r"[Bb]ad configuration option|Bad owner or permissions|Can't open user config|unknown option")
_CUT = re.compile(r"closed by remote host|[Cc]onnection (to .* )?(closed|reset)|[Tt]imeout, server .* not responding|Broken pipe")


class OpensshLog:
    """Reads the log as it grows."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._rest = b""
        self._started = time.monotonic()
        self._said: list[str] = []
        self.descriptor = -1
        self.folder: Path | None = None
        self.phase = "connect"
        self.is_running = False
        self._is_proxied = False
        self.host_key = ""
        self.timings_ms: dict[str, float] = {}
        log_event("ssh.connect.started", host=host, by="openssh")

    def open(self, pipe: Path) -> None:
        """The reading end, before ssh opens the other."""
        self.descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Give back the pipe and its folder."""
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
            self.descriptor = -1
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def feed(self, data: bytes) -> None:
        """More of the log."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode("utf-8", "replace").rstrip("\r"))
        self._rest = self._rest[-65536:]

    def _line(self, line: str) -> None:
        self._is_proxied = self._is_proxied or line.startswith(_PROXIED)
        for beginning, phase in _MARKS:
            if line.startswith(beginning) and _ORDER.index(phase) > _ORDER.index(self.phase):
                self._enter(phase)
        if line.startswith(_RUNNING):
            self._enter("exec")
            self.is_running = True
        elif line.startswith("debug1: Server host key: "):
            self.host_key = next((word for word in line.split() if word.startswith("SHA256:")), "")
        if not line.startswith("debug") or "banner line" in line:
            self._said.append(safe_line(line, 300))
            del self._said[:-40]

    def _enter(self, phase: str) -> None:
        now = time.monotonic()
        before = self.phase
        self.timings_ms[before] = round((now - self._started) * 1000, 1)
        self._started = now
        log_event(f"ssh.{before}.complete", host=self._host, ms=self.timings_ms[before])
        if phase != "exec":
            self.phase = phase
            log_event(f"ssh.{phase}.started", host=self._host)

    @property
    def cut(self) -> str:
        """What ssh said about the end of the connection; empty where it ended well."""
        return next((line for line in reversed(self._said) if _CUT.search(line)), "")

    def timeout(self, waited_s: float) -> Login:
        """The evidence of a deadline that passed."""
        return self._log_failure(
            Login(self.phase, "timeout", f"{self._host}: ssh got no further than {self.phase} within {waited_s:.3g} s")
        )

    def failure(self, stderr: bytes) -> TriagebookError:
        """What a login that ended amounts to."""
        said = [line for line in self._said if line and "debug" not in line[:6]] + [safe_line(stderr, 300)]
        text = " ".join(line for line in said if line.strip("@ ")) or "ssh ended without a word"
        if _USAGE.search(text):
            return UsageError(f"ssh: {text}")
        dropped = next((line for line in self._said if any(reason in line for reason in DROPPED_ON_PURPOSE)), None)
        if dropped:
            return self._login("banner", "refused", f"sshd runs and drops this connection on purpose: {dropped}")
        for pattern, phase, outcome in _FAILURES:
            if re.search(pattern, text, re.MULTILINE):
                return self._login(phase or self.phase, outcome, text)
        return self._login(self.phase, "no_session" if self.phase == "session" else "cut", text)

    def _login(self, phase: str, outcome: str, text: str) -> LoginFailed:
        if (phase, outcome) == ("banner", "cut"):
            outcome = "no_banner"
        if outcome == "no_banner" and self._is_proxied:  # the proxy may have failed: no evidence about the host
            phase, outcome = "connect", "refused"
        return LoginFailed(self._log_failure(Login(phase, outcome, f"{self._host}: {text}")))

    def _log_failure(self, login: Login) -> Login:
        spent_ms = (time.monotonic() - self._started) * 1000
        log_event(
            f"ssh.{self.phase}.failed",
            host=self._host,
            ms=spent_ms,
            phase=login.phase,
            outcome=login.outcome,
            says=login.message,
        )
        return login
