"""What SQL itself refuses: changing or removing an audit row, a gap, a shrinking tree, another plan for a fix, a move that
the table of moves does not have, a vote without a seal or on a plan that is not open, a row without a seal.

They stop mistakes and casual edits. Who owns the database can drop them: that is what seals and signed checkpoints are for.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import DDL, Connection, MetaData, event
from triagebook.tools.store.fix_states import MOVES

_MOVES = ", ".join(sorted(f"'{before} {after}'" for before, moves in MOVES.items() for after in moves))
_OPEN_PLAN = (
    "(SELECT 1 FROM fixes WHERE id = NEW.fix_id AND state = 'proposed' AND plan_digest = NEW.plan_digest"
    " AND (requester <> NEW.person OR NEW.break_glass <> ''))"
)

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
_FIRST_HEAD = {
    "sqlite": "INSERT INTO tree_head (id, size, edge, last_leaf) VALUES (1, 0, x'', x'')",
    "postgresql": "INSERT INTO tree_head (id, size, edge, last_leaf) VALUES (1, 0, '', '')",
}


def attach_triggers(metadata: MetaData) -> None:
    """Make the triggers and the one row of `tree_head` part of `metadata.create_all`."""
    for dialect, statements in (("sqlite", _SQLITE), ("postgresql", _POSTGRESQL)):
        for statement in (*statements, _FIRST_HEAD[dialect]):
            ddl = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(metadata, "after_create", ddl.execute_if(dialect=dialect))


@contextmanager
def suspend_append_only(connection: Connection) -> Iterator[None]:
    """Let this transaction update audit rows until the block ends. Nobody else sees the table without its trigger."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER audit_no_change")
        yield
        connection.exec_driver_sql("ALTER TABLE audit ENABLE TRIGGER audit_no_change")
        return
    name = "audit_no_update"
    (statement,) = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).one()
    connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    connection.exec_driver_sql(statement)
