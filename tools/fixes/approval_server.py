"""Holds the approval server's parts and a request under way, which is identified, audited, and refused with a reason."""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import datetime, timedelta

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, TrustError, UsageError
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.fixes.groups import Groups
from triagebook.tools.fixes.interfaces import Diagnoser, Executor, Renderer
from triagebook.tools.inventory.names import Names
from triagebook.tools.log import log_event
from triagebook.tools.policy.decide import Decision, may
from triagebook.tools.policy.identity import Actor, Identity
from triagebook.tools.policy.model import Policy, PolicyQuestion
from triagebook.tools.store import fix_rows, machine_rows, refusal_rows
from triagebook.tools.store.checkpointer import Checkpointer
from triagebook.tools.store.database import Step, Store, Transaction
from triagebook.tools.store.fix_states import OPEN, Fix

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no i, l, o, u to misread
SILENT: Step = lambda _name: None  # noqa: E731 - a default


@dataclass(frozen=True)
class ApprovalServer:
    """Holds the parts of the approval server. `instance` names this process as the owner of leases."""

    store: Store
    policy: Policy
    checkpointer: Checkpointer
    clock: Callable[[], datetime]
    diagnoser: Diagnoser
    renderer: Renderer
    executor: Executor | None
    instance: str
    lease: timedelta = timedelta(seconds=60)
    monotonic: Callable[[], float] = time.monotonic  # how long a claim has been held
    most_open: int = 20  # plans of one person that wait or are approved
    default_runbook: Callable[[], str] = lambda: ""
    step: Step = SILENT
    groups: Groups = field(default_factory=Groups)
    names: Names = field(default_factory=Names)  # the inventory: no other host is asked about, on any channel

    @property
    def display_policy(self) -> Policy:
        """Return the policy with the last known members of user groups: for display, never for a decision."""
        return self.groups.for_display(self.policy)


@dataclass
class FixRequest:
    """Holds one request under way. What it turns out to be about is filled in, so that a refusal says so too."""

    actor: Actor
    identity: Identity
    action: str
    at: datetime
    about: dict[str, str] = field(default_factory=dict)
    is_recorded: bool = False
    noted: dict[str, str] = field(default_factory=dict)  # what was learned on the way: in the detail of each of its rows
    key: str = ""  # of the delivery that asks for it, which may be worked on again after a crash

    def fix_id(self) -> str:
        """Return the id of the fix that this request stores: for one delivery always the same, however often it is worked on."""
        if not self.key:
            return new_fix_id()
        digest = hashlib.sha256("\n".join((self.action, str(self.identity.account), self.key)).encode("utf-8", "replace")).digest()
        return "F-" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:8])

    def concerns(self, fix: Fix) -> None:
        """Note that this request is about that fix."""
        self.about.update(fix=fix.id, host=fix.host, runbook=fix.runbook, plan_digest=fix.plan_digest)

    def event(self, **values: object) -> AuditEvent:
        """Return an audit event of this request, with outcome ok unless given otherwise."""
        base = AuditEvent(
            at=self.at,
            action=self.action,
            outcome="ok",
            account=str(self.identity.account),
            person=self.identity.person,
            service=self.identity.service,
            channel=self.actor.channel,
        )
        event = replace(base, **{**self.about, **values})  # type: ignore[arg-type]
        return replace(event, detail={**event.detail, **self.noted})


@contextmanager
def attempt(server: ApprovalServer, actor: Actor, action: str, key: str = "") -> Iterator[FixRequest]:
    """Identify the requester, record a refusal, and sign the log. A TrustError passes: then nothing can be recorded."""
    identity = server.policy.directory.identify(actor.account)
    request = FixRequest(actor, identity, action, server.clock(), key=key)
    started = time.monotonic()
    try:
        yield request
    except TrustError as error:
        _log_request(request, started, "failed", error)
        raise
    except TriagebookError as error:
        _log_request(request, started, "refused", error)
        if not request.is_recorded:
            event = request.event(outcome="refused", reason=error.reason, detail={"says": str(error)})
            with server.store.write("refusal") as transaction:
                if error.reason == "expired":
                    expire(server, transaction, request.about.get("fix", ""), request.at)
                refusal_rows.record(transaction, event)
        server.checkpointer.publish()
        raise
    server.checkpointer.publish()
    _log_request(request, started, "ok", None)


