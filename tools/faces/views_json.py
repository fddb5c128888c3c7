"""Makes the one JSON of fixes, locks and audit rows that the server's socket, `--json`, MCP and every other face show.

Its members are the fields of the services' views (tools/fixes/views.py), in their order; `plan` is the plan as it is
digested. A member is never renamed or removed: programs read it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.fixes.audit_log import AuditProof
from triagebook.tools.fixes.views import AuditRow, FixSummary, FixView, LockView

Json = Mapping[str, Any]


class VoteJson(TypedDict):
    """One person's decision on a fix."""

    person: str
    account: str
    decision: str
    at: str
    break_glass: str


class FixJson(TypedDict):
    """A fix with its plan. `plan` is null when the stored one was changed; then `problem` says so."""

    id: str
    state: str
    digest: str
    plan: Json | None
    votes: list[VoteJson]
    approvals: str
    created_at: str
    updated_at: str
    expires_at: str
    outcome: str
    problem: str


class FixSummaryJson(TypedDict):
    """One line of a list of fixes."""

    id: str
    state: str
    host: str
    risk: str
    runbook: str
    requester: str
    created_at: str
    expires_at: str


class LockJson(TypedDict):
    """A locked host, since when and why."""

    host: str
    fix: str
    reason: str
    person: str
    taken_at: str


class AuditRowJson(TypedDict):
    """One row of the audit log."""

    index: int
    at: str
    action: str
    outcome: str
    reason: str
    account: str
    person: str
    service: str
    channel: str
    host: str
    fix: str
    runbook: str
    runbook_digest: str
    plan_digest: str
    severity: str
    detail: dict[str, str]


class AuditProofJson(TypedDict):
    """What any C2SP verifier needs to find a row in the log."""

    index: int
    leaf: str
    inclusion: list[str]
    checkpoint: str
    vkey: str
    old_size: int
    old_root: str
    consistency: list[str]


class AuditEntryJson(TypedDict):
    """One audit row with its proof."""

    row: AuditRowJson
    proof: AuditProofJson


def fix(view: FixView) -> FixJson:
    """Return a fix with its plan and votes."""
    found: FixJson = to_plain(view)
    return found


def fixes(views: Iterable[FixSummary]) -> list[FixSummaryJson]:
    """Return a list of fixes, newest first."""
    return [to_plain(view) for view in views]


def lock(view: LockView) -> LockJson:
    """Return a locked host."""
    found: LockJson = to_plain(view)
    return found


def locks(views: Iterable[LockView]) -> list[LockJson]:
    """Return a list of locked hosts."""
    return [lock(view) for view in views]


def audit_rows(rows: Iterable[AuditRow]) -> list[AuditRowJson]:
    """Return rows of the audit log."""
    return [to_plain(row) for row in rows]


def audit_entry(row: AuditRow, proof: AuditProof) -> AuditEntryJson:
    """Return one row of the audit log with its proof."""
    return {"row": to_plain(row), "proof": to_plain(proof)}
