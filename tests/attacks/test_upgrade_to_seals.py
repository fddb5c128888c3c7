"""A database of a release before seals is brought up: it holds, what waited is proposed anew, what was done stays."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from triagebook.runbooks.engine.errors import TriagebookError, TrustError
from triagebook.tools.audit.anchors import FileAnchor
from triagebook.tools.audit.event import encode
from triagebook.tools.audit.merkle import Edge, leaf_hash
from triagebook.tools.audit.note import Checkpoint, sign
from triagebook.tools.store.database import open_engine
from triagebook.tools.times import to_micros

from tests.contract.store.test_jobs_migration import upgrade_to
from tests.system.fixes.policies import actor
from tests.system.fixes.samples import NOW
from tests.system.fixes.world import KEY, World, build

FIXES = "id, state, content, plan_digest, host, lock, risk, runbook, requester, requester_account, created_at, updated_at"
FIXES += ", expires_at, owner, lease_until, outcome"
VOTES = "fix_id, person, account, is_yes, plan_digest, at, break_glass"


def _unsealed(leaf: bytes) -> bytes:
    return re.sub(rb'"seal":"[0-9a-f]{64}",', b"", leaf).replace(b"triagebook/audit/v2", b"triagebook/audit/v1")


def _make_old(url: str, source: World, anchor: Path) -> None:
    """The database that the release before would have made of the same requests."""
    upgrade_to(url, "0004")
    with source.store.read() as transaction:
        rows = {
            table: transaction.connection.execute(text(f"SELECT {names} FROM {table}")).mappings().all()
            for table, names in (("fixes", FIXES), ("votes", VOTES))
        }
    edge, previous, leaves = Edge(), b"", []
    for index, event in enumerate(source.events()):
        leaf = _unsealed(encode(event, index, previous))
        previous = leaf_hash(leaf)
        leaves.append((event, leaf, previous, edge := edge.append(previous)))
    engine = open_engine(url)
    with engine.connect().execution_options(is_write=True) as connection, connection.begin():
        for table, names in (("fixes", FIXES), ("votes", VOTES)):
            values = ", ".join(f":{name}" for name in names.split(", "))
            for row in rows[table]:
                given = {**row, **({"is_yes": bool(row["is_yes"])} if table == "votes" else {})}
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), given)
        for index, (event, leaf, hashed, grown) in enumerate(leaves):
            told = {"i": index, "leaf": leaf.decode(), "h": hashed, "at": to_micros(event.at), "a": event.action}
            more = {"host": event.host, "fix": event.fix, "p": event.person}
            connection.execute(text("INSERT INTO audit VALUES (:i, :leaf, :h, :at, :a, :host, :fix, :p)"), {**told, **more})
            head = {"s": index + 1, "e": grown.encode(), "l": hashed}
            connection.execute(text("UPDATE tree_head SET size = :s, edge = :e, last_leaf = :l"), head)
        checkpoint = sign(Checkpoint("triagebook.example", edge.size, edge.root()), KEY)
        kept = {"s": edge.size, "n": checkpoint.note, "at": to_micros(NOW)}
        connection.execute(text("INSERT INTO checkpoints VALUES (:s, :n, :at)"), kept)
    engine.dispose()
    FileAnchor(anchor).keep(checkpoint)


def test_a_database_of_the_release_before_goes_on(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "new").mkdir()
    source = build(f"sqlite:///{tmp_path / 'source.db'}", tmp_path / "source")
    done, waiting, proposed = source.approved("web-01"), source.approved("web-02"), source.propose(host="web-03")
    assert source.apply(done) == "validated"
    _make_old(database_url, source, tmp_path / "new" / "anchor-one")
    source.store.close()

    world = build(database_url, tmp_path / "new")
    report = world.service.audit_verify(actor("dan"))
    assert (report.holds, report.warnings) == (True, ())
    assert world.state(done) == "validated"
    with pytest.raises(TriagebookError, match="propose it anew") as refused:
        world.apply(waiting)
    assert refused.value.reason == "approval_void"
    with pytest.raises(TriagebookError, match="propose it anew") as refused:
        world.approve(proposed)
    assert refused.value.reason == "not_in_log"
    undo = world.service.revert(actor("ann"), done)
    assert world.approve(undo.id) == "approved"
    assert world.apply(world.approved("web-04")) == "validated"
    assert world.service.audit_verify(actor("dan")).holds
    world.store.close()


def test_a_row_without_a_seal_is_refused_after_the_first_that_has_one(database_url: str, tmp_path: Path) -> None:
    world = build(database_url, tmp_path)
    world.propose()
    world.sql()
    event = world.last()
    with world.store.write() as transaction:
        head = transaction.connection.execute(text("SELECT size, last_leaf FROM tree_head")).one()
        leaf = _unsealed(encode(event, head.size, bytes(head.last_leaf)))
        told = {"i": head.size, "leaf": leaf.decode(), "h": leaf_hash(leaf)}
        transaction.connection.execute(text("INSERT INTO audit VALUES (:i, :leaf, :h, 0, '', '', '', '')"), told)
        edge = world.trust.checkpointer._signed.append(leaf_hash(leaf))
        grown = {"s": edge.size, "e": edge.encode(), "l": leaf_hash(leaf)}
        transaction.connection.execute(text("UPDATE tree_head SET size = :s, edge = :e, last_leaf = :l"), grown)
    with pytest.raises(TrustError, match="does not have its seal"):
        world.trust.checkpointer.start()
    world.store.close()
