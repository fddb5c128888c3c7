"""Writes a long audit log quickly: real leaves, seals, tree, checkpoints, fixes and votes, many rows in one transaction.

Only the triggers that make a row wait for the one before are put aside meanwhile; what is written is what a server writes.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select, update
from triagebook.runbooks.engine.plan_codec import digest, encode
from triagebook.tools.audit import event as events
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.merkle import Edge, leaf_hash
from triagebook.tools.audit.note import Checkpoint, sign
from triagebook.tools.audit.seal import RowKey, row_key_of
from triagebook.tools.store import audit_rows, fix_rows
from triagebook.tools.store.checkpointer import STORED_EVERY
from triagebook.tools.store.database import open_store
from triagebook.tools.store.fix_states import Vote
from triagebook.tools.store.schema import audit, checkpoints, fixes, signed_head, tree_head, votes
from triagebook.tools.times import to_micros

from tests.system.fixes import samples

BATCH = 2000
STORY = 4  # rows of a fix: proposed, approved, applied, how it ended
STORY_EVERY = 100  # rows from one fix to the next; the others are diagnoses and refusals


@dataclass
class Batch:
    """Rows of the tables that are written next."""

    audit: list[dict[str, Any]] = field(default_factory=list)
    fixes: list[dict[str, Any]] = field(default_factory=list)
    votes: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    anchored: list[str] = field(default_factory=list)


@dataclass
class Writer:
    """Continues a log in memory, from the head that the database has."""

    key: Ed25519PrivateKey
    origin: str
    row_key: RowKey
    edge: Edge
    previous: bytes
    at: datetime
    checkpoint_every: int
    last: Checkpoint | None = None

    def add(self, batch: Batch, event: AuditEvent) -> None:
        """Make one row, and a checkpoint now and then, as a server does after each request."""
        recorded = events.as_recorded(event)
        leaf = events.leaf_of(recorded, self.edge.size, self.previous, self.row_key)
        self.previous = leaf_hash(leaf)
        copies = vars(events.columns_of(recorded)) | {"at": to_micros(event.at)}
        copies.pop("at_micros")
        batch.audit.append({"idx": self.edge.size, "leaf": leaf.decode(), "leaf_hash": self.previous, **copies})
        self.edge = self.edge.append(self.previous)
        if self.edge.size % self.checkpoint_every == 0:
            self.last = sign(Checkpoint(self.origin, self.edge.size, self.edge.root()), self.key)
            batch.anchored.append(json.dumps({"size": self.last.size, "note": self.last.note}) + "\n")
            if self.edge.size % STORED_EVERY == 0:
                batch.checkpoints.append({"size": self.edge.size, "note": self.last.note, "at": to_micros(event.at)})

    def add_rows(self, batch: Batch, count: int) -> None:
        """Make so many rows: the story of a fix, then diagnoses and refusals."""
        end = self.edge.size + count
        while self.edge.size < end:
            if self.edge.size % STORY_EVERY == 0 and end - self.edge.size >= STORY:
                self._add_fix(batch)
            else:
                self.add(batch, _diagnosis_or_refusal(self._tick(), self.edge.size))

    def _add_fix(self, batch: Batch) -> None:
        fix_id, created = f"F-{self.edge.size:08x}", self._tick()
        plan = samples.plan(requester="ann", reason=f"pages since row {self.edge.size}")
        plan_digest = digest(plan)
        by = {"ann": "propose", "bob": "approve", "cid": "apply", "": "result"}
        told = {"host": plan.host, "fix": fix_id, "runbook": "forks@1.0.0", "plan_digest": plan_digest, "outcome": "ok"}
        for person, action in by.items():
            account = f"os:{person}" if person else ""
            reason = "validated" if action == "result" else ""
            event = AuditEvent(at=self._tick(), action=action, person=person, account=account, channel="cli", reason=reason, **told)  # type: ignore[arg-type]
            self.add(batch, event)
        times = {"created_at": to_micros(created), "updated_at": to_micros(self.at), "expires_at": to_micros(self.at) + 1}
        who = {"requester": "ann", "requester_account": "os:ann", "owner": "", "lease_until": 0, "outcome": "room is back"}
        about = {"host": plan.host, "lock": f"machine-{fix_id}", "risk": "low", "runbook": "forks@1.0.0"}
        content = encode(plan).decode()
        batch.fixes.append(
            {"id": fix_id, "state": "validated", "content": content, "plan_digest": plan_digest, **about, **who, **times}
        )
        vote = Vote("bob", "os:bob", True, plan_digest, created)
        seal = self.row_key.seal(*fix_rows._vote_members(fix_id, vote))
        kept = {"fix_id": fix_id, "person": "bob", "account": "os:bob", "is_yes": True, "break_glass": ""}
        batch.votes.append({**kept, "plan_digest": plan_digest, "at": to_micros(created), "seal": seal})

    def _tick(self) -> datetime:
        self.at += timedelta(seconds=7)
        return self.at


def extend(url: str, key: Ed25519PrivateKey, origin: str, anchor: Path, rows: int, checkpoint_every: int = 1) -> Edge:
    """Append so many rows to a database of the newest schema, with a checkpoint in the anchor each so many; the new edge."""
    row_key = row_key_of(key)
    store = open_store(url, row_key=row_key)
    with store.read() as transaction:
        head = audit_rows.read_head(transaction)
    writer = Writer(key, origin, row_key, head.edge, head.last_leaf, samples.NOW, checkpoint_every)
    end = head.edge.size + rows
    while writer.edge.size < end:
        batch = Batch()
        writer.add_rows(batch, min(BATCH, end - writer.edge.size))
        with store.write(is_synced=False) as transaction, _without_order(transaction.connection):
            _write(transaction.connection, batch, writer)
            if writer.last is not None and writer.last.size == writer.edge.size:
                audit_rows.set_signed_head(transaction, writer.edge, writer.last.note, writer.at)
        with anchor.open("a") as file:
            file.writelines(batch.anchored)
    anchor.chmod(0o600)
    store.close()
    return writer.edge


def copy(source: str, target: str) -> None:
    """Copy the log, its fixes and votes from one database into another of the newest schema, which has none."""
    tables = (fixes, votes, audit, checkpoints, signed_head)
    have, want = open_store(source), open_store(target)
    with have.read() as reading, want.write(is_synced=False) as writing, _without_order(writing.connection):
        for table in tables:
            statement = select(table).execution_options(yield_per=BATCH)
            for page in reading.connection.execute(statement).mappings().partitions():
                writing.connection.execute(insert(table), [dict(row) for row in page])
        head = reading.connection.execute(select(tree_head)).mappings().one()
        writing.connection.execute(update(tree_head), {name: head[name] for name in ("size", "edge", "last_leaf")})
    have.close()
    want.close()


def _write(connection: Connection, batch: Batch, writer: Writer) -> None:
    for table, rows in ((audit, batch.audit), (fixes, batch.fixes), (votes, batch.votes), (checkpoints, batch.checkpoints)):
        if rows:
            connection.execute(insert(table), rows)
    head = {"size": writer.edge.size, "edge": writer.edge.encode(), "last_leaf": writer.previous}
    connection.execute(update(tree_head), head)


@contextmanager
def _without_order(connection: Connection) -> Iterator[None]:
    """Put aside the triggers that look at one row, vote or fix after the other."""
    if connection.dialect.name == "postgresql":
        for table in ("audit", "fixes", "votes"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for table in ("audit", "fixes", "votes"):
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    kept: Sequence[tuple[str, str]] = [(name, sql) for name, sql in found]
    for name, _sql in kept:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for _name, sql in kept:
        connection.exec_driver_sql(sql)


def _diagnosis_or_refusal(at: datetime, number: int) -> AuditEvent:
    """One row that is no fix's: somebody asked about a host, or was refused."""
    who = {"account": f"slack:T0123/U{number % 97:08d}", "person": f"person-{number % 97}", "channel": "slack"}
    host = f"web-{number % 60 + 1:02}"
    if number % 10 == 9:
        return AuditEvent(at=at, action="propose", outcome="refused", reason="not_allowed", host=host, **who)
    detail = {"id": f"D-{number:08x}", "status": "cause_found", "cause": "pids_cgroup", "duration_ms": str(300 + number % 900)}
    runbook = {"runbook": "enomem@1.1.0", "runbook_digest": f"{number % 3:064x}"}
    return AuditEvent(at=at, action="diagnose", outcome="ok", host=host, detail=detail, **runbook, **who)
