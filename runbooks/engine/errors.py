"""The one tree of expected failures. A face turns them into its own form; nothing else is caught there.

TriagebookError
├── RunbookError      a runbook, its lock or a case is wrong: `file:line: path: what, and the nearest right word`
├── ParseError        a host's answer is not what the collector prints
├── UsageError        what a person asked for cannot be done as asked
└── LoginError        a host was not reached, or gave no session; carries the evidence of the attempt
"""


class TriagebookError(Exception):
    """An expected failure: a stable `reason` code and a message with what, where, why and what to do."""

    reason = "error"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class RunbookError(TriagebookError):
    """A runbook, the lock file or a case is wrong."""

    reason = "runbook"


class ParseError(TriagebookError):
    """A host's answer is not what the collector prints: cut, foreign or malformed."""

    reason = "parse"


class UsageError(TriagebookError):
    """What a person asked for cannot be done as asked."""

    reason = "usage"
