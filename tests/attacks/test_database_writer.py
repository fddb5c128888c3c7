"""Whoever can write the database can destroy. He can neither approve nor invent, and what he did shows.

The attacker runs any SQL as the database's owner, triggers dropped. He does not have the server's keys.
"""

import pytest
from sqlalchemy import text
from triagebook.runbooks.engine.errors import TriagebookError, TrustError
from triagebook.tools.audit.event import AuditEvent, encode
from triagebook.tools.audit.merkle import leaf_hash
from triagebook.tools.audit.seal import FOREIGN, row_key_of
from triagebook.tools.store import audit_rows
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.times import to_micros

from tests.system.fixes.policies import actor
from tests.system.fixes.samples import NOW
from tests.system.fixes.world import KEY, World

DROP = {
    "sqlite": ("DROP TRIGGER IF EXISTS audit_no_update", "DROP TRIGGER IF EXISTS audit_no_delete"),
    "postgresql": ("DROP TRIGGER IF EXISTS audit_no_change ON audit",),
}


def _vote_sql(world: World, fix_id: str, *, person: str = "bob", break_glass: str = "", seal: str = "ab" * 32) -> str:
    at, digest = to_micros(NOW), world.digest(fix_id)
    yes = "1" if world.store.dialect == "sqlite" else "true"
    return f"INSERT INTO votes VALUES ('{fix_id}', '{person}', 'os:{person}', {yes}, '{digest}', {at}, '{break_glass}', '{seal}')"


def _problems(world: World) -> list[tuple[str, str]]:
    report = world.service.audit_verify(actor("dan"))
    assert report.holds == (not report.problems)
    return [(problem.kind, problem.says) for problem in report.problems]


def _is_refused(world: World, fix_id: str) -> str:
    with pytest.raises(TriagebookError) as refused:
        world.apply(fix_id)
    assert world.executor.effects(fix_id) == []
    return refused.value.reason


@pytest.mark.parametrize("break_glass", ["", "for an emergency"])
@pytest.mark.parametrize("seal", ["", "ab" * 32])
def test_a_vote_put_in_by_sql_approves_nothing_and_shows(attacked: World, break_glass: str, seal: str) -> None:
    fix_id = attacked.propose()
    vote = _vote_sql(attacked, fix_id, break_glass=break_glass, seal=seal)
    attacked.sql(vote, f"UPDATE fixes SET state = 'approved' WHERE id = '{fix_id}'")
    assert _is_refused(attacked, fix_id) == "approval_void"
    assert {kind for kind, _ in _problems(attacked)} == {"fix", "vote"}


def test_a_vote_of_another_fix_is_no_vote_for_this_one(attacked: World) -> None:
    other, fix_id = attacked.approved("web-02"), attacked.propose()
    columns = "person, account, is_yes, plan_digest, at, break_glass, seal"
    copy = f"INSERT INTO votes SELECT '{fix_id}', {columns} FROM votes WHERE fix_id = '{other}'"
    approve = f"UPDATE fixes SET state = 'approved' WHERE id = '{fix_id}'"
    digest = f"UPDATE votes SET plan_digest = (SELECT plan_digest FROM fixes WHERE id = '{fix_id}') WHERE fix_id = '{fix_id}'"
    attacked.sql(copy, approve, digest)
    assert _is_refused(attacked, fix_id) == "approval_void"


def test_a_denial_turned_into_an_approval_is_none(attacked: World) -> None:
    fix_id = attacked.propose()
    attacked.service.deny(actor("bob"), fix_id, attacked.digest(fix_id))
    yes = "1" if attacked.store.dialect == "sqlite" else "true"
    attacked.sql(f"UPDATE votes SET is_yes = {yes}", f"UPDATE fixes SET state = 'approved' WHERE id = '{fix_id}'")
    assert _is_refused(attacked, fix_id) == "approval_void"
    assert {kind for kind, _ in _problems(attacked)} == {"fix", "vote"}