def expire(server: ApprovalServer, transaction: Transaction, fix_id: str, now: datetime) -> None:
    """Make a fix expired whose time is over: what was refused for it once stays so, also after a clock was set back."""
    fix = fix_rows.read(transaction, fix_id, for_update=True)
    if fix is None or fix.state not in OPEN or fix.expires_at > now:
        return
    event = AuditEvent(now, "expire", "ok", channel="server", host=fix.host, fix=fix.id, detail={"was": fix.state})
    fix_rows.expire(transaction, fix, replace(event, runbook=fix.runbook, plan_digest=fix.plan_digest))


def _log_request(request: FixRequest, started: float, outcome: str, error: TriagebookError | None) -> None:
    log_event(
        "fix.request",
        **_who(request),
        host=request.about.get("host"),
        fix=request.about.get("fix"),
        outcome=outcome,
        reason=error.reason if error else None,
        says=error,
        ms=(time.monotonic() - started) * 1000,
    )


def _who(request: FixRequest) -> dict[str, object]:
    identity = request.identity
    who = {"account": str(identity.account), "person": identity.person, "service": identity.service}
    return {"action": request.action, "channel": request.actor.channel, **who}


def require(server: ApprovalServer, request: FixRequest, question: PolicyQuestion) -> Decision:
    """Return the policy's decision that this is allowed. Raises RefusedError with the rule's reason."""
    decision = decide_on_machine(server, request.identity, question)
    log_decision(request, question, decision)
    if not decision.is_allowed:
        raise RefusedError(decision.says, reason=decision.reason)
    return decision


def require_form(server: ApprovalServer, request: FixRequest, host: str, runbook: str = "") -> None:
    """Refuse what can be no name of an inventory; note what the request is about. Raises RefusedError."""
    try:
        server.names.require_form(host)
    except UsageError as error:
        raise RefusedError(str(error), reason=error.reason) from None
    if server.names.has(host):
        request.about.update(host=host, runbook=runbook)


def require_name(server: ApprovalServer, request: FixRequest, host: str) -> str:
    """Return the name if it is one of the inventory, or a recorded case. Raises RefusedError.

    Call it once the policy has allowed the request on that name: to who may not ask, a host that is there and one that is
    not must look the same.
    """
    try:
        return server.names.require(host, lambda name: _may_see(server, request, name))
    except UsageError as error:
        raise RefusedError(str(error), reason=error.reason) from None


def tell_unknown(server: ApprovalServer, request: FixRequest, host: str) -> None:
    """Where nothing is kept of a host: raise UsageError if it is not in the inventory, to who may ask about any such name."""
    if host and _may_see(server, request, host):
        server.names.require(host, lambda name: _may_see(server, request, name))


def _may_see(server: ApprovalServer, request: FixRequest, host: str) -> bool:
    return may(server.policy, request.identity, PolicyQuestion("diagnose", host)).is_allowed


def decide_on_machine(server: ApprovalServer, identity: Identity, question: PolicyQuestion) -> Decision:
    """Return the policy's decision; of a machine with several names the strictest: each of them must be allowed."""
    decision = may(server.policy, identity, question)
    for name in _other_names(server, question.host) if decision.is_allowed and question.host else ():
        other = may(server.policy, identity, replace(question, host=name))
        if not other.is_allowed:
            return replace(other, says=f"{question.host} has another name too, for which the policy refuses this")
    return decision


def _other_names(server: ApprovalServer, host: str) -> list[str]:
    with server.store.read() as transaction:
        machine = machine_rows.read(transaction, host)
        return other_names(server, transaction, machine) if machine else []


def other_names(server: ApprovalServer, transaction: Transaction, machine: machine_rows.Machine) -> list[str]:
    """Return the other names of a machine that the inventory still has."""
    names = machine_rows.names_of(transaction, machine)
    return [name for name in names if name != machine.host and name in server.names.inventory.hosts]


def log_decision(request: FixRequest, question: PolicyQuestion, decision: Decision) -> None:
    """Log what the policy said to a question, whichever way it went."""
    about = {"asked": question.action, "host": question.host, "runbook": question.runbook, "risk": question.risk}
    answer = {"allowed": decision.is_allowed, "reason": decision.reason, "rule": decision.says}
    log_event("policy.decision", **_who(request), **about, **answer)


def new_fix_id() -> str:
    """Make a fix id: `F-` and eight characters (40 bits), short enough to say aloud. The database checks that it is unique."""
    return "F-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
