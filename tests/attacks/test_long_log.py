"""A long log: the start reads its end only, and what was changed further back is found beside the work."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from triagebook.runbooks.engine.errors import TrustError, UsageError
from triagebook.tools.audit.anchors import FileAnchor
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.seal import row_key_of
from triagebook.tools.store import audit_rows, checkpointer
from triagebook.tools.store.checkpointer import STORED_EVERY, Checkpointer
from triagebook.tools.store.database import Store, open_store
from triagebook.tools.store.schema import checkpoints

from tests.databases import open_current
from tests.system.fixes.samples import NOW
from tests.system.fixes.world import KEY

ROWS = 150
Make = Callable[[], Checkpointer]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    open_current(database_url)
    opened = open_store(database_url, row_key=row_key_of(KEY))
    yield opened
    opened.close()


@pytest.fixture
def make(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A server that takes fifty rows for a long log; it has written and signed 150."""
    monkeypatch.setattr(checkpointer, "WHOLE_ROWS", 50)

    def made() -> Checkpointer:
        return Checkpointer(store, KEY, "triagebook.example", [FileAnchor(tmp_path / "anchor")], lambda: NOW)

    first = made()
    first.start()
    for number in range(0, ROWS, 15):
        _append(store, *map(str, range(number, number + 15)))
        first.publish()
    return made


def _append(store: Store, *hosts: str) -> None:
    with store.write() as transaction:
        for host in hosts:
            audit_rows.append(transaction, AuditEvent(at=NOW, action="test", outcome="ok", host=host))


def _tamper(store: Store, *statements: str) -> None:
    with store.write() as transaction:
        connection = transaction.connection
        if store.dialect == "sqlite":
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
            for name in names:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            for table in ("audit", "tree_head", "checkpoints"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement


def test_a_start_reads_the_end_of_a_long_log(store: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    _append(store, "not signed yet")
    read: list[int] = []
    real = audit_rows.rows

    def counted(*arguments: object) -> object:
        for row in real(*arguments):  # type: ignore[arg-type]
            read.append(row.index)
            yield row

    monkeypatch.setattr(audit_rows, "rows", counted)
    started = make()
    report = started.start()
    assert (report.holds, report.size, report.since) == (True, ROWS + 1, ROWS)
    assert len(read) <= 4
    started.verify_whole()
    assert len(read) > ROWS
    assert started.publish().size == ROWS + 1


def test_a_change_far_back_is_found_beside_the_work_and_ends_the_signing(store: Store, make: Make) -> None:
    _tamper(store, """UPDATE audit SET leaf = replace(leaf, '"ok"', '"no"') WHERE idx = 17""")
    started = make()
    assert started.start().since == ROWS
    _append(store, "meanwhile")
    assert started.publish().size == ROWS + 1
    started.verify_whole()
    _append(store, "afterwards")
    for call in (started.publish, started.check):
        with pytest.raises(TrustError, match="row 17 was edited"):
            call()


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE audit SET leaf = replace(leaf, '"ok"', '"no"') WHERE idx = 151""",
        "DELETE FROM audit WHERE idx = 151",
        "UPDATE tree_head SET last_leaf = edge",
        "UPDATE signed_head SET note = replace(note, 'triagebook', 'triagebooc')",
    ],
)
def test_a_change_of_the_end_stops_the_start(store: Store, make: Make, statement: str) -> None:
    for number in range(3):
        _append(store, f"not signed yet {number}")
    _tamper(store, statement)
    with pytest.raises(TrustError) as broken:
        make().start()
    assert broken.value.reason == "audit_broken"


@pytest.mark.parametrize(
    "statement", ["UPDATE signed_head SET edge = leaf_hash FROM audit WHERE idx = 0", "DELETE FROM signed_head"]
)
def test_an_edge_that_is_not_the_signed_one_is_not_begun_with(store: Store, make: Make, statement: str) -> None:
    _tamper(store, statement)
    report = make().start()
    assert (report.holds, report.since) == (True, 0)


def test_an_older_head_put_back_is_a_cut_tail(store: Store, make: Make, tmp_path: Path) -> None:
    with store.read() as transaction:
        head, signed = audit_rows.read_head(transaction), audit_rows.read_signed_head(transaction)
    assert signed is not None
    started = make()
    started.start()
    _append(store, "to be cut")
    started.publish()
    _tamper(
        store,
        f"DELETE FROM audit WHERE idx >= {ROWS}",
        f"UPDATE tree_head SET size = {ROWS}, edge = {_hex(store, head.edge.encode())}, last_leaf = {_hex(store, head.last_leaf)}",
        f"UPDATE signed_head SET size = {ROWS}, edge = {_hex(store, signed[0].encode())}, note = '{signed[1]}'",
    )
    with pytest.raises(TrustError, match="tail was cut"):
        make().start()


def _hex(store: Store, content: bytes) -> str:
    return f"x'{content.hex()}'" if store.dialect == "sqlite" else f"decode('{content.hex()}', 'hex')"


def test_a_verification_since_a_row_begins_there(store: Store, make: Make) -> None:
    started = make()
    started.start()
    report = started.report(since=100)
    assert (report.holds, report.size, report.since) == (True, ROWS, 100)
    with pytest.raises(UsageError):
        started.report(since=ROWS + 1)
    _tamper(store, """UPDATE audit SET leaf = replace(leaf, '"ok"', '"no"') WHERE idx = 120""")
    assert [problem.row for problem in started.report(since=100).problems][:1] == [120]
    _tamper(store, f"UPDATE audit SET leaf_hash = {_hex(store, bytes(32))} WHERE idx = 3")
    assert started.report(since=130).problems[0].kind == "rewritten"


def test_the_database_keeps_few_checkpoints_for_good(store: Store, make: Make, tmp_path: Path) -> None:
    make().start()
    with store.read() as transaction:
        count = transaction.connection.execute(select(func.count()).select_from(checkpoints)).scalar_one()
    assert count <= ROWS / STORED_EVERY + 2
    assert len((tmp_path / "anchor").read_text().splitlines()) == ROWS / 15
