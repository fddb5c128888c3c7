"""Tables and triggers. Times are microseconds since 1970 UTC in a BIGINT: exact, and the same on both databases.

The migrations build the same database without this file; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from triagebook.tools.store.fix_states import STATES
from triagebook.tools.store.triggers import attach_triggers

_UNFINISHED = text("state IN ('proposed', 'approved', 'running', 'reverting', 'unknown')")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

fixes = Table(
    "fixes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("plan_digest", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("lock", String(255), nullable=False),
    Column("risk", String(16), nullable=False),
    Column("runbook", String(160), nullable=False),
    Column("requester", String(255), nullable=False),
    Column("requester_account", String(512), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("owner", String(128), nullable=False),
    Column("lease_until", BigInteger, nullable=False),  # 0: no lease
    Column("outcome", Text, nullable=False),
    CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in STATES)), name="state"),
    # partial and by time, not by state: PostgreSQL would prefer an index on `state` to the primary key in a compare-and-set
    Index("ix_fixes_unfinished", "created_at", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    Index("ix_fixes_host", "host"),
)

votes = Table(
    "votes",
    metadata,
    Column("fix_id", String(32), ForeignKey("fixes.id"), primary_key=True),
    Column("person", String(255), primary_key=True),  # one vote a person, whatever account it came from
    Column("account", String(512), nullable=False),
    Column("is_yes", Boolean, nullable=False),
    Column("plan_digest", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("break_glass", Text, nullable=False),
    Column("seal", String(64), nullable=False),  # by the server's key, over all the rest; empty: of a release before seals
)

host_locks = Table(
    "host_locks",
    metadata,
    Column("lock", String(255), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("fix_id", String(32), ForeignKey("fixes.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("person", String(255), nullable=False),
    Column("taken_at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", Text, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    # copies of what the leaf says, to search by; `audit verify` compares them with it
    Column("at", BigInteger, nullable=False),
    Column("action", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("fix", String(64), nullable=False),
    Column("person", String(255), nullable=False),
    # idx in each: the newest rows are asked for, and sorting those of a host reads all of them
    Index("ix_audit_fix", "fix", "idx"),
    Index("ix_audit_host", "host", "idx"),
    Index("ix_audit_action", "action", "idx"),
    Index("ix_audit_person", "person", "action", "idx"),
)

tree_head = Table(
    "tree_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("last_leaf", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# The newest checkpoint, with the edge of its tree, so that a start can begin there. Not trusted: the roots must be the same.
signed_head = Table(
    "signed_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("account", String(512), primary_key=True),
    Column("action", String(64), primary_key=True),
    Column("reason", String(64), primary_key=True),
    Column("fix", String(64), primary_key=True),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("repeats", BigInteger, nullable=False),  # beyond the one that has its own audit row
    Column("person", String(255), nullable=False),
    Column("host", String(255), nullable=False),
)

# Which machine an inventory name is: what it showed when it was first seen, or when a person bound it anew.
machines = Table(
    "machines",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("host_key", String(255), nullable=False),
    Column("machine_id", String(255), nullable=False),
    Column("target_id", String(255), nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_machines_host_key", "host_key"),
    Index("ix_machines_target_id", "target_id"),
)

# Durable work. One row a job: a source's key occurs once, so the first insert wins and a repetition is recognised.
jobs = Table(
    "jobs",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # in the order they were added
    Column("kind", String(64), nullable=False),
    Column("key", String(160), nullable=False),
    Column("body", Text, nullable=False),
    Column("order_key", String(160), nullable=False),  # jobs with the same one are done in their order; empty: no order
    Column("created_at", BigInteger, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("begin_by", BigInteger, nullable=False),  # given up when it has not been done by then
    Column("remember_until", BigInteger, nullable=False),  # when its key may be forgotten
    Column("owner", String(64), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),  # owners that took it and never said how it went
    Column("retries", Integer, nullable=False),  # times an owner put it off
    Column("done_at", BigInteger, nullable=False),  # 0: open
    Column("problem", Text, nullable=False),  # why it was given up
    UniqueConstraint("kind", "key", name="uq_jobs_kind_key"),
    Index("ix_jobs_open", "done_at", "number"),
    Index("ix_jobs_order", "order_key", "done_at"),
)

attach_triggers(metadata)
