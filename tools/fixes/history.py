"""Keeps what hosts were found to have, and says what was found before: the answers, alerts, fixes and reboots of a host."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.runbooks.engine.triage import Found, diagnoses_of
from triagebook.tools.diagnosis.stored_diagnosis import StoredDiagnosis, read_stored
from triagebook.tools.fixes.approval_server import (
    ApprovalServer,
    FixRequest,
    decide_on_machine,
    require,
    require_form,
    require_name,
    tell_unknown,
)
from triagebook.tools.fixes.recurrence import culprit_of
from triagebook.tools.policy.decide import may
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.redact import clean_text
from triagebook.tools.store import alert_rows, answer_rows, fix_rows
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.answer_rows import AnswerRow, AnswerText
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import rfc3339

MOST_DAYS, MOST_ROWS = 365, 500
KEEP = timedelta(days=MOST_DAYS)
KEEP_WHOLE = timedelta(days=30)  # whole answers, to be shown again; their first sentences are kept for a year


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that happened to a host. `id` is of the diagnosis, alert or fix; empty for a boot."""

    at: str
    kind: str  # answer | alert | fix | boot
    id: str
    status: str
    cause: str
    says: str
    by: str = ""


def keep_answer(transaction: Transaction, request: FixRequest, found: Found, text: str) -> None:
    """Keep what a host was found to have; `text` is the answer as it is stored. Everybody who is shown an answer passes here."""
    diagnosis = diagnoses_of(found)[0]
    verdict, runbook = diagnosis.verdict, diagnosis.runbook
    answer = AnswerRow(
        id=safe_text(diagnosis.id, 64),
        host=safe_text(diagnosis.host.name, answer_rows.LONGEST_HOST),
        host_key=safe_text(diagnosis.target.host_key, 255),
        boot_id=safe_text(diagnosis.host.boot_id, 64),
        account=safe_text(str(request.identity.account), 512),
        runbook=safe_text(f"{runbook.id}@{runbook.version}", 160),
        at=request.at,
        status=diagnosis.status,
        cause=verdict.cause if verdict else "",
        culprit=culprit_of(verdict) if verdict else "",
        headline=clean_text(diagnosis.headline, 500),
    )
    answer_rows.add(transaction, answer)
    answer_rows.add_text(transaction, AnswerText(safe_text(found.id, 64), answer.id, request.at, text))


def get_answer(server: ApprovalServer, request: FixRequest, answer_id: str) -> StoredDiagnosis:
    """Return a whole answer by its own id or by its first diagnosis's. Raises UsageError: none that this identity may see.

    Whoever may not see it is told the same as where there is none.
    """
    with server.store.read() as transaction:
        text = answer_rows.find_text(transaction, answer_id)
    try:
        stored = read_stored(text) if text else None
    except ValueError:  # of another release, or changed by somebody
        stored = None
    if stored is None or not all(_may_see(server, request, diagnosis) for diagnosis in diagnoses_of(stored.found)):
        message = (
            f"{safe_text(answer_id, 64)}: no such answer is kept that you may see; it is for {KEEP_WHOLE.days} days, "
            "and `triagebook history HOST` lists what a host was found to have before"
        )
        raise UsageError(message, reason="not_found")
    return stored


def _may_see(server: ApprovalServer, request: FixRequest, diagnosis: Diagnosis) -> bool:
    runbook = f"{diagnosis.runbook.id}@{diagnosis.runbook.version}"
    return decide_on_machine(server, request.identity, PolicyQuestion("diagnose", diagnosis.host.name, runbook)).is_allowed


def history(server: ApprovalServer, request: FixRequest, host: str, days: int) -> tuple[HistoryEntry, ...]:
    """Return what happened to a host, newest first. Raises RefusedError: this identity may not diagnose it."""
    require_form(server, request, host)
    require(server, request, PolicyQuestion("diagnose", host))
    require_name(server, request, host)
    since = request.at - timedelta(days=days)
    with server.store.read() as transaction:
        answers = answer_rows.of_host(transaction, host, since, MOST_ROWS)
        alerts = alert_rows.newest(transaction, MOST_ROWS, host=host, since=since)
        fixes = [fix for fix in fix_rows.list_fixes(transaction, MOST_ROWS, host=host) if fix.created_at >= since]
    entries = [
        *map(_answer_entry, answers),
        *_boots(answers),
        *map(_alert_entry, alerts),
        *(HistoryEntry(rfc3339(fix.updated_at), "fix", fix.id, fix.state, "", fix.outcome, fix.requester) for fix in fixes),
    ]
    return tuple(sorted(entries, key=lambda entry: entry.at, reverse=True))


def alerts(server: ApprovalServer, request: FixRequest, host: str, limit: int) -> tuple[AlertEpisode, ...]:
    """Return the newest alerts. One that names no host is shown to whoever may diagnose every host.

    Raises UsageError: none is of this host, and the inventory does not have it.
    """
    with server.store.read() as transaction:
        found = alert_rows.newest(transaction, limit, host=host)
    if not found:
        tell_unknown(server, request, host)
    return tuple(
        episode for episode in found if may(server.policy, request.identity, PolicyQuestion("diagnose", episode.host)).is_allowed
    )


def forget(transaction: Transaction, now: datetime) -> None:
    """Drop what is older than a year."""
    answer_rows.forget(transaction, now - KEEP)
    answer_rows.forget_texts(transaction, now - KEEP_WHOLE)
    alert_rows.forget(transaction, now - KEEP)


def _answer_entry(answer: AnswerRow) -> HistoryEntry:
    return HistoryEntry(rfc3339(answer.at), "answer", answer.id, answer.status, answer.cause, answer.headline, answer.account)


def _alert_entry(episode: AlertEpisode) -> HistoryEntry:
    state = "firing" if episode.resolved_at is None else "resolved"
    return HistoryEntry(rfc3339(episode.first_at), "alert", episode.id, state, episode.cause, episode.name, episode.source)


def _boots(answers: Sequence[AnswerRow]) -> Iterator[HistoryEntry]:
    """Return a boot between two answers that saw another boot id, at the time of the first answer after it."""
    for newer, older in pairwise(answer for answer in answers if answer.boot_id):
        if newer.boot_id != older.boot_id:
            yield HistoryEntry(rfc3339(newer.at), "boot", "", "", "", f"The host has booted since {rfc3339(older.at)}.")
