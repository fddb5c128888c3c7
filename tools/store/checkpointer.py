"""Signs what the log is, now and then, and only what grew out of what it signed before.

It keeps the right edge of the tree it last signed. Before the next signature it reads the rows added since, extends the
edge by their hashes and compares it with the head the database claims: a log that was rewritten is not signed again.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.anchors import Anchor
from triagebook.tools.audit.event import Head
from triagebook.tools.audit.merkle import Edge, leaf_hash
from triagebook.tools.audit.note import Checkpoint, sign, verify, vkey_of
from triagebook.tools.audit.verify import Report
from triagebook.tools.audit.verify import verify as verify_rows
from triagebook.tools.log import log_event
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Store


@dataclass(frozen=True)
class Collected:
    """Checkpoints that verify, and what is wrong with those that do not."""

    valid: tuple[Checkpoint, ...]
    odd: tuple[str, ...]


class Checkpointer:
    """The only user of the audit key. Safe to share between threads."""

    def __init__(
        self, store: Store, key: Ed25519PrivateKey, origin: str, anchors: Sequence[Anchor], clock: Callable[[], datetime]
    ) -> None:
        self._store, self._key, self._anchors, self._clock = store, key, tuple(anchors), clock
        self._origin = origin
        self.vkey = vkey_of(origin, key.public_key())
        self._signed = Edge()
        self._last: Checkpoint | None = None
        self._failed: TrustError | None = None
        self._one_at_a_time = threading.Lock()

    def start(self) -> Report:
        """Verify the whole log against every checkpoint kept. TrustError `audit_broken`: nothing is signed on top of it."""
        report = self.report()
        log_event("audit.verified", holds=report.holds, problem=report.problems[0].says if report.problems else None)
        if report.warnings:
            log_event("audit.columns_differ", rows=len(report.warnings), says=report.warnings[0].says)
        if not report.holds:
            raise TrustError(f"audit log: {report.problems[0].says}; see `audit verify`", reason="audit_broken")
        with self._store.read() as transaction:
            self._signed = audit_rows.read_head(transaction).edge
        return report

    def join(self) -> None:
        """Begin this server's own anchors with the checkpoints in the database: a new replica has none yet.

        An explicit step, because an emptied anchor looks the same.
        """
        with self._store.read() as transaction:
            stored = audit_rows.checkpoint_notes(transaction)
        for anchor in self._anchors:
            if anchor.notes() == []:
                for note in stored:
                    anchor.keep(verify(note, self.vkey))

    def publish(self) -> Checkpoint:
        """A checkpoint that covers every row committed by now, kept in the database and by every anchor.

        Raises TrustError: `audit_broken` when the log did not grow out of what was signed, `anchor` when one fails.
        """
        with self._one_at_a_time:
            head, edge = self._extend()
            if edge != head.edge:
                message = f"audit log: its {head.edge.size} rows did not grow out of the {self._signed.size} known before"
                log_event("audit.broken", says=message)
                raise TrustError(message, reason="audit_broken")
            if self._last is None or self._last.size != edge.size:
                self._keep(sign(Checkpoint(self._origin, edge.size, edge.root()), self._key))
            self._signed = edge
            assert self._last is not None  # noqa: S101 - set by _keep
            return self._last

    def check(self) -> None:
        """Compare the log's growth with what was signed, and sign nothing. TrustError as `publish` raises it.

        The last failure of an anchor counts until a checkpoint is kept again. `audit verify` reads every row; this does not.
        """
        with self._one_at_a_time:
            head, edge = self._extend()
            if edge != head.edge:
                raise TrustError("audit log: it did not grow out of what was signed", reason="audit_broken")
            if self._failed is not None:
                raise self._failed

    def report(self, extra_notes: Sequence[str] = ()) -> Report:
        """Verify every row against the checkpoints of the database, of the anchors, and the given ones."""
        collected = self.checkpoints(extra_notes)
        with self._store.read() as transaction:
            head = audit_rows.read_head(transaction)
            return verify_rows(audit_rows.rows(transaction), head, collected.valid, collected.odd)

    def checkpoints(self, extra_notes: Sequence[str] = ()) -> Collected:
        """Every checkpoint to be had. One that this key did not sign is odd."""
        with self._store.read() as transaction:
            stored = audit_rows.checkpoint_notes(transaction)
        read = [notes for anchor in self._anchors if (notes := anchor.notes()) is not None]
        anchored = [note for notes in read for note in notes]
        is_gone = bool(stored and read and not anchored)
        gone = "the database has checkpoints, but no anchor has any: an anchor was removed or emptied (a new replica: --join)"
        odd = [gone] if is_gone else []
        valid = []
        for note in dict.fromkeys([*stored, *anchored, *extra_notes]):
            try:
                valid.append(verify(note, self.vkey))
            except TrustError as error:
                odd.append(str(error))
        return Collected(tuple(valid), tuple(odd))

    def _extend(self) -> tuple[Head, Edge]:
        with self._store.read() as transaction:
            head = audit_rows.read_head(transaction)
            edge = self._signed
            for row in audit_rows.rows(transaction, edge.size, head.edge.size):
                edge = edge.append(leaf_hash(row.leaf))
        return head, edge

    def _keep(self, checkpoint: Checkpoint) -> None:
        for anchor in self._anchors:
            try:
                anchor.keep(checkpoint)
            except TrustError as error:
                self._failed = error
                log_event("audit.anchor_failed", rows=checkpoint.size, says=error)
                raise
        with self._store.write("checkpoint") as transaction:
            audit_rows.add_checkpoint(transaction, checkpoint.size, checkpoint.note, self._clock())
        self._last, self._failed = checkpoint, None
        log_event("audit.checkpoint", rows=checkpoint.size)
