"""Talks to a host's helper: one message on its standard input, one answer. Nothing here is ever sent twice."""

import re
from collections.abc import Callable

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.actions.orders import status_request
from triagebook.tools.host_setup.layout import FIXER, HELPER
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.log import log_event
from triagebook.tools.redact import clean_text
from triagebook.tools.transport.base import HostProcess, Login, LoginFailed, Timeouts, Transport

ARGV = ("sudo", "-n", HELPER)
VERSION = "helper-v1"
FIELDS = (
    "result", "reason", "detail", "id", "action", "step", "before", "after", "journal", "running", "target", "boot", "now",
)  # fmt: skip
ANSWER_S = 900.0  # a swap file on a slow disk
TIMEOUTS = Timeouts(exec_s=30, first_byte_s=ANSWER_S, total_s=ANSWER_S + 60)
CAP_BYTES = 1 << 16
MAX_SAID = 200  # characters of what a helper said out of turn
GLANCE_S = 0.005


class AnswerLost(TriagebookError):
    """Says that a message left and no whole answer came back: what the helper did is not known."""

    reason = "answer_lost"


@dataclass(frozen=True)
class HelperAnswer:
    """Holds what the helper said: result, reason, and what its journal says of the order that was asked about."""

    result: str
    reason: str
    detail: str
    id: str
    action: str
    step: str
    before: str
    after: str
    journal: str
    running: str
    target: str
    boot: str
    now: str

    def says(self) -> str:
        """Return reason and detail, for people."""
        return safe_text(f"{self.reason} ({self.detail})" if self.detail else self.reason)


def parse(text: str) -> HelperAnswer:
    """Read a whole answer. Raises AnswerLost for anything else."""
    lines = text.split("\n")
    if lines[:1] != [f"triagebook={VERSION}"] or lines[-2:] != [f"end={VERSION}", ""]:
        raise AnswerLost(f"no whole answer of the helper: {clean_text(text, MAX_SAID)}")
    pairs = dict(line.partition("=")[::2] for line in lines[1:-2])
    if tuple(pairs) != FIELDS or len(pairs) != len(lines) - 3:
        raise AnswerLost(f"not the answer of {VERSION}: {clean_text(text, MAX_SAID)}")
    return HelperAnswer(**pairs)


@dataclass(frozen=True)
class HelperLink:
    """Reaches helpers as the fixing account. `transport` keeps to the stock order: a repeated flight would repeat an order."""

    transport: Transport
    account: str = FIXER
    target_of: Callable[[str], TargetName] = parse_target
    site_transport: Callable[[TargetName], Transport] | None = None  # to the helpers of hosts that a site reaches

    def ask(self, host: str, message: bytes) -> HelperAnswer:
        """Log in and send once. LoginFailed: nothing was sent; AnswerLost: it was, and what became of it is not known."""
        process = self._launch(host)
        try:
            return _answer(host, process, message)
        finally:
            process.session.close()

    def status(self, host: str, order: str = "none") -> HelperAnswer:
        """Ask for the helper's read-only status. Raises RefusedError `not_prepared`: it does not say which target it is."""
        try:
            answer = self.ask(host, status_request(order))
        except (LoginFailed, AnswerLost) as error:
            raise _not_prepared_error(host, error) from None
        if answer.result != "status" or not re.fullmatch(r"[0-9a-f]{32}", answer.target):
            raise RefusedError(f"{host}: its helper refuses: {answer.says()}", reason="not_prepared")
        return answer

    def approach(self, host: str) -> "HelperSession":
        """Log in and start the helper, which then waits for its order. RefusedError `not_prepared`."""
        try:
            return HelperSession(self, host, self._launch(host))
        except LoginFailed as error:
            raise _not_prepared_error(host, error) from None

    def _launch(self, host: str) -> HostProcess:
        target = self.target_of(host)
        name = parse_target(target.reach).host
        transport = self.site_transport(target) if target.site and self.site_transport else self.transport
        return transport.launch(f"{self.account}@{name}" if self.account else name, ARGV, cap_bytes=CAP_BYTES)


@dataclass
class HelperSession:
    """Holds a helper that waits for an order, and gives up after a while as it does with any slow sender."""

    link: HelperLink
    host: str
    process: HostProcess
    is_used: bool = False

    def ask(self, message: bytes) -> HelperAnswer:
        """Send once: by this login, or by a new one where it was used or its helper gave up. Raises as HelperLink.ask does."""
        said = self._early_output()
        if not self.is_used and said is None:
            self.is_used = True
            return _answer(self.host, self.process, message)
        if said is not None and not said.startswith(f"triagebook={VERSION}\n"):
            raise LoginFailed(Login("exec", "refused", f"its helper ended before it had an order: {clean_text(said, MAX_SAID)}"))
        return self.link.ask(self.host, message)

    def _early_output(self) -> str | None:
        """Return what the helper said if it ended without an order; None while it waits."""
        if self.is_used:
            return None
        try:
            return self.process.read(GLANCE_S).decode("ascii", "replace")
        except TimeoutError:
            return None
        except OSError as error:
            return str(error)

    def close(self) -> None:
        """Log out."""
        self.process.session.close()


def _answer(host: str, process: HostProcess, message: bytes) -> HelperAnswer:
    try:
        process.write(message)
        log_event("execute.sent", host=host, sent_bytes=len(message))
        ended = process.finish(ANSWER_S)
        output = b"".join(iter(lambda: process.read(ANSWER_S), b""))
    except (OSError, LoginFailed) as error:
        raise AnswerLost(f"{host}: {error}") from error
    try:
        return parse(output.decode("ascii", "replace"))
    except AnswerLost as error:
        said = clean_text(ended.stderr.decode("utf-8", "replace"), MAX_SAID)
        raise AnswerLost(f"{host}: {ended.ended} {ended.detail}: {error} {said}".strip()) from None


def _not_prepared_error(host: str, error: Exception) -> RefusedError:
    message = f"{host}: its helper cannot be asked: {error}; prepare it by `triagebook host install {host}`"
    return RefusedError(message, reason="not_prepared")
