"""Signs what the log is, now and then, and only what grew out of what it signed before.

It keeps the right edge of the tree it last signed. Before the next signature it reads the rows added since, extends the
edge by their hashes and compares it with the head the database claims: a log that was rewritten is not signed again.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.audit.anchors import Anchor
from triagebook.tools.audit.merkle import Edge, leaf_hash
from triagebook.tools.audit.note import Checkpoint, sign, verify, vkey_of
from triagebook.tools.audit.seal import has_seal, row_key_of
from triagebook.tools.audit.verify import FROM_THE_FIRST, Problem, Report, Visit, WalkStart, ignore
from triagebook.tools.audit.verify import verify as verify_rows
from triagebook.tools.log import log_event
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Store, Transaction
from triagebook.tools.store.known_checkpoints import Collected, KnownCheckpoints

WHOLE_ROWS = 10_000  # a log no longer than this is verified whole at the start: it takes a second
STORED_EVERY = 64  # rows between two checkpoints that the database keeps for good


@dataclass(frozen=True)
class _Growth:
    """The tree as it is now, grown out of what was signed; whether a row of it has a seal."""

    edge: Edge
    is_sealed: bool


class Beside(Protocol):
    """Compares something of the database with the log."""

    @property
    def visit(self) -> Visit:
        """See one row after the other."""
        ...

    def problems(self, transaction: Transaction) -> Sequence[Problem]:
        """Say what does not agree with the rows that were seen."""
        ...


class Checkpointer:
    """The only user of the audit key. Safe to share between threads."""

    def __init__(
        self, store: Store, key: Ed25519PrivateKey, origin: str, anchors: Sequence[Anchor], clock: Callable[[], datetime]
    ) -> None:
        self._store, self._key, self._anchors, self._clock = store, key, tuple(anchors), clock
        self._origin = origin
        self.vkey = vkey_of(origin, key.public_key())
        self._row_key = row_key_of(key)
        self._is_sealed = False  # whether a row that was signed has a seal: then every later one has
        self._signed = Edge()
        self._last: Checkpoint | None = None
        self._failed: TrustError | None = None
        self._known = KnownCheckpoints(store, self._anchors, self.vkey)
        self._broken: TrustError | None = None  # what the verification of the whole log found, beside the work
        self._stored = 0  # rows of the newest checkpoint that this process kept in the database
        self._one_at_a_time = threading.Lock()

    def start(self) -> Report:
        """Verify the log against the checkpoints kept. TrustError `audit_broken`: nothing is signed on top of it.

        A long log is verified from the newest checkpoint of the database on, up to the newest of the anchors; the report's
        `since` says so, and then `verify_whole` belongs beside the work that follows.
        """
        report = self._report_from_checkpoint() or self.report()
        broken = _failure_of(report)
        for warning in report.warnings[:1]:
            log_event("audit.columns_differ" if warning.kind == "copies" else "audit.anchor_behind", says=warning.says)
        if broken is not None:
            raise broken
        with self._store.read() as transaction:
            self._signed = audit_rows.read_head(transaction).edge
            self._is_sealed = self._is_sealed_before(transaction, self._signed.size)
        return report

    def verify_whole(self) -> None:
        """Verify every row; when the log does not hold, nothing is signed any more, as if it had been found at the start."""
        self._broken = _failure_of(self.report())
        if self._broken is not None:
            log_event("audit.broken", says=self._broken)

    def join(self) -> None:
        """Bring this server's own anchors up with the checkpoints in the database: a new replica has none yet.

        An explicit step, because an anchor that was emptied or cut looks the same.
        """
        with self._store.read() as transaction:
            stored = [verify(note, self.vkey) for note in audit_rows.checkpoint_notes(transaction)]
        for anchor in self._anchors:
            newest = anchor.newest()
            for checkpoint in stored if newest is not None else ():
                if not newest or checkpoint.size > verify(newest, self.vkey).size:
                    anchor.keep(checkpoint)

    def publish(self) -> Checkpoint:
        """A checkpoint that covers every row committed by now, kept in the database and by every anchor.

        Raises TrustError: `audit_broken` when the log did not grow out of what was signed, `anchor` when one fails.
        """
        with self._one_at_a_time:
            grown = self._extend()
            edge = grown.edge
            if self._last is None or self._last.size != edge.size:
                self._keep(sign(Checkpoint(self._origin, edge.size, edge.root()), self._key), edge)
            self._signed, self._is_sealed = edge, grown.is_sealed
            assert self._last is not None  # noqa: S101 - set by _keep
            return self._last

    def check(self) -> None:
        """Compare the log's growth with what was signed, and sign nothing. TrustError as `publish` raises it.

        The last failure of an anchor counts until a checkpoint is kept again. `audit verify` reads every row; this does not.
        """
        with self._one_at_a_time:
            self._extend()
            if self._failed is not None:
                raise self._failed

    def report(self, extra_notes: Sequence[str] = (), beside: "Beside | None" = None, since: int = 0) -> Report:
        """Verify every row against the checkpoints of the database, of the anchors, and the given ones.

        `beside` sees each row, and then compares what else the database has with them, in the same view of it. With `since`
        the rows before that one are taken from their stored hashes, which a checkpoint of that size or a later one confirms.
        """
        collected = self._known.collect(extra_notes)
        with self._store.read() as transaction:
            if since > audit_rows.read_head(transaction).edge.size:
                raise UsageError(f"the audit log has no row {since}", reason="not_found")
            start = self._start_at(transaction, audit_rows.stored_edge(transaction, since)) if since else FROM_THE_FIRST
            return self._verify(transaction, collected, start, beside)

    def checkpoints(self, extra_notes: Sequence[str] = ()) -> Collected:
        """Every checkpoint to be had. One that this key did not sign is odd."""
        return self._known.collect(extra_notes)

    def _report_from_checkpoint(self) -> Report | None:
        """Verify a long log from a checkpoint on whose edge was kept. None: it is short, or there is no such checkpoint."""
        with self._store.read() as transaction:
            found = audit_rows.read_signed_head(transaction)
            if found is None or audit_rows.read_head(transaction).edge.size <= WHOLE_ROWS:
                return None
            edge, note = found
            try:
                if verify(note, self.vkey).root != edge.root():
                    return None
            except TrustError:
                return None
            return self._verify(transaction, self._known.newest(), self._start_at(transaction, edge), None)

    def _verify(self, transaction: Transaction, collected: Collected, start: WalkStart, beside: "Beside | None") -> Report:
        head, rows = audit_rows.read_head(transaction), audit_rows.rows(transaction, start.edge.size)
        visit = beside.visit if beside else ignore
        report = verify_rows(rows, head, collected.valid, collected.odd, key=self._row_key, visit=visit, start=start)
        behind = tuple(Problem("anchor", None, says) for says in collected.behind)
        more = beside.problems(transaction) if beside else ()
        return replace(report, problems=(*report.problems, *more), warnings=(*behind, *report.warnings))

    def _start_at(self, transaction: Transaction, edge: Edge) -> WalkStart:
        hashes = audit_rows.leaf_hashes(transaction, edge.size - 1, edge.size)
        return WalkStart(edge, hashes[0] if hashes else b"", self._is_sealed_before(transaction, edge.size))

    def _is_sealed_before(self, transaction: Transaction, size: int) -> bool:
        return any(has_seal(row.leaf) for row in audit_rows.rows(transaction, size - 1, size)) if size else False

    def _extend(self) -> "_Growth":
        if self._broken is not None:
            raise self._broken
        with self._store.read() as transaction:
            head = audit_rows.read_head(transaction)
            edge, is_sealed, foreign = self._signed, self._is_sealed, -1
            for row in audit_rows.rows(transaction, edge.size, head.edge.size):
                edge = edge.append(leaf_hash(row.leaf))
                if foreign < 0 and not self._row_key.is_sealed(row.leaf) and (is_sealed or has_seal(row.leaf)):
                    foreign = row.index
                is_sealed |= has_seal(row.leaf)
        if edge != head.edge:
            message = f"audit log: its {head.edge.size} rows did not grow out of the {self._signed.size} known before"
        elif foreign >= 0:
            message = f"audit log: row {foreign} was not written by this server: it does not have its seal"
        else:
            return _Growth(edge, is_sealed)
        log_event("audit.broken", says=message)
        raise TrustError(message, reason="audit_broken")

    def _keep(self, checkpoint: Checkpoint, edge: Edge) -> None:
        """Keep a checkpoint by every anchor, which have them all; in the database the newest, and one now and then."""
        for anchor in self._anchors:
            try:
                anchor.keep(checkpoint)
            except TrustError as error:
                self._failed = error
                log_event("audit.anchor_failed", rows=checkpoint.size, says=error)
                raise
        with self._store.write("checkpoint", is_synced=False) as transaction:  # the anchors have it
            audit_rows.set_signed_head(transaction, edge, checkpoint.note, self._clock())
            if not self._stored or checkpoint.size - self._stored >= STORED_EVERY:
                audit_rows.add_checkpoint(transaction, checkpoint.size, checkpoint.note, self._clock())
                self._stored = checkpoint.size
        self._last, self._failed = checkpoint, None
        log_event("audit.checkpoint", rows=checkpoint.size)


def _failure_of(report: Report) -> TrustError | None:
    """Log what a verification found, and return why nothing may be signed on top of it; None: the log holds."""
    log_event("audit.verified", holds=report.holds, problem=report.problems[0].says if report.problems else None)
    if report.holds:
        return None
    return TrustError(f"audit log: {report.problems[0].says}; see `audit verify`", reason="audit_broken")
