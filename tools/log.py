"""Logs the product's own work: events with stable names, through the standard library's logging.

    log_event("ssh.connect.complete", host="web-01", ms=3.2)   ->   ssh.connect.complete host=web-01 ms=3.2

An event's logger is `triagebook.` and the first word of its name, its level stands in EVENTS. A record carries the name as
`event`, the values as `context`, and an exception nobody expected as `defect`. Its text is made only where a handler wants
it, and is safe whatever a host wrote: secrets are cut out, control characters are escapes, no value can look like two.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from triagebook.runbooks.engine.errors import TriagebookError

if TYPE_CHECKING:
    import logging

ROOT = "triagebook"
DEBUG, DETAIL, INFO, WARNING, ERROR = 10, 15, 20, 30, 40  # as logging's; DETAIL is what `-v` adds to what a server says
LONGEST = 300  # characters of one value
NOT_BARE = frozenset(' "=')

EVENTS: Mapping[str, tuple[int, str]] = {
    "alert.answered": (INFO, "Asked the host that an alert names, and kept the answer"),
    "alert.not_answered": (WARNING, "The host that an alert names could not be asked"),
    "alert.not_stored": (ERROR, "Alerts could not be stored; the sender was told to send them again"),
    "alert.noted": (INFO, "Noted what a monitoring system said of an alert"),
    "alert.received": (INFO, "Stored a delivery of alerts"),
    "alert.refused": (WARNING, "Refused a delivery of alerts"),
    "audit.anchor_behind": (WARNING, "An anchor ends before the checkpoints of the database"),
    "audit.anchor_failed": (ERROR, "A checkpoint could not be kept outside the database; nothing runs without it"),
    "audit.broken": (ERROR, "The audit log is not what it was"),
    "audit.checkpoint": (DETAIL, "Signed a checkpoint of the audit log"),
    "audit.columns_differ": (
        WARNING,
        "Search columns differ from the audit log; `triagebook audit repair --columns` writes them anew",
    ),
    "audit.verified": (INFO, "Verified the audit log"),
    "cli.defect": (DEBUG, "Internal error"),
    "collector.cut": (DETAIL, "A sample did not come whole"),
    "collector.fallback": (DETAIL, "The collector could not run; files were read over SFTP instead"),
    "collector.note": (DETAIL, "A note about the collection"),
    "collector.run": (DEBUG, "Starting a program on the host"),
    "collector.sample": (DETAIL, "Read a sample"),
    "collector.started": (DEBUG, "The collector runs on the host"),
    "diagnosis.concluded": (INFO, "The diagnosis is concluded"),
    "diagnosis.defect": (ERROR, "Internal error while a host was diagnosed"),
    "diagnosis.listener_failed": (ERROR, "A face could not show how far a diagnosis is"),
    "diagnosis.lookups": (DETAIL, "Asking systemd, the journal or other programs of the host"),
    "diagnosis.second_sample": (DETAIL, "Waiting for a second sample, which could change the answer"),
    "diagnosis.started": (DETAIL, "The diagnosis begins"),
    "event.sent": (DETAIL, "Told another system of an event"),
    "execute.answered": (INFO, "The helper answered an order"),
    "execute.lost": (WARNING, "An order was sent and its answer was lost; the outcome is unknown"),
    "execute.not_sent": (WARNING, "An order could not be sent; nothing was changed"),
    "execute.sent": (DETAIL, "Sent a message to the helper on the host"),
    "execute.signed": (INFO, "Signed an order that changes a host"),
    "execute.validated": (DETAIL, "Looked whether the cause is gone"),
    "fix.defect": (ERROR, "Internal error while a fix was applied; the outcome is unknown"),
    "fix.ended": (INFO, "A fix was applied, and this is how it ended"),
    "fix.moved": (INFO, "A fix has a new state"),
    "fix.not_recovered": (DETAIL, "The outcome of a fix is still unknown"),
    "fix.recovered": (INFO, "An unknown outcome of a fix became known"),
    "fix.request": (DETAIL, "Answered a request about fixes"),
    "fleet.defect": (ERROR, "Internal error at one of many hosts"),
    "fleet.ended": (DEBUG, "One of many hosts is done"),
    "inventory.doubtful": (WARNING, "Something in the inventory is hardly meant so"),
    "inventory.read": (DETAIL, "Read an inventory"),
    "http.evicted": (WARNING, "Closed a connection that sent no whole request: too many are open"),
    "http.too_slow": (WARNING, "Closed a connection whose request was not whole in time"),
    "job.defect": (ERROR, "Internal error in a job"),
    "job.ended": (DETAIL, "A job is done, refused or put off"),
    "job.given_up": (ERROR, "A job is given up: it is too late for it, or several workers died of it"),
    "job.lost": (WARNING, "A job was taken over by another worker while it was done here"),
    "job.put_off": (WARNING, "A job is put off, since the database or the audit log cannot be written"),
    "job.refused": (DETAIL, "A job ended with an expected failure"),
    "job.started": (DEBUG, "A job is begun"),
    "job.taken_over": (WARNING, "A job of a worker that died is taken over"),
    "job.unrecorded": (ERROR, "It could not be recorded that a job is done; it is done again"),
    "mcp.call": (INFO, "Answered the call of a tool by an assistant"),
    "mcp.slack_refused": (WARNING, "Refused a request that came as one of Slack for an assistant"),
    "mcp.token_refused": (WARNING, "Refused a token of an assistant"),
    "policy.decision": (INFO, "The policy decided"),
    "policy.loaded": (INFO, "Loaded the policy"),
    "server.busy": (WARNING, "Refused a connection: too many are open"),
    "server.defect": (ERROR, "Internal error while a request was answered"),
    "server.is_root": (WARNING, "The server runs as root; run it under an account of its own"),
    "server.listening": (INFO, "Listening"),
    "server.malformed": (INFO, "Refused a request that cannot be read"),
    "server.not_ready": (WARNING, "The server could not decide, sign or record now"),
    "server.ready": (INFO, "The server is ready"),
    "server.ready_again": (INFO, "What was wrong with the server is over"),
    "server.request": (INFO, "Answered a request over the socket"),
    "server.stopped": (INFO, "The server has stopped"),
    "server.sweep_failed": (ERROR, "Expired plans and leases could not be swept; it is tried again"),
    "setup.installed": (INFO, "Prepared the host"),
    "setup.ran": (DETAIL, "Ran a program on the host that is prepared"),
    "setup.uninstalled": (INFO, "Removed everything from the host"),
    "silence.ended": (INFO, "Ended the silence of an alert: its fix runs no more"),
    "silence.failed": (WARNING, "An Alertmanager did not make or end a silence; it is asked again"),
    "silence.made": (INFO, "Silenced an alert while a fix is carried out on its host"),
    "sites.answered": (DETAIL, "Answered a question about a host of this site"),
    "sites.asked_again": (WARNING, "A worker died under way; another one of its site is asked"),
    "sites.connected": (INFO, "Connected to the NATS server"),
    "sites.defect": (ERROR, "Internal error while a message of a site was read or answered"),
    "sites.denied": (ERROR, "The NATS server does not let this key use a subject"),
    "sites.foreign_answer": (WARNING, "An answer came from a site that was not asked; it is not used"),
    "sites.foreign_host": (WARNING, "A site answered about another host than it was asked; the answer is not used"),
    "sites.not_connected": (WARNING, "There is no connection to the NATS server; it is tried again"),
    "sites.worker_started": (INFO, "This worker answers for its site"),
    "sites.worker_stopped": (INFO, "This worker has ended in good order"),
    "slack.as_text": (WARNING, "Slack refused a card; it is shown as text only"),
    "slack.defect": (ERROR, "Internal error in the Slack app"),
    "slack.delivery": (INFO, "Answered somebody in Slack"),
    "slack.delivery_failed": (ERROR, "Internal error while somebody in Slack was answered"),
    "slack.no_approvals": (WARNING, "Plans are shown only where they are asked for: slack.approvals is not set"),
    "slack.no_picture": (WARNING, "Charts are sent as plain characters: a library is missing"),
    "slack.not_sent": (WARNING, "A message could not be sent to Slack"),
    "slack.signature_refused": (WARNING, "Refused a request that Slack did not sign, or too long ago"),
    "slack.socket_failed": (ERROR, "Could not connect to Slack by Socket Mode; it is tried again"),
    "slack.unknown": (ERROR, "Slack did not say who we are; it is tried again"),
    "ssh.auth.complete": (DETAIL, "Logged in"),
    "ssh.auth.failed": (DETAIL, "The login failed"),
    "ssh.auth.started": (DEBUG, "Logging in"),
    "ssh.banner.complete": (DETAIL, "The host sent its SSH banner"),
    "ssh.banner.failed": (DETAIL, "The host sent no SSH banner"),
    "ssh.banner.started": (DEBUG, "Waiting for the SSH banner"),
    "ssh.connect.complete": (DETAIL, "Connected"),
    "ssh.connect.failed": (DETAIL, "Could not connect"),
    "ssh.connect.started": (DEBUG, "Connecting to the host"),
    "ssh.exec.complete": (DETAIL, "Started a further process on the open connection"),
    "ssh.exec.failed": (DETAIL, "The host did not start a further process"),
    "ssh.exec.started": (DEBUG, "Starting a further process on the open connection"),
    "ssh.kex.complete": (DETAIL, "Exchanged keys and verified the host's key"),
    "ssh.kex.failed": (DETAIL, "The key exchange failed"),
    "ssh.kex.started": (DEBUG, "Exchanging keys"),
    "ssh.note": (DETAIL, "A note about the connection"),
    "ssh.open": (DETAIL, "The connection is open"),
    "ssh.session.complete": (DETAIL, "Opened a session and started the process in it"),
    "ssh.session.failed": (DETAIL, "The host opened no session"),
    "ssh.session.started": (DEBUG, "Opening a session"),
    "store.failed": (ERROR, "The database failed"),
    "store.migrated": (INFO, "Brought the database to the schema of this release"),
    "thread.defect": (ERROR, "Internal error in a repeated task, which is tried again"),
    "thread.failed": (ERROR, "A repeated task failed and is tried again"),
    "transport.local": (DEBUG, "Started a process on this machine"),
    "transport.no_watch": (DETAIL, "A running watch could not be asked; connecting instead"),
    "transport.watch": (DETAIL, "Using the open session of a running watch"),
    "watch.session_used": (DETAIL, "A diagnosis uses the session of this watch"),
    "watch.lost": (DETAIL, "The watch has no session"),
    "watch.open": (DETAIL, "The watch has a session"),
    "watch.replaced": (DETAIL, "A new session took the place of a silent one"),
    "watch.sample": (DETAIL, "The watch took a sample"),
    "watch.silent": (DETAIL, "The session is silent, and no second one could be opened"),
}

_LOGGERS: dict[str, "logging.Logger"] = {}


def is_logged(event: str) -> bool:
    """Whether anybody wants this event. Costs nothing to speak of: ask before a context that is dear to make."""
    if "logging" not in sys.modules:  # importing it costs 2 ms before a connection begins, and nobody can have asked for a log
        return False
    logger = _LOGGERS.get(event) or _make_logger(event)
    return logger.isEnabledFor(EVENTS[event][0])


def log_event(event: str, **context: object) -> None:
    """Log one of EVENTS, with what it is about. Values may be anything, also what a host wrote; never pass a secret."""
    if is_logged(event):
        defect = next((value for value in context.values() if isinstance(value, Exception) and not is_expected(value)), None)
        _LOGGERS[event].log(EVENTS[event][0], LogLine(event, context), extra={"event": event, "context": context, "defect": defect})


def is_expected(error: Exception) -> bool:
    """Whether a failure is one that the product foresees; of any other one the traceback matters."""
    return isinstance(error, TriagebookError | OSError)


def lowest_level() -> int:
    """Return the level from which on somebody wants events: for a process that logs through this one."""
    import logging  # noqa: PLC0415 - see is_logged

    return logging.getLogger(ROOT).getEffectiveLevel()


class LogLine:
    """The text of a record, which is made when it is asked for."""

    def __init__(self, event: str, context: Mapping[str, object]) -> None:
        self._event, self._context = event, context

    def __str__(self) -> str:
        return " ".join([self._event, *pairs(self._context)])


def pairs(context: Mapping[str, object]) -> list[str]:
    """Write `key=value` for each value that is there, each of them one word or in double quotes."""
    return [f"{key}={quote(text)}" for key, text in safe_values(context).items()]


def safe_values(context: Mapping[str, object]) -> dict[str, str]:
    """Return each value that is there as text that `safe_value` made."""
    return {key: text for key, value in context.items() if (text := safe_value(key, value))}


def safe_value(key: str, value: object) -> str:
    """Return a value as one line of bounded length, without secrets and with unprintable characters as escapes."""
    from triagebook.tools.redact import clean_text, redact  # noqa: PLC0415 - its patterns take 10 ms to compile

    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Exception) and not isinstance(value, TriagebookError):
        value = f"{type(value).__name__}: {value}"
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    safe = clean_text(text, LONGEST)
    return redact(f"{key}={safe}").partition("=")[2]  # a value whose own name says that it is a secret


def quote(text: str) -> str:
    """Return the text as it stands where it is one plain word, else in double quotes, with those inside escaped."""
    if text.isascii() and NOT_BARE.isdisjoint(text):
        return text
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def _make_logger(event: str) -> "logging.Logger":
    import logging  # noqa: PLC0415 - see is_logged; another thread may be at it, and the import waits for that

    top = logging.getLogger(ROOT)
    if not top.handlers:
        top.addHandler(logging.NullHandler())  # nothing is printed until somebody asks for it
    _LOGGERS[event] = logging.getLogger(f"{ROOT}.{event.partition('.')[0]}")
    return _LOGGERS[event]
