"""What SQL lets a fix do: an execution that never began gives the approval back (running -> approved)."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOVE_PAIRS = (
    "proposed approved", "proposed denied", "proposed withdrawn", "proposed expired", "approved running", "approved withdrawn",
    "approved expired", "approved stale", "running validated", "running unresolved", "running reverted", "running failed",
    "running unknown", "running approved", "unknown validated", "unknown unresolved", "unknown reverted", "unknown failed",
    "validated reverting", "unresolved reverting", "reverting reverted", "reverting failed", "reverting unknown",
)  # fmt: skip
_MOVES = ", ".join(f"'{pair}'" for pair in sorted(MOVE_PAIRS))
_SQLITE = (
    "DROP TRIGGER fixes_move_by_the_table",
    "CREATE TRIGGER fixes_move_by_the_table BEFORE UPDATE ON fixes"
    f" WHEN NEW.state IS NOT OLD.state AND OLD.state || ' ' || NEW.state NOT IN ({_MOVES})"
    " BEGIN SELECT RAISE(ABORT, 'no such move of a fix'); END",
)
_POSTGRESQL = (
    "DROP TRIGGER fixes_move_by_the_table ON fixes",
    "CREATE TRIGGER fixes_move_by_the_table BEFORE UPDATE ON fixes FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state"
    f" AND OLD.state || ' ' || NEW.state NOT IN ({_MOVES})) EXECUTE FUNCTION triagebook_refuse()",
)


def upgrade() -> None:
    """Make the trigger anew."""
    connection = op.get_bind()
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
