"""Makes the record of an incident: what the log says of a host, fix or alert, each line proven, and what stood beside it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.runbooks.engine.triage import diagnoses_of
from triagebook.tools.audit.event import LogRow, decode
from triagebook.tools.audit.merkle import inclusion_proofs
from triagebook.tools.audit.record import ACTION, DIGEST, SCHEMA, record_digest
from triagebook.tools.diagnosis.stored_diagnosis import read_stored
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, require, require_name
from triagebook.tools.fixes.audit_log import READ
from triagebook.tools.fixes.views import alert_view, view_of
from triagebook.tools.policy.decide import may
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.store import alert_rows, audit_rows, fix_rows
from triagebook.tools.store.alert_rows import AlertEpisode
from triagebook.tools.store.database import Transaction
from triagebook.tools.times import rfc3339

MOST_LINES, MOST_ALERTS, MOST_FIXES, MOST_EVIDENCE = 500, 50, 50, 20
OF_A_HOST = timedelta(days=7)  # where nobody says since when
BEFORE, AFTER = timedelta(minutes=5), timedelta(hours=1)  # of an alert: what led to it, and what was done about it
FIX_ID, ALERT_ID = re.compile(r"F-[0-9a-z]{8}"), re.compile(r"[0-9a-f]{8,32}")


@dataclass(frozen=True)
class RecordScope:
    """What a record is about: rows of a host, or of one fix, between two times."""

    subject: str
    host: str
    since: datetime
    until: datetime
    fix: str = ""
    alert: str = ""


def make_record(server: ApprovalServer, request: FixRequest, subject: str, since: datetime | None) -> Mapping[str, Any]:
    """Return the record as data, sealed by a row of its own. Raises RefusedError: this identity may not read that host's log."""
    scope = _scope(server, request, subject, since)
    request.about.update(host=scope.host)
    require(server, request, PolicyQuestion(READ, scope.host))
    with server.store.read() as transaction:
        rows, left_out = _rows(server, request, transaction, scope)
        content = {
            "schema": SCHEMA,
            "subject": scope.subject,
            "host": scope.host,
            "since": rfc3339(scope.since),
            "until": rfc3339(scope.until),
            "left_out": left_out,
            "alerts": [_alert(episode) for episode in _alerts(transaction, scope)],
            "fixes": _fixes(server, transaction, scope),
            "lines": [{"index": row.index, "leaf": row.leaf.decode()} for row in rows],
        }
    detail = {"subject": scope.subject, DIGEST: record_digest(content), "lines": str(len(rows))}
    with server.store.write(ACTION) as transaction:
        sealed = audit_rows.append(transaction, request.event(action=ACTION, detail=detail))
    return _prove(server, content, sealed)


def _prove(server: ApprovalServer, content: dict[str, Any], sealed: int) -> Mapping[str, Any]:
    """Add the seal and the proof of each line to a record."""
    checkpoint = server.checkpointer.publish()
    with server.store.read() as transaction:
        hashes = audit_rows.leaf_hashes(transaction, 0, checkpoint.size)
        (row,) = audit_rows.rows(transaction, sealed, sealed + 1)
    lines = [*content["lines"], {"index": sealed, "leaf": row.leaf.decode()}]
    proofs = inclusion_proofs(hashes, [line["index"] for line in lines])
    *proven, seal = [{**line, "inclusion": [node.hex() for node in proof]} for line, proof in zip(lines, proofs, strict=True)]
    return {**content, "lines": proven, "seal": seal, "checkpoint": checkpoint.note, "vkey": server.checkpointer.vkey}


def _scope(server: ApprovalServer, request: FixRequest, subject: str, since: datetime | None) -> RecordScope:
    """Find what the subject is: a fix, an alert, else a host. Raises UsageError, RefusedError."""
    now = request.at
    with server.store.read() as transaction:
        fix = fix_rows.read(transaction, subject) if FIX_ID.fullmatch(subject) else None
        episodes = alert_rows.begin_with(transaction, subject) if ALERT_ID.fullmatch(subject) else []
    if fix is not None:
        return RecordScope(fix.id, fix.host, since or fix.created_at - BEFORE, now, fix=fix.id)
    if len(episodes) > 1:
        raise UsageError(f"{subject}: {len(episodes)} alerts begin with it; give more of the id", reason="not_found")
    if episodes:
        (episode,) = episodes
        ended = max(filter(None, (episode.last_at, episode.resolved_at, episode.answered_at))) + AFTER
        return RecordScope(episode.id, episode.host, since or episode.first_at - BEFORE, min(now, ended), alert=episode.id)
    if FIX_ID.fullmatch(subject):
        raise UsageError(f"{subject}: no such fix, or you may not see it", reason="not_found")
    require_name(server, request, subject)
    return RecordScope(subject, subject, since or now - OF_A_HOST, now)


def _rows(server: ApprovalServer, request: FixRequest, transaction: Transaction, scope: RecordScope) -> tuple[list[LogRow], int]:
    """Return the rows that this identity may read, oldest first, and how many older ones there was no room for."""
    found = audit_rows.newest_rows(transaction, 2 * MOST_LINES, fix=scope.fix, host="" if scope.fix else scope.host)
    kept = []
    for row in found:
        event = decode(row.leaf)[0]
        is_its = scope.since <= event.at <= scope.until and event.action != ACTION and (scope.fix or event.host == scope.host)
        if is_its and may(server.policy, request.identity, PolicyQuestion(READ, event.host, event.runbook)).is_allowed:
            kept.append(row)
    return kept[:MOST_LINES][::-1], max(0, len(kept) - MOST_LINES)


def _alerts(transaction: Transaction, scope: RecordScope) -> Sequence[AlertEpisode]:
    if scope.alert:
        found = alert_rows.read(transaction, scope.alert)
        return [found] if found else []
    return alert_rows.newest(transaction, MOST_ALERTS, host=scope.host, since=scope.since, has_answers=True)


def _fixes(server: ApprovalServer, transaction: Transaction, scope: RecordScope) -> list[Any]:
    stored = [fix_rows.read(transaction, scope.fix)] if scope.fix else fix_rows.list_fixes(transaction, MOST_FIXES, host=scope.host)
    kept = [fix for fix in stored if fix and (scope.fix or (scope.since <= fix.updated_at and fix.created_at <= scope.until))]
    return [to_plain(view_of(server.display_policy, fix, fix_rows.votes_of(transaction, fix.id))) for fix in kept]


def _alert(episode: AlertEpisode) -> Mapping[str, Any]:
    """Return an alert with the verdict that its host was found to have, and the facts that say so."""
    found = diagnoses_of(read_stored(episode.diagnosis).found)[0] if episode.diagnosis else None
    return {**to_plain(alert_view(episode)), "diagnosis": found.id if found else "", "evidence": _evidence(found) if found else []}


def _evidence(found: Diagnosis) -> list[str]:
    cited = set(found.verdict.evidence) if found.verdict else set()
    lines = []
    for entry in found.facts:
        if entry.id in cited:
            values = " -> ".join(str(reading.value) for reading in entry.readings) or f"not readable: {entry.unreadable}"
            lines.append(f"{entry.id} = {values} {entry.unit} ({entry.source})".replace("  ", " "))
    return lines[:MOST_EVIDENCE]