def test_a_state_that_was_set_back_shows_and_nothing_runs_twice(attacked: World) -> None:
    fix_id = attacked.approved()
    assert attacked.apply(fix_id) == "validated"
    assert _problems(attacked) == []
    attacked.sql(f"UPDATE fixes SET state = 'approved' WHERE id = '{fix_id}'")
    assert _problems(attacked) == [("fix", f"fix {fix_id} is approved in the database, and validated by the log")]
    with pytest.raises(TriagebookError) as refused:
        attacked.apply(fix_id)
    assert refused.value.reason == "already_used"
    assert len(attacked.executor.effects(fix_id)) == 1
    for hide in ("UPDATE audit SET fix = '' WHERE action = 'apply'", "DELETE FROM audit WHERE action IN ('apply', 'result')"):
        attacked.sql(*DROP[attacked.store.dialect], hide)
        with pytest.raises(TriagebookError) as refused:
            attacked.apply(fix_id)
        assert refused.value.reason in {"already_used", "audit_broken"}
    assert len(attacked.executor.effects(fix_id)) == 1


def test_a_fix_put_in_by_sql_can_neither_be_approved_nor_applied(attacked: World) -> None:
    fix_id = attacked.approved()
    columns = "content, plan_digest, host, lock, risk, runbook, requester, requester_account, created_at, updated_at, expires_at"
    rest = "owner, lease_until, outcome"
    for forged, state in (("F-forged01", "proposed"), ("F-forged02", "approved")):
        copied = f"'{forged}', '{state}', {columns}, {rest}"
        attacked.sql(f"INSERT INTO fixes (id, state, {columns}, {rest}) SELECT {copied} FROM fixes WHERE id = '{fix_id}'")
    with pytest.raises(TriagebookError) as refused:
        attacked.approve("F-forged01")
    assert refused.value.reason == "not_in_log"
    assert _is_refused(attacked, "F-forged02") == "approval_void"
    assert [kind for kind, _ in _problems(attacked)] == ["fix", "fix"]


def _append(store: Store, event: AuditEvent, *, is_sealed: bool) -> None:
    """Append a row as the server would, by SQL: with the head to match, but not with its key."""
    with store.write() as transaction:
        head = audit_rows.read_head(transaction)
        leaf = encode(event, head.edge.size, head.last_leaf, FOREIGN)
        if not is_sealed:
            leaf = leaf.replace(b"audit/v2", b"audit/v1")
            start = leaf.index(b'"seal"')
            leaf = leaf[:start] + leaf[start + len('"seal":"",') + 64 :]
        hashed = leaf_hash(leaf)
        edge = head.edge.append(hashed)
        row = {"idx": head.edge.size, "leaf": leaf.decode(), "hash": hashed, "at": to_micros(event.at), "fix": event.fix}
        transaction.connection.execute(
            text("INSERT INTO audit VALUES (:idx, :leaf, :hash, :at, 'approve', 'web-01', :fix, 'bob')"), row
        )
        values = {"size": edge.size, "edge": edge.encode(), "last": hashed}
        transaction.connection.execute(text("UPDATE tree_head SET size = :size, edge = :edge, last_leaf = :last"), values)


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_row_that_somebody_else_appended_is_never_signed(attacked: World, database_url: str, is_sealed: bool) -> None:
    fix_id = attacked.propose()
    digest = attacked.digest(fix_id)
    attacked.sql()  # the triggers are gone
    forged = AuditEvent(
        at=NOW, action="approve", outcome="ok", account="os:bob", person="bob", host="web-01", fix=fix_id, plan_digest=digest
    )
    _append(attacked.store, forged, is_sealed=is_sealed)
    with pytest.raises(TrustError, match="does not have its seal") as broken:
        attacked.trust.checkpointer.publish()
    assert broken.value.reason == "audit_broken"
    with pytest.raises(TrustError, match="does not have its seal"):
        attacked.trust.checkpointer.start()
    with pytest.raises(TrustError):  # and nothing runs on such a log
        attacked.apply(fix_id)
    assert attacked.executor.effects(fix_id) == []


