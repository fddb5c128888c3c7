"""Keeps what people say of an answer: it was right, or it was wrong and what it was. Rows of the audit log are all there is of it.

Of an answer that was wrong the facts are wanted, so that a case of its runbook can be made of them: a draft of one is kept beside
the answer, as long as that.
"""

import json
from collections.abc import Iterator
from datetime import timedelta

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.audit.event import AuditEvent, as_recorded, decode
from triagebook.tools.fixes import history
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, decide_on_machine, tell_unknown
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.redact import clean_reason
from triagebook.tools.store import answer_rows, audit_rows
from triagebook.tools.store.answer_rows import AnswerText
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import rfc3339

ACTION = "feedback"
RIGHT, WRONG = "right", "wrong"
MOST_READ = 2000  # rows of the log that are looked through
DAY = timedelta(days=1)
MOST_A_DAY = 200  # words of one account
MOST_CASE = 1_000_000  # characters of a draft
_DRAFT = "case:"  # before the id of the answer that a draft is about; no id of an answer has it


@dataclass(frozen=True)
class FeedbackView:
    """What one account says of one answer. `cause` is what the answer named (empty: none), `it_was` the person's own words."""

    at: str
    answer: str
    host: str
    runbook: str
    status: str
    cause: str
    was: str  # right | wrong
    it_was: str
    account: str
    person: str
    has_case: bool = False


def give(server: ApprovalServer, request: FixRequest, answer_id: str, was: str, it_was: str) -> FeedbackView:
    """Record what somebody says of an answer that he may see. The same again changes nothing.

    Raises UsageError: it is no word, or the account has said too much today.
    """
    found = history.get_answer(server, request, answer_id).found
    said = clean_reason(it_was)
    if was not in (RIGHT, WRONG) or (was == WRONG and not said):
        raise UsageError("say `right`, or `wrong` and what it was", reason="usage")
    event = _event(request, found, was, said if was == WRONG else "")
    with server.store.read() as transaction:
        _require_few(transaction, event)
        has_case = bool(_draft(transaction, found.id))
    with server.store.write("feedback") as transaction:
        if not _is_said(transaction, event):
            audit_rows.append(transaction, event)
    return _view(event, has_case=has_case)


def feedback(server: ApprovalServer, request: FixRequest, host: str, limit: int) -> tuple[FeedbackView, ...]:
    """Return the newest word of each account about each answer, newest first, of hosts that this identity may diagnose.

    Raises UsageError: nothing was said about this host, and the inventory does not have it.
    """
    newest: dict[tuple[str, str], AuditEvent] = {}
    with server.store.read() as transaction:
        for event in _events(transaction, host):
            newest.setdefault((event.account, event.detail.get("answer", "")), event)
        if not newest:
            tell_unknown(server, request, host)
        seen = [event for event in newest.values() if _may_see(server, request, event)][:limit]
        return tuple(_view(event, has_case=bool(_draft(transaction, event.detail.get("answer", "")))) for event in seen)


def keep_case(server: ApprovalServer, request: FixRequest, answer_id: str, text: str) -> None:
    """Keep the draft of a case beside an answer that this identity may see; the first one stays. Raises UsageError."""
    answer = history.get_answer(server, request, answer_id).found
    if len(text) > MOST_CASE:
        raise UsageError(f"the draft has {len(text)} characters; the most that is kept is {MOST_CASE}", reason="usage")
    key = _key(answer.id)
    with server.store.write("feedback.case") as transaction:
        answer_rows.add_text(transaction, AnswerText(key, key, request.at, text.replace("\0", "\N{REPLACEMENT CHARACTER}")))


def get_case(server: ApprovalServer, request: FixRequest, answer_id: str) -> str:
    """Return the draft beside an answer. Raises UsageError: there is none, or the answer is none that this identity may see."""
    answer = history.get_answer(server, request, answer_id).found
    with server.store.read() as transaction:
        text = _draft(transaction, answer.id)
    if not text:
        message = f"{safe_text(answer_id, 64)}: no draft is kept; record one now: triagebook runbook record {answer.host.name} FILE"
        raise UsageError(message, reason="not_found")
    return text


def _event(request: FixRequest, found: Found, was: str, it_was: str) -> AuditEvent:
    diagnosis = diagnoses_of(found)[0]
    runbook, verdict = diagnosis.runbook, diagnosis.verdict
    request.about.update(host=found.host.name, runbook=f"{runbook.id}@{runbook.version}", runbook_digest=runbook.digest)
    detail = {"answer": found.id, "status": found.status, "cause": verdict.cause if verdict else "", "was": was, "it_was": it_was}
    return as_recorded(request.event(detail=detail))  # to be compared with rows of the log


def _require_few(transaction: Transaction, event: AuditEvent) -> None:
    """Refuse a further word of an account that said many within a day: each is a row of the log for good. Raises UsageError."""
    said = sum(before.account == event.account for before in _events(transaction, "", event.account) if before.at > event.at - DAY)
    if said >= MOST_A_DAY:
        message = f"you said {said} words about answers within a day, and the most is {MOST_A_DAY}; say more tomorrow"
        raise UsageError(message, reason="rate_limit")


def _is_said(transaction: Transaction, event: AuditEvent) -> bool:
    """Say whether the newest word of this account about this answer is the same."""
    for before in _events(transaction, event.host, event.detail["answer"]):
        if (before.account, before.detail.get("answer")) == (event.account, event.detail["answer"]):
            return before.detail == event.detail
    return False


def _events(transaction: Transaction, host: str, about: str = "") -> Iterator[AuditEvent]:
    """Yield the words about a host, newest first; only rows with this text in them are read whole."""
    wanted = json.dumps(about, ensure_ascii=False).encode("utf-8", "backslashreplace") if about else b""
    for row in audit_rows.newest_rows(transaction, MOST_READ, host=host, action=ACTION):
        if wanted not in row.leaf:
            continue
        event = decode(row.leaf)[0]
        if event.outcome == "ok":
            yield event


def _may_see(server: ApprovalServer, request: FixRequest, event: AuditEvent) -> bool:
    return decide_on_machine(server, request.identity, PolicyQuestion("diagnose", event.host, event.runbook)).is_allowed


def _draft(transaction: Transaction, answer_id: str) -> str:
    return answer_rows.find_text(transaction, _key(answer_id))


def _key(answer_id: str) -> str:
    return f"{_DRAFT}{answer_id}"[:64]


def _view(event: AuditEvent, *, has_case: bool = False) -> FeedbackView:
    told = {name: event.detail.get(name, "") for name in ("answer", "status", "cause", "was", "it_was")}
    return FeedbackView(
        at=rfc3339(event.at),
        host=event.host,
        runbook=event.runbook,
        account=event.account,
        person=event.person,
        has_case=has_case,
        **told,
    )
