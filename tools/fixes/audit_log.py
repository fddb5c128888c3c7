"""Reads the audit log: a row needs the right to read its host's rows, proofs and exports the right to read all."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.tools.audit.event import LogRow, decode
from triagebook.tools.audit.merkle import consistency_proof, edge_of, inclusion_proof
from triagebook.tools.audit.verify import Problem
from triagebook.tools.fixes.approval_server import ApprovalServer, FixRequest, require
from triagebook.tools.fixes.compare import FixesBesideLog
from triagebook.tools.fixes.views import AuditRow
from triagebook.tools.policy.channels import may_decide
from triagebook.tools.policy.decide import may
from triagebook.tools.policy.model import PolicyQuestion
from triagebook.tools.store import audit_rows, refusal_rows
from triagebook.tools.times import rfc3339

MOST_ROWS = 1000
MOST_NAMED = 200  # rows that were repaired, in the row that says so
READ = "read_audit"
_ONE_VERIFICATION = threading.Lock()  # at a time, of a process


@dataclass(frozen=True)
class AuditProblem:
    """Describes one fault of the log and the row where it shows first (-1: no row)."""

    kind: str
    row: int
    says: str


@dataclass(frozen=True)
class AuditReport:
    """Reports what `audit verify` found. Keep `checkpoint`, the newest signed one: the log cannot be cut below it unnoticed."""

    holds: bool
    size: int
    root: str
    checkpoints: int
    problems: tuple[AuditProblem, ...]
    checkpoint: str
    vkey: str
    warnings: tuple[AuditProblem, ...] = ()  # copies that differ from the log; `audit repair` makes them anew


@dataclass(frozen=True)
class AuditProof:
    """Holds what any C2SP verifier needs to find a row in the log: leaf, path and signed checkpoint. Hashes are hexadecimal."""

    index: int
    leaf: str
    inclusion: tuple[str, ...]
    checkpoint: str
    vkey: str
    old_size: int = 0
    old_root: str = ""
    consistency: tuple[str, ...] = ()


def list_rows(
    server: ApprovalServer, request: FixRequest, limit: int, *, fix: str = "", host: str = "", person: str = ""
) -> tuple[AuditRow, ...]:
    """List the rows that this identity may read, newest first."""
    if not request.identity.is_known:
        require(server, request, PolicyQuestion(READ, host))
    with server.store.read() as transaction:
        rows = audit_rows.newest_rows(transaction, min(limit, MOST_ROWS), fix=fix, host=host, person=person)
    return tuple(shown for row in rows if _may_read(server, request, shown := _to_audit_row(row)))


def show_row(server: ApprovalServer, request: FixRequest, index: int, old_size: int = 0) -> tuple[AuditRow, AuditProof]:
    """Return one row with the proof that the log has it, and that the log only grew since it had `old_size` rows."""
    checkpoint = server.checkpointer.publish()
    with server.store.read() as transaction:
        found = list(audit_rows.rows(transaction, index, index + 1))
        if not found or not _may_read(server, request, _to_audit_row(found[0])):
            raise UsageError(f"no audit row {index} that you may read", reason="not_found")
        hashes = audit_rows.leaf_hashes(transaction, 0, checkpoint.size)
    if not 0 <= old_size <= len(hashes):
        raise UsageError(f"the log has {len(hashes)} rows: no proof from {old_size}", reason="not_found")
    proof = AuditProof(
        index=index,
        leaf=found[0].leaf.decode(),
        inclusion=tuple(node.hex() for node in inclusion_proof(hashes, index)),
        checkpoint=checkpoint.note,
        vkey=server.checkpointer.vkey,
        old_size=old_size,
        old_root=edge_of(hashes[:old_size]).root().hex() if old_size else "",
        consistency=tuple(node.hex() for node in consistency_proof(hashes, old_size)) if old_size else (),
    )
    return _to_audit_row(found[0]), proof


def verify(server: ApprovalServer, request: FixRequest, notes: Sequence[str], since: int = 0) -> AuditReport:
    """Check the whole log against every known checkpoint and those that the caller kept, and fixes and votes against the log.

    With `since`, only the rows from that one on, and nothing else.
    """
    try:  # not as an `attempt`, which signs the log: one that does not hold is to be reported
        require(server, request, PolicyQuestion(READ))
        if not _ONE_VERIFICATION.acquire(blocking=False):  # it reads every row: seconds of a processor for a long log
            raise UsageError("the audit log is being verified already; ask again in a minute", reason="verifying")
    except (RefusedError, UsageError) as error:
        with server.store.write("refusal") as transaction:
            refusal_rows.record(transaction, request.event(outcome="refused", reason=error.reason, detail={"says": str(error)}))
        raise
    try:
        report = server.checkpointer.report(notes, None if since else FixesBesideLog(), since)
    finally:
        _ONE_VERIFICATION.release()
    note = server.checkpointer.publish().note if report.holds else ""
    problems, warnings = _problem_list(report.problems), _problem_list(report.warnings)
    about = report.holds, report.size, report.root.hex(), report.checkpoints
    return AuditReport(*about, problems, note, server.checkpointer.vkey, warnings)


def repair_columns(server: ApprovalServer, request: FixRequest) -> tuple[int, ...]:
    """Write the search columns anew that differ from the log, with a loud audit row; return the rows. Raises RefusedError."""
    require(server, request, PolicyQuestion(READ))
    if not may_decide(request.actor.channel):
        raise RefusedError("an assistant's channel cannot repair the audit log; use the terminal", reason="mcp_cannot_repair")
    with server.store.write("repair") as transaction:
        repaired = audit_rows.repair_columns(transaction)
        listed = " ".join(map(str, repaired[:MOST_NAMED])) + (" ..." if len(repaired) > MOST_NAMED else "")
        detail = {"what": "columns", "count": str(len(repaired)), "rows": listed}
        audit_rows.append(transaction, request.event(severity="alert", detail=detail))
    return tuple(repaired)


def _problem_list(found: Sequence[Problem]) -> tuple[AuditProblem, ...]:
    return tuple(AuditProblem(item.kind, -1 if item.row is None else item.row, item.says) for item in found)


def export(server: ApprovalServer, request: FixRequest, start: int) -> Iterator[dict[str, object]]:
    """Yield every row from `start` as its leaf and hash, then the checkpoint that covers them. The export is audited itself."""
    require(server, request, PolicyQuestion(READ))
    with server.store.write("export") as transaction:
        audit_rows.append(transaction, request.event(detail={"from": str(start)}))
    checkpoint = server.checkpointer.publish()
    for at in range(start, checkpoint.size, audit_rows.PAGE):
        with server.store.read() as transaction:  # ends before a page is given on: who takes it may be slow
            page = list(audit_rows.rows(transaction, at, min(at + audit_rows.PAGE, checkpoint.size)))
        for row in page:
            yield {"index": row.index, "leaf": row.leaf.decode(), "hash": row.leaf_hash.hex()}
    yield {"checkpoint": checkpoint.note, "vkey": server.checkpointer.vkey}


def _may_read(server: ApprovalServer, request: FixRequest, row: AuditRow) -> bool:
    return may(server.policy, request.identity, PolicyQuestion(READ, row.host, row.runbook)).is_allowed


def _to_audit_row(row: LogRow) -> AuditRow:
    event, index, _previous = decode(row.leaf)
    values = {entry.name: getattr(event, entry.name) for entry in fields(event)}
    return AuditRow(**{**values, "index": index, "at": rfc3339(event.at), "detail": dict(event.detail)})
