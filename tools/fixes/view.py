"""Authorises diagnoses that a face makes for others, records them, and checks again whenever an answer is read."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import Found, Triage, diagnoses_of
from triagebook.tools.audit.event import AuditEvent, decode
from triagebook.tools.diagnosis.stored_diagnosis import dump
from triagebook.tools.fixes import history
from triagebook.tools.fixes.approval_server import (
    ApprovalServer,
    FixRequest,
    attempt,
    decide_on_machine,
    require,
    require_form,
    require_name,
)
from triagebook.tools.fixes.evidence import PLANNING
from triagebook.tools.fixes.machines import note_machine
from triagebook.tools.fixes.recurrence import with_recurrence
from triagebook.tools.policy.channels import may_decide
from triagebook.tools.policy.identity import Actor
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.store import audit_rows, fix_rows, refusal_rows

# A face may record these words and no others: a log that takes any key can be drowned.
FACE_ACTIONS = frozenset(
    [
        "list_hosts",
        "list_runbooks",
        "diagnose",
        "diagnose_fleet",
        "get_diagnosis",
        "propose",
        "fix_status",
        "apply",
        "search_audit",
        "read",
        "show",
        "approve",
        "deny",
        "withdraw",
        "revert",
        "persist",
        "press",  # a button nobody knows the meaning of
    ]
)
FACE_REASONS = frozenset(
    [
        "unknown_argument",
        "unknown_tool",
        "scope_missing",
        "rate_limit",
        "host_name",
        "inventory",
        "no_inventory",
        "external_user",
        "unchecked_account",
        "unknown_button",
        "button_expired",
    ]
)
DAY = timedelta(days=1)
MOST_A_DAY = 20  # plans that one person's assistants may ask for
MOST_ROWS = 1000


def allow_diagnosis(server: ApprovalServer, actor: Actor, host: str, runbook: str) -> None:
    """Allow this actor to diagnose that host, or record a refusal and raise RefusedError."""
    with attempt(server, actor, "diagnose") as request:
        require_form(server, request, host, runbook)
        require(server, request, PolicyQuestion("diagnose", host, runbook))
        require_name(server, request, host)


def record_diagnosis(server: ApprovalServer, actor: Actor, found: Found, text: str = "") -> Found:
    """Record who was told what about which host, and return it with what was found there before.

    Of several runbooks the row is the first sentence's, and names the others. `text` is what `dump` wrote of it, if it did.
    """
    with attempt(server, actor, "diagnose") as request:
        diagnosis, *others = diagnoses_of(found)
        runbook = diagnosis.runbook
        cause = diagnosis.verdict.cause if diagnosis.verdict else ""
        request.about.update(host=diagnosis.host.name, runbook=f"{runbook.id}@{runbook.version}", runbook_digest=runbook.digest)
        detail = {"diagnosis": diagnosis.id, "status": diagnosis.status, "cause": cause}
        if isinstance(found, Triage):
            told = [f"{item.runbook.id}@{item.runbook.version} {item.status}" for item in others]
            detail |= {"triage": found.id, "others": ", ".join(told)}
        text = text or dump(found)  # it takes longer than all that is written: nobody waits for it in line
        with server.store.write("diagnose") as transaction:
            note_machine(server, transaction, diagnosis)
            history.keep_answer(transaction, request, found, text)
            audit_rows.append(transaction, request.event(detail=detail))
            return with_recurrence(transaction, found, request.at)


def may_see(server: ApprovalServer, actor: Actor, host: str, runbook: str) -> bool:
    """Say whether this actor may see what was found on that host. It is asked at each read."""
    identity = server.policy.directory.identify(actor.account)
    return decide_on_machine(server, identity, PolicyQuestion("diagnose", host, runbook)).is_allowed


def record_refusal(server: ApprovalServer, actor: Actor, action: str, reason: str, says: str, fix_id: str = "") -> None:
    """Record that a face refused a request before it asked the service, under the account that the channel proved."""
    if action not in FACE_ACTIONS or reason not in FACE_REASONS:
        raise UsageError("no such action or reason of a face", reason="request")
    request = FixRequest(actor, server.policy.directory.identify(actor.account), action, server.clock())
    if fix_id:
        with server.store.read() as transaction:
            fix = fix_rows.read(transaction, fix_id)
        if fix is not None:
            request.concerns(fix)
    _record(server, [request.event(outcome="refused", reason=reason, detail={"says": safe_text(says, 300)})])


def record_strangers(server: ApprovalServer, refusals: Iterable[tuple[str, int]], channel: str) -> None:
    """Record how many credentials proved nothing, by reason. They name nobody: what they claimed was not proven."""
    base = AuditEvent(at=server.clock(), action="authenticate", outcome="refused", channel=channel)
    _record(server, [replace(base, reason=reason, detail={"times": str(times)}) for reason, times in refusals])


def _record(server: ApprovalServer, events: list[AuditEvent]) -> None:
    with server.store.write("refusal") as transaction:
        for event in events:
            refusal_rows.record(transaction, event)
    server.checkpointer.publish()


def require_quota(server: ApprovalServer, request: FixRequest) -> None:
    """Stop a person's assistants that propose too many fixes a day. Raises RefusedError `daily_quota`."""
    if may_decide(request.actor.channel):
        return
    with server.store.read() as transaction:
        person = request.identity.person
        rows = [row for action in PLANNING for row in audit_rows.newest_rows(transaction, MOST_ROWS, person=person, action=action)]
    events = [decode(row.leaf)[0] for row in rows]
    today = [event for event in events if event.at > request.at - DAY and not may_decide(event.channel)]
    count = sum(event.outcome == "ok" for event in today)
    if count >= MOST_A_DAY:
        message = f"assistants of {request.identity.person} proposed {count} fixes within a day, the most is {MOST_A_DAY}"
        raise RefusedError(message, reason="daily_quota")
