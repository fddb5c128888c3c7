"""Draws the one tree of expected failures. A face turns them into its own form; nothing else is caught there.

TriagebookError
├── RunbookError      a runbook, its lock or a case is wrong: `file:line: path: what, and the nearest right word`
├── ParseError        a host's answer is not what the collector prints
├── UsageError        what a person asked for cannot be done as asked
├── PlanError         a plan is malformed, or what was asked for cannot be planned
├── PolicyError       a policy file is wrong: `file:line: path: what, and the nearest right word`
├── RefusedError      this actor may not do this, or no longer; `reason` says by which rule
├── TrustError        keys, data directory, database or audit log are not as they must be: nothing is signed
└── LoginFailed       (tools/transport/base.py) a host was not reached, or gave no session; carries the evidence of the attempt
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


class PlanError(TriagebookError):
    """A plan is malformed, or what was asked for cannot be planned."""

    reason = "plan"


class PolicyError(TriagebookError):
    """A policy file is wrong; `serve` does not start with it."""

    reason = "policy"


class RefusedError(TriagebookError):
    """This actor may not do this, or no longer. Always given a reason code of its own, and always audited."""

    reason = "refused"


class TrustError(TriagebookError):
    """Keys, data directory, database or audit log are not as they must be: nothing is signed until they are."""

    reason = "trust"
