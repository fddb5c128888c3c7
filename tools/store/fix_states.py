"""A fix: the stored record of one plan, and the one table of moves it may make.

proposed -> approved -> running -> validated | unresolved | reverted | failed | unknown. `running` and `reverting` have
an owner and a lease; only when the lease ran out does a fix become `unknown`, and `unknown` never runs again. An execution that
provably never began gives the approval back: running -> approved, with its row in the audit log.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import PlanError, RefusedError
from triagebook.runbooks.engine.plan import Plan
from triagebook.runbooks.engine.plan_codec import decode, digest
from triagebook.tools.times import rfc3339

State = Literal[
    "proposed", "approved", "denied", "withdrawn", "expired", "stale", "running", "validated", "unresolved",
    "reverting", "reverted", "failed", "unknown",
]  # fmt: skip
STATES: tuple[State, ...] = get_args(State)

MOVES: Mapping[State, frozenset[State]] = {
    "proposed": frozenset({"approved", "denied", "withdrawn", "expired"}),
    "approved": frozenset({"running", "withdrawn", "expired", "stale"}),
    "running": frozenset({"validated", "unresolved", "reverted", "failed", "unknown", "approved"}),
    "unknown": frozenset({"validated", "unresolved", "reverted", "failed"}),
    "validated": frozenset({"reverting"}),
    "unresolved": frozenset({"reverting"}),
    "reverting": frozenset({"reverted", "failed", "unknown"}),
    "denied": frozenset(),
    "withdrawn": frozenset(),
    "expired": frozenset(),
    "stale": frozenset(),
    "reverted": frozenset(),
    "failed": frozenset(),
}
OPEN: frozenset[State] = frozenset({"proposed", "approved"})  # a plan that may still be carried out
LEASED: frozenset[State] = frozenset({"running", "reverting"})  # somebody is on the host
SETTLED: frozenset[State] = frozenset({"validated", "unresolved", "reverted", "failed"})  # an execution ended, known how


@dataclass(frozen=True)
class Vote:
    """One person's decision on one plan digest. `break_glass` is the reason given where the own plan was approved."""

    person: str
    account: str
    is_yes: bool
    plan_digest: str
    at: datetime
    break_glass: str = ""
    is_genuine: bool = False  # as it was read: sealed by the server's key, and nothing of it changed since
    is_of_old: bool = False  # of a release that did not seal


@dataclass(frozen=True)
class FixOutline:
    """What is compared with the log of each fix there is."""

    id: str
    state: State
    plan_digest: str
    requester: str


@dataclass(frozen=True)
class Fix:
    """A stored fix. `content` is the plan as stored; read it by `plan_of`, which checks it against `plan_digest`."""

    id: str
    state: State
    content: bytes
    plan_digest: str
    host: str
    lock: str  # what makes two names of one machine the same lock: its machine id, else its name
    risk: str
    runbook: str  # id@version
    requester: str
    requester_account: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    owner: str = ""
    lease_until: datetime | None = None
    outcome: str = ""


@dataclass(frozen=True)
class HostLock:
    """One fix at a time on a host: which one, why, since when."""

    lock: str
    host: str
    fix_id: str
    reason: str
    person: str
    taken_at: datetime


def is_legal(before: State, after: State) -> bool:
    """May a fix move from the one state to the other?"""
    return after in MOVES[before]


def plan_of(fix: Fix) -> Plan:
    """The plan of a fix. RefusedError `plan_changed` when the stored bytes do not fit its digest and columns any more.

    A plan is read again each time it is shown, voted on or applied: what is stored is not trusted to be what was.
    """
    try:
        plan = decode(fix.content)
    except PlanError as error:
        raise RefusedError(f"{fix.id}: the stored plan was changed: {error}", reason="plan_changed") from None
    told = (fix.plan_digest, fix.host, fix.risk, fix.requester, fix.requester_account, fix.runbook)
    found = (digest(plan), plan.host, plan.risk, plan.requester, plan.requester_account, runbook_name(plan))
    if told != found or plan.expires_at != rfc3339(fix.expires_at):
        message = f"{fix.id}: the stored plan is not the one that was proposed (digest {fix.plan_digest[:12]})"
        raise RefusedError(message, reason="plan_changed")
    return plan


def runbook_name(plan: Plan) -> str:
    """`id@version` of the runbook that decided."""
    return f"{plan.runbook_id}@{plan.runbook_version}"
