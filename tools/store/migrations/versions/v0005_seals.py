"""A seal on each vote, the edge of the tree at a checkpoint, and what SQL refuses: other moves, votes and rows without a seal.

Votes and audit rows that are there already have no seal: nobody can say any more whether the server wrote them. So an approval
that was given before this step counts no more (its plan is proposed anew, which it would have to be within a day), while what was
done stays readable, and an audit row without a seal is accepted only before the first one that has one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOVE_PAIRS = (
    "proposed approved", "proposed denied", "proposed withdrawn", "proposed expired", "approved running", "approved withdrawn",
    "approved expired", "approved stale", "running validated", "running unresolved", "running reverted", "running failed",
    "running unknown", "unknown validated", "unknown unresolved", "unknown reverted", "unknown failed", "validated reverting",
    "unresolved reverting", "reverting reverted", "reverting failed", "reverting unknown",
)  # fmt: skip
_MOVES = ", ".join(f"'{pair}'" for pair in sorted(MOVE_PAIRS))
_OPEN_PLAN = (
    "(SELECT 1 FROM fixes WHERE id = NEW.fix_id AND state = 'proposed' AND plan_digest = NEW.plan_digest"
    " AND (requester <> NEW.person OR NEW.break_glass <> ''))"
)
_VOTES_NO_UPDATE = "CREATE TRIGGER votes_no_update BEFORE UPDATE ON votes BEGIN SELECT RAISE(ABORT, 'a vote stands'); END"
_SQLITE = (
    "CREATE TRIGGER fixes_begin_proposed BEFORE INSERT ON fixes WHEN NEW.state IS NOT 'proposed'"
    " BEGIN SELECT RAISE(ABORT, 'a fix begins as proposed'); END",
    "CREATE TRIGGER fixes_move_by_the_table BEFORE UPDATE ON fixes"
    f" WHEN NEW.state IS NOT OLD.state AND OLD.state || ' ' || NEW.state NOT IN ({_MOVES})"
    " BEGIN SELECT RAISE(ABORT, 'no such move of a fix'); END",
    "CREATE TRIGGER fixes_no_delete BEFORE DELETE ON fixes BEGIN SELECT RAISE(ABORT, 'a fix stays'); END",
    "CREATE TRIGGER votes_on_an_open_plan BEFORE INSERT ON votes WHEN length(NEW.seal) <> 64 OR NOT EXISTS"
    f" {_OPEN_PLAN} BEGIN SELECT RAISE(ABORT, 'no such vote'); END",
    "CREATE TRIGGER votes_no_delete BEFORE DELETE ON votes BEGIN SELECT RAISE(ABORT, 'a vote stands'); END",
    'CREATE TRIGGER audit_sealed BEFORE INSERT ON audit WHEN instr(NEW.leaf, \'"seal":"\') = 0'
    " BEGIN SELECT RAISE(ABORT, 'audit rows are sealed'); END",
)
_POSTGRESQL = (
    "CREATE FUNCTION triagebook_vote_on_an_open_plan() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN IF length(NEW.seal) <> 64 OR NOT EXISTS {_OPEN_PLAN}"
    " THEN RAISE EXCEPTION 'no such vote'; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER fixes_begin_proposed BEFORE INSERT ON fixes FOR EACH ROW"
    " WHEN (NEW.state IS DISTINCT FROM 'proposed') EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER fixes_move_by_the_table BEFORE UPDATE ON fixes FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state"
    f" AND OLD.state || ' ' || NEW.state NOT IN ({_MOVES})) EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER fixes_no_delete BEFORE DELETE OR TRUNCATE ON fixes FOR EACH STATEMENT EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER votes_on_an_open_plan BEFORE INSERT ON votes FOR EACH ROW EXECUTE FUNCTION triagebook_vote_on_an_open_plan()",
    "CREATE TRIGGER votes_no_delete BEFORE DELETE OR TRUNCATE ON votes FOR EACH STATEMENT EXECUTE FUNCTION triagebook_refuse()",
    "CREATE TRIGGER audit_sealed BEFORE INSERT ON audit FOR EACH ROW"
    ' WHEN (position(\'"seal":"\' in NEW.leaf) = 0) EXECUTE FUNCTION triagebook_refuse()',
)


def upgrade() -> None:
    """Add the seal of votes, then the triggers."""
    connection = op.get_bind()
    op.create_table(
        "signed_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    if connection.dialect.name == "sqlite":
        _remake_votes(connection)
        for statement in (_VOTES_NO_UPDATE, *_SQLITE):
            connection.exec_driver_sql(statement)
        return
    op.add_column("votes", sa.Column("seal", sa.String(64), nullable=False, server_default=""))
    op.alter_column("votes", "seal", server_default=None)
    for statement in _POSTGRESQL:
        connection.exec_driver_sql(statement)


def _remake_votes(connection: sa.Connection) -> None:
    """SQLite cannot add a column that may not be NULL and has no default; the table is made anew."""
    op.rename_table("votes", "votes_0004")
    op.create_table(
        "votes",
        sa.Column("fix_id", sa.String(32), sa.ForeignKey("fixes.id"), primary_key=True),
        sa.Column("person", sa.String(255), primary_key=True),
        sa.Column("account", sa.String(512), nullable=False),
        sa.Column("is_yes", sa.Boolean, nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("break_glass", sa.Text, nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
    )
    connection.exec_driver_sql("INSERT INTO votes SELECT *, '' FROM votes_0004")
    op.drop_table("votes_0004")
