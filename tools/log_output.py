"""Where the log goes and what its lines look like: plain text for a person, `key=value` for a server, or JSON."""

import contextlib
import json
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TextIO

from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.log import DEBUG, DETAIL, ERROR, EVENTS, INFO, ROOT, WARNING, pairs, safe_value, safe_values
from triagebook.tools.redact import redact
from triagebook.tools.times import rfc3339

LEVELS = (INFO, DETAIL, DEBUG)  # of a server: as it is, with -v, with -vv
NAMES = {DEBUG: "debug", DETAIL: "detail", INFO: "info", WARNING: "warning", ERROR: "error"}
FORMS = ("text", "json")
LONGEST_LINE = 1000  # of a traceback


def show_to_person(stream: TextIO, verbosity: int) -> None:
    """Print what happens as plain lines: 1 each phase and decision, 2 everything and the traceback of an internal error."""
    logger = logging.getLogger(ROOT)
    _show(logger, PersonLines(is_full=verbosity > 1), stream, LEVELS[min(verbosity, 2)])
    logger.setLevel(LEVELS[min(verbosity, 2)])
    logger.propagate = False  # a library that prints what it logs itself would say it twice


def show_of_server(stream: TextIO, verbosity: int, form: str) -> None:
    """Print a line for each request and decision, and the warnings of libraries. `form` is text or json."""
    is_full = verbosity > 1
    lines = JsonLines(is_full=is_full) if form == "json" else ServerLines(is_full=is_full, is_journal=is_journal(stream))
    _show(logging.getLogger(), lines, stream, LEVELS[min(verbosity, 2)])
    logging.getLogger(ROOT).setLevel(LEVELS[min(verbosity, 2)])
    logging.getLogger(ROOT).propagate = True


def add_handler(handler: logging.Handler, level: int) -> None:
    """Let a handler have every event from a level on, without the lines that are printed becoming more."""
    logger = logging.getLogger(ROOT)
    handler.setLevel(level)
    logger.addHandler(handler)
    logger.setLevel(min(level, logger.getEffectiveLevel()))


def remove_handler(handler: logging.Handler) -> None:
    """Take it away again; the level stays."""
    logging.getLogger(ROOT).removeHandler(handler)


def is_journal(stream: TextIO) -> bool:
    """Whether the stream leads to systemd's journal, which adds the time itself ($JOURNAL_STREAM, systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM", "") == f"{found.st_dev}:{found.st_ino}"


class _LineHandler(logging.StreamHandler[TextIO]):
    """Ours: replaced when the log is set up again. A stream that is gone stops nobody's work."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Drop the line."""


def _show(logger: logging.Logger, lines: logging.Formatter, stream: TextIO, level: int) -> None:
    for each in (logging.getLogger(), logging.getLogger(ROOT)):
        for handler in [handler for handler in each.handlers if isinstance(handler, _LineHandler)]:
            each.removeHandler(handler)
    handler = _LineHandler(stream)
    handler.setFormatter(lines)
    handler.setLevel(level)
    logger.addHandler(handler)


def hand_over(send: Callable[[str, Mapping[str, str]], None], level: int) -> None:
    """Hand each event of this process to another one, which logs it: its name, and its values as text."""
    handler = _Handover(send)
    logging.getLogger(ROOT).addHandler(handler)
    logging.getLogger(ROOT).setLevel(level)


class _Handover(logging.Handler):
    def __init__(self, send: Callable[[str, Mapping[str, str]], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it over; what the other process cannot be told is lost."""
        if hasattr(record, "event"):
            with contextlib.suppress(Exception):
                self._send(record.event, safe_values(getattr(record, "context", {})))


class Lines(logging.Formatter):
    """What the three forms share. `is_full` adds the traceback of a defect."""

    def __init__(self, *, is_full: bool = False) -> None:
        super().__init__()
        self._is_full = is_full

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and below it the traceback, all of it safe to be shown."""
        return "\n".join([self.line(record), *(f"  {line}" for line in self._trace(record))])

    def line(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        raise NotImplementedError

    def _trace(self, record: logging.LogRecord) -> Iterator[str]:
        error = getattr(record, "defect", None) or (record.exc_info or (None, None))[1]
        if self._is_full and error is not None:
            yield from trace_lines(error)


def trace_lines(error: BaseException) -> Iterator[str]:
    """Yield the lines of a traceback, each of them safe to be shown."""
    for line in redact("".join(traceback.format_exception(error))).splitlines():
        yield safe_text(line, LONGEST_LINE)


class ServerLines(Lines):
    """`TIME level event key=value`; in the journal its priority instead of time and level (sd-daemon(3))."""

    def __init__(self, *, is_full: bool = False, is_journal: bool = False) -> None:
        super().__init__(is_full=is_full)
        self._is_journal = is_journal

    def line(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        begin = f"<{_priority(record.levelno)}>" if self._is_journal else f"{_time(record)} {_level(record)} "
        return begin + (str(record.msg) if hasattr(record, "event") else " ".join(["library", *pairs(_of_library(record))]))


class JsonLines(Lines):
    """One JSON object a line: at, level, event, and the values as text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback is one of its members."""
        trace = list(self._trace(record))
        return json.dumps({**json.loads(self.line(record)), **({"trace": trace} if trace else {})})

    def line(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        event = getattr(record, "event", "library")
        context = safe_values(getattr(record, "context", None) or _of_library(record))
        return json.dumps({"at": _time(record), "level": _level(record), "event": event, **context})


class PersonLines(Lines):
    """`0.012 s  web-01: Connected (port=22, 3.2 ms)`: seconds since the start (of logging itself), and EVENTS' words."""

    def line(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        event, context = getattr(record, "event", ""), dict(getattr(record, "context", None) or _of_library(record))
        host, milliseconds = safe_value("host", context.pop("host", "")), safe_value("ms", context.pop("ms", ""))
        about = [*pairs(context), *([f"{milliseconds} ms"] if milliseconds else [])]
        title = EVENTS[event][1] if event else "A library says"
        since = f"{record.relativeCreated / 1000:.3f} s"
        name = f"  [{event}]" if self._is_full and event else ""
        return f"{since:>9}  " + (f"{host}: " if host else "") + title + (f" ({', '.join(about)})" if about else "") + name


def _of_library(record: logging.LogRecord) -> dict[str, object]:
    error = (record.exc_info or (None, None))[1]
    return {"logger": record.name, "says": record.getMessage(), "error": error}


def _time(record: logging.LogRecord) -> str:
    return rfc3339(datetime.fromtimestamp(record.created, UTC), "milliseconds")


def _level(record: logging.LogRecord) -> str:
    return NAMES.get(record.levelno, record.levelname.lower())


def _priority(level: int) -> int:
    """Return the syslog priority of a level: 3 error, 4 warning, 6 info, 7 debug."""
    return 3 if level >= ERROR else 4 if level >= WARNING else 6 if level >= INFO else 7
