"""The first schema: fixes, votes, host locks, audit log, its tree head and checkpoints, refusal counts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATES = (
    "proposed", "approved", "denied", "withdrawn", "expired", "stale", "running", "validated", "unresolved",
    "reverting", "reverted", "failed", "unknown",
)  # fmt: skip
_SQLITE = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit WHEN NEW.idx IS NOT (SELECT size FROM tree_head)"
    " BEGIN SELECT RAISE(ABORT, 'audit rows come in order'); END",
    "CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints"
    " BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END",
    "CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints"
    " BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END",
    "CREATE TRIGGER tree_head_grows BEFORE UPDATE ON tree_head WHEN NEW.size <= OLD.size"
    " BEGIN SELECT RAISE(ABORT, 'the tree only grows'); END",
    "CREATE TRIGGER tree_head_no_delete BEFORE DELETE ON tree_head BEGIN SELECT RAISE(ABORT, 'the tree only grows'); END",
    "CREATE TRIGGER fixes_keep_their_plan BEFORE UPDATE ON fixes"
    " WHEN NEW.content IS NOT OLD.content OR NEW.plan_digest IS NOT OLD.plan_digest OR NEW.id IS NOT OLD.id"
    " OR NEW.requester IS NOT OLD.requester OR NEW.expires_at IS NOT OLD.expires_at"
    " BEGIN SELECT RAISE(ABORT, 'a fix keeps its plan'); END",
    "CREATE TRIGGER votes_no_update BEFORE UPDATE ON votes BEGIN SELECT RAISE(ABORT, 'a vote stands'); END",
)
_POSTGRESQL = (
    "CREATE FUNCTION triagebook_refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_OP || ' refused on ' || TG_TABLE_NAME; END $$",
    "CREATE FUNCTION triagebook_in_order() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN IF NEW.idx IS DISTINCT FROM (SELECT size FROM tree_head)"
    " THEN RAISE EXCEPTION 'audit rows come in order'; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
    " FOR EACH STATEMENT EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION triagebook_in_order()",
    "CREATE TRIGGER checkpoints_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints"
    " FOR EACH STATEMENT EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER tree_head_no_delete BEFORE DELETE OR TRUNCATE ON tree_head"
    " FOR EACH STATEMENT EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER tree_head_grows BEFORE UPDATE ON tree_head FOR EACH ROW"
    " WHEN (NEW.size <= OLD.size) EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER fixes_keep_their_plan BEFORE UPDATE ON fixes FOR EACH ROW"
    " WHEN (NEW.content IS DISTINCT FROM OLD.content OR NEW.plan_digest IS DISTINCT FROM OLD.plan_digest"
    " OR NEW.id IS DISTINCT FROM OLD.id OR NEW.requester IS DISTINCT FROM OLD.requester"
    " OR NEW.expires_at IS DISTINCT FROM OLD.expires_at) EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER votes_no_update BEFORE UPDATE ON votes FOR EACH ROW EXECUTE FUNCTION triagebook_refuse()",
)
_FIRST_HEAD = {
    "sqlite": "INSERT INTO tree_head (id, size, edge, last_leaf) VALUES (1, 0, x'', x'')",
    "postgresql": "INSERT INTO tree_head (id, size, edge, last_leaf) VALUES (1, 0, '', '')",
}


def upgrade() -> None:
    """Make the tables, then what guards them."""
    _fixes()
    _audit()
    dialect = op.get_bind().dialect.name
    for statement in (*(_SQLITE if dialect == "sqlite" else _POSTGRESQL), _FIRST_HEAD[dialect]):
        op.get_bind().exec_driver_sql(statement)


def _fixes() -> None:
    op.create_table(
        "fixes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("lock", sa.String(255), nullable=False),
        sa.Column("risk", sa.String(16), nullable=False),
        sa.Column("runbook", sa.String(160), nullable=False),
        sa.Column("requester", sa.String(255), nullable=False),
        sa.Column("requester_account", sa.String(512), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ({})".format(", ".join(f"'{state}'" for state in _STATES)), name="state"),
    )
    unfinished = sa.text("state IN ('proposed', 'approved', 'running', 'reverting', 'unknown')")
    op.create_index("ix_fixes_unfinished", "fixes", ["created_at"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.create_index("ix_fixes_host", "fixes", ["host"])
    op.create_table(
        "votes",
        sa.Column("fix_id", sa.String(32), sa.ForeignKey("fixes.id"), primary_key=True),
        sa.Column("person", sa.String(255), primary_key=True),
        sa.Column("account", sa.String(512), nullable=False),
        sa.Column("is_yes", sa.Boolean, nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("break_glass", sa.Text, nullable=False),
    )
    op.create_table(
        "host_locks",
        sa.Column("lock", sa.String(255), primary_key=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("fix_id", sa.String(32), sa.ForeignKey("fixes.id"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.Text, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("fix", sa.String(64), nullable=False),
        sa.Column("person", sa.String(255), nullable=False),
    )
    op.create_index("ix_audit_fix", "audit", ["fix"])
    op.create_index("ix_audit_host", "audit", ["host"])
    op.create_table(
        "tree_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sa.Column("last_leaf", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "refusals",
        sa.Column("account", sa.String(512), primary_key=True),
        sa.Column("action", sa.String(64), primary_key=True),
        sa.Column("reason", sa.String(64), primary_key=True),
        sa.Column("fix", sa.String(64), primary_key=True),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("repeats", sa.BigInteger, nullable=False),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
    )