def test_a_row_of_the_server_cannot_be_used_again(attacked: World) -> None:
    fix_id = attacked.approved()
    with attacked.store.read() as transaction:
        *_, row = audit_rows.rows(transaction)
        key = transaction.row_key
    assert key.is_sealed(row.leaf)
    for old, new in ((b'"index":1', b'"index":2'), (fix_id.encode(), b"F-00000000"), (b'"bob"', b'"cid"'), (b'"ok"', b'"no"')):
        assert old in row.leaf
        assert not key.is_sealed(row.leaf.replace(old, new))
    assert not row_key_of(KEY).is_sealed(row.leaf.replace(b'"seal":"', b'"seal":"0'))


def test_rows_that_were_removed_show(attacked: World) -> None:
    fix_id = attacked.approved()
    attacked.sql("DELETE FROM votes")
    assert _problems(attacked) == [("vote", f"the vote of bob on fix {fix_id} is in the log and was removed from the database")]
    assert _is_refused(attacked, fix_id) == "approval_void"
    attacked.sql("DELETE FROM fixes")
    assert _problems(attacked) == [("fix", f"fix {fix_id} is in the log and was removed from the database")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fixes SET state = 'validated'",
        "UPDATE fixes SET state = 'running' WHERE state = 'proposed'",
        "DELETE FROM fixes",
        "DELETE FROM votes",
        "VOTE",
        "UPDATE votes SET person = 'cid'",
        "INSERT INTO audit VALUES ((SELECT size FROM tree_head), '{}', '', 0, '', '', '', '')",
    ],
)
def test_sql_itself_refuses_what_no_server_does(attacked: World, statement: str) -> None:
    attacked.approved("web-02")
    fix_id = attacked.propose()
    statement = _vote_sql(attacked, fix_id, person="ann") if statement == "VOTE" else statement
    with pytest.raises(TrustError), attacked.store.write() as transaction:
        transaction.connection.exec_driver_sql(statement)
    assert _problems(attacked) == []


def test_a_vote_of_a_release_before_seals_counts_no_more_and_is_no_alarm(attacked: World) -> None:
    """The step to seals leaves votes without one; the log of that time has rows without one."""
    fix_id = attacked.approved()
    attacked.sql("UPDATE votes SET seal = ''")
    with pytest.raises(TriagebookError, match="before it sealed votes: propose it anew") as refused:
        attacked.apply(fix_id)
    assert refused.value.reason == "approval_void"


def test_every_way_of_a_fix_agrees_with_the_log(attacked: World) -> None:
    service = attacked.service
    done = attacked.approved("web-01")
    attacked.apply(done)
    service.persist(actor("ann"), done)
    undo = service.revert(actor("ann"), done)
    attacked.approve(undo.id)
    attacked.propose(host="web-02")
    denied = attacked.propose(host="web-03")
    service.deny(actor("bob"), denied, attacked.digest(denied))
    withdrawn = attacked.approved("web-04")
    service.withdraw(actor("ann"), withdrawn)
    stale = attacked.approved("web-05")
    attacked.diagnoser.limit = 150
    with pytest.raises(TriagebookError):
        attacked.apply(stale)
    attacked.diagnoser.limit = 100
    late = attacked.propose(host="web-06")
    attacked.clock.pass_(minutes=20)
    with pytest.raises(TriagebookError):
        attacked.approve(late)
    assert attacked.state(late) == "expired"
    attacked.clock.pass_(minutes=-20)
    with pytest.raises(TriagebookError) as refused:  # also after a clock was set back
        attacked.approve(late)
    assert refused.value.reason == "expired"
    assert _problems(attacked) == []


def test_a_store_without_the_key_can_write_nothing_that_counts(attacked: World, database_url: str) -> None:
    fix_id = attacked.propose()
    foreign = open_store(database_url)
    with foreign.write() as transaction:
        audit_rows.append(transaction, AuditEvent(at=NOW, action="approve", outcome="ok", fix=fix_id, person="bob"))
    foreign.close()
    with pytest.raises(TrustError, match="does not have its seal"):
        attacked.trust.checkpointer.publish()
