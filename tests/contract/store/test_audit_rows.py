import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.event import Head, decode
from triagebook.tools.audit.merkle import edge_of, leaf_hash
from triagebook.tools.store import audit_rows, refusal_rows
from triagebook.tools.store.database import Store, Transaction
from triagebook.tools.store.schema import metadata, refusals

from tests.contract.store import samples
from tests.contract.store.samples import NOW
from tests.hang import GUARD_S


def test_rows_form_one_tree_also_when_eight_threads_append(store: Store) -> None:
    def append() -> None:
        for number in range(25):
            with store.write() as transaction:
                audit_rows.append(transaction, samples.event(f"event {number}"))

    threads = [threading.Thread(target=append) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
    with store.read() as transaction:
        head, rows = audit_rows.read_head(transaction), list(audit_rows.rows(transaction))
    hashes = [leaf_hash(row.leaf) for row in rows]
    assert [row.index for row in rows] == list(range(200))
    assert [row.leaf_hash for row in rows] == hashes
    assert head == Head(edge_of(hashes), hashes[-1])
    assert [decode(row.leaf)[1:] for row in rows] == list(enumerate([b"", *hashes[:-1]]))


def test_appending_costs_the_same_whatever_the_length_of_the_log(store: Store) -> None:
    from sqlalchemy import event

    statements: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    counts = []
    for _ in range(130):
        statements.clear()
        with store.write() as transaction:
            audit_rows.append(transaction, samples.event())
        counts.append(len(statements))
    assert max(counts) == min(counts)
    assert not [text for text in statements if "FROM audit" in text]


def test_a_secret_is_never_stored(store: Store) -> None:
    with store.write() as transaction:
        event = samples.event("propose", host="web-01")
        detail = {
            "command": "app --password=CaNaRy1 --x",
            "url": "https://u:CaNaRy2@h.example/",
            "key": "AKIA" + "Z" * 16,
        }
        audit_rows.append(transaction, type(event)(**{**vars(event), "detail": detail, "reason": "token=CaNaRy3"}))
        dump = [
            str(row)
            for table in metadata.sorted_tables
            for row in transaction.connection.execute(text(f"SELECT * FROM {table.name}"))
        ]
    assert "***" in "".join(dump)
    assert not [row for row in dump if "CaNaRy" in row or "AKIA" in row]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET leaf = '{}' WHERE idx = 1",
        "UPDATE audit SET action = 'other'",
        "DELETE FROM audit WHERE idx = 2",
        "INSERT INTO audit VALUES (7, '{}', '', 0, '', '', '', '')",
        "INSERT INTO audit VALUES (1, '{}', '', 0, '', '', '', '')",
        "UPDATE tree_head SET size = 2",
        "DELETE FROM tree_head",
        "UPDATE checkpoints SET note = 'x'",
        "DELETE FROM checkpoints",
        "UPDATE fixes SET content = '[]'",
        "UPDATE fixes SET plan_digest = 'e'",
        "UPDATE fixes SET requester = 'bob'",
        "UPDATE fixes SET expires_at = 9000000000000000",
        "UPDATE fixes SET state = 'done'",
    ],
)
def test_sql_itself_refuses_to_rewrite_history(store: Store, statement: str) -> None:
    samples.stored(store)
    with store.write() as transaction:
        audit_rows.append(transaction, samples.event())
        audit_rows.append(transaction, samples.event())
        audit_rows.add_checkpoint(transaction, 3, "note", NOW)
    with pytest.raises(TrustError), store.write() as transaction:
        transaction.connection.exec_driver_sql(statement)


def test_sqlite_refuses_to_replace_an_audit_row(store: Store) -> None:
    if store.dialect != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's")
    samples.stored(store)
    with pytest.raises(TrustError), store.write() as transaction:
        transaction.connection.exec_driver_sql("INSERT OR REPLACE INTO audit VALUES (0, '{}', x'', 0, '', '', '', '')")


def _repeats(transaction: Transaction) -> int:
    """How many repetitions are counted and not in the log yet."""
    return sum(transaction.connection.execute(select(refusals.c.repeats)).scalars())


def test_repeated_refusals_of_one_actor_are_counted_and_not_appended_singly(store: Store) -> None:
    refused = samples.event("approve", account="os:eve", fix="F-1", reason="self_approval")
    for second in range(50):
        with store.write() as transaction:
            refusal_rows.record(transaction, type(refused)(**{**vars(refused), "at": NOW + timedelta(seconds=second)}))
    assert samples.audit_size(store) == 1
    with store.write() as transaction:
        refusal_rows.close_windows(transaction, NOW + timedelta(minutes=9))
        assert _repeats(transaction) == 49
        refusal_rows.close_windows(transaction, NOW + timedelta(minutes=11))
        assert _repeats(transaction) == 0
        rows = list(audit_rows.rows(transaction))
    summary = decode(rows[-1].leaf)[0]
    assert (len(rows), summary.reason, summary.detail["repeated"]) == (2, "self_approval", "49")


def test_another_actor_another_reason_and_another_fix_are_refused_on_rows_of_their_own(store: Store) -> None:
    base = {"account": "os:eve", "fix": "F-1", "reason": "self_approval"}
    for change in ({}, {"account": "os:mallory"}, {"reason": "expired"}, {"fix": "F-2"}, {}):
        with store.write() as transaction:
            refusal_rows.record(transaction, samples.event("approve", **{**base, **change}))
    assert samples.audit_size(store) == 4


def test_a_refusal_after_the_window_has_a_row_again_and_the_old_count_before_it(store: Store) -> None:
    for minute in (0, 1, 2, 11):
        with store.write() as transaction:
            at = NOW + timedelta(minutes=minute)
            refusal_rows.record(transaction, samples.event("approve", at=at, account="os:eve", reason="expired"))
    with store.read() as transaction:
        details = [dict(decode(row.leaf)[0].detail) for row in audit_rows.rows(transaction)]
    assert [detail.get("repeated") for detail in details] == [None, "2", None]
