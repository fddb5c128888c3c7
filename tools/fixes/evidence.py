"""Finds in the audit log what a decision rests on: the proposal of a plan, and each approval of it.

Only rows that the server's own key sealed count. So whoever can write the database can take a decision away, not make one.
"""

from collections.abc import Sequence

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import Fix, Vote

PLANNING = ("propose", "persist", "revert")  # the actions that store a plan
APPROVING = ("approve", "break_glass")
ENDING = {"apply": "execution", "deny": "denial", "withdraw": "withdrawal", "expire": "expiry"}


@dataclass(frozen=True)
class Evidence:
    """What the log says of one fix."""

    fix: Fix
    events: tuple[AuditEvent, ...]

    def require_proposal(self) -> None:
        """Refuse a fix whose plan the log does not have as proposed by its requester. Raises RefusedError `not_in_log`."""
        fix = self.fix
        if not any(event.action in PLANNING and event.person == fix.requester and self._is_of_plan(event) for event in self.events):
            message = f"{fix.id}: the audit log has no proposal of this plan by {fix.requester}; propose it anew"
            raise RefusedError(f"{message} (`triagebook audit verify` says what was changed)", reason="not_in_log")

    def require_unused(self) -> None:
        """Refuse a fix that ended or was carried out by the log, whatever the database says. Raises RefusedError."""
        ended: AuditEvent | None = None
        for event in self.events:
            if ended is not None and ended.action == "apply" and is_given_back(event):
                ended = None
            elif ended is None and event.outcome == "ok" and event.action in ENDING:
                ended = event
        if ended is not None:
            says = f"the audit log has its {ENDING[ended.action]} at {ended.at:%Y-%m-%d %H:%M:%S} UTC"
            raise RefusedError(f"{self.fix.id}: {says}; an approval is for one execution", reason="already_used")

    def votes(self, votes: Sequence[Vote]) -> list[Vote]:
        """Return the votes whose approval the log has too, by the same person and account."""
        approved = {(event.person, event.account) for event in self.events if event.action in APPROVING and self._is_of_plan(event)}
        return [vote for vote in votes if (vote.person, vote.account) in approved]

    def _is_of_plan(self, event: AuditEvent) -> bool:
        return event.outcome == "ok" and event.plan_digest == self.fix.plan_digest


def is_given_back(event: AuditEvent) -> bool:
    """Say whether a row records that an execution never began, so that the approval stands."""
    return event.action == "result" and event.reason == "approved"


def read_evidence(transaction: Transaction, fix: Fix) -> Evidence:
    """Read what the log says of a fix. Raises TrustError `audit_broken`: a row since its proposal was changed or taken out."""
    return Evidence(fix, tuple(audit_rows.events_of_fix(transaction, fix.id)))
