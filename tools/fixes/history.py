"""Keeps what hosts were found to have, and says what was found before: the answers, alerts, fixes and reboots of a host."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, require, require_name
from triagebook.tools.policy.decide import may
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.redact import clean_text
from triagebook.tools.store import alert_rows, answer_rows, fix_rows
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.answer_rows import AnswerRow
from triagebook.tools.store.database import Transaction
from triagebook.tools.store.fix_states import State
from triagebook.tools.times import rfc3339

MOST_DAYS, MOST_ROWS = 365, 500
KEEP = timedelta(days=MOST_DAYS)
RECENT = timedelta(days=30)
CHANGED: tuple[State, ...] = ("validated", "unresolved")  # states of a fix that left its change on the host


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


@dataclass(frozen=True)
class Recurrence:
    """How often a cause with this culprit was found on a host in the last 30 days, and the last fix of the host."""

    times: int
    first_at: datetime
    fix: str = ""
    fix_state: str = ""
    fix_at: datetime | None = None
    has_rebooted: bool = False  # since that fix

    @property
    def sentence(self) -> str:
        """Return it for people; empty where it was found for the first time."""
        if self.times < 2:
            return ""
        found = f"Found for the {_ordinal(self.times)} time in 30 days, first on {self.first_at:%-d %B}."
        if not self.fix or self.fix_at is None:
            return found
        lost = "; the host has rebooted since, which undoes what was not made permanent" if self.has_rebooted else ""
        return f"{found} {self.fix} was {self.fix_state} on {self.fix_at:%-d %B}{lost}."


def keep_answer(transaction: Transaction, request: FixRequest, diagnosis: Diagnosis) -> None:
    """Keep what a host was found to have. Everybody who is shown a diagnosis passes here."""
    verdict, runbook = diagnosis.verdict, diagnosis.runbook
    culprit = clean_text(verdict.culprit.unit or verdict.culprit.id, 255) if verdict else ""
    answer = AnswerRow(
        id=safe_text(diagnosis.id, 64),
        host=safe_text(diagnosis.host.name, 255),
        host_key=safe_text(diagnosis.target.host_key, 255),
        boot_id=safe_text(diagnosis.host.boot_id, 64),
        account=safe_text(str(request.identity.account), 512),
        runbook=safe_text(f"{runbook.id}@{runbook.version}", 160),
        at=request.at,
        status=diagnosis.status,
        cause=verdict.cause if verdict else "",
        culprit=culprit,
        headline=clean_text(diagnosis.headline, 500),
    )
    answer_rows.add(transaction, answer)


def recurrence(transaction: Transaction, host: str, now: datetime) -> Recurrence | None:
    """Say how often the newest cause of a host was found; None where its newest answer names none."""
    answers = answer_rows.of_host(transaction, host, now - RECENT, MOST_ROWS)
    if not answers or not answers[0].cause:
        return None
    newest = answers[0]
    times = answer_rows.find_times(transaction, host, newest.cause, newest.culprit, now - RECENT)
    fix = next(iter(fix_rows.list_fixes(transaction, 1, states=CHANGED, host=host)), None)
    if fix is None:
        return Recurrence(len(times), times[0])
    before = [answer for answer in answers if answer.at < fix.updated_at]
    has_rebooted = bool(before) and before[0].boot_id != newest.boot_id
    return Recurrence(len(times), times[0], fix.id, fix.state, fix.updated_at, has_rebooted)


def history(server: ApprovalServer, request: FixRequest, host: str, days: int) -> tuple[HistoryEntry, ...]:
    """Return what happened to a host, newest first. Raises RefusedError: this identity may not diagnose it."""
    require_name(server, request, host)
    request.about.update(host=host)
    require(server, request, PolicyQuestion("diagnose", host))
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
    """Return the newest alerts. One that names no host is shown to whoever may diagnose every host."""
    with server.store.read() as transaction:
        found = alert_rows.newest(transaction, limit, host=host)
    return tuple(
        episode for episode in found if may(server.policy, request.identity, PolicyQuestion("diagnose", episode.host)).is_allowed
    )


def forget(transaction: Transaction, now: datetime) -> None:
    """Drop what is older than a year."""
    answer_rows.forget(transaction, now - KEEP)
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


def _ordinal(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
