import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.audit.anchors import FileAnchor, SyslogAnchor
from triagebook.tools.audit.event import AuditEvent
from triagebook.tools.audit.note import Checkpoint, verify
from triagebook.tools.audit.seal import row_key_of
from triagebook.tools.store import audit_rows
from triagebook.tools.store.checkpointer import Checkpointer
from triagebook.tools.store.database import Store, open_store

from tests.databases import open_current
from tests.system.fixes.samples import NOW

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
Make = Callable[[], Checkpointer]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'triagebook.db'}"
    open_current(url)
    opened = open_store(url, row_key=row_key_of(KEY))
    yield opened
    opened.close()


@pytest.fixture
def make(store: Store, tmp_path: Path) -> Make:
    """A checkpointer as a process has it after its start."""

    def made() -> Checkpointer:
        checkpointer = Checkpointer(store, KEY, "triagebook.example", [FileAnchor(tmp_path / "anchor")], lambda: NOW)
        checkpointer.start()
        return checkpointer

    return made


def append(store: Store, count: int, person: str = "bob") -> None:
    for _ in range(count):
        with store.write() as transaction:
            audit_rows.append(transaction, AuditEvent(at=NOW, action="approve", outcome="ok", person=person))


def tamper(store: Store, *statements: str) -> None:
    """What the owner of the database can do: away with the triggers, then anything."""
    with store.write() as transaction:
        connection = transaction.connection
        names = [row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()]
        for statement in (*(f"DROP TRIGGER {name}" for name in names), *statements):
            connection.exec_driver_sql(statement)


def rewind(store: Store, size: int) -> None:
    """Cut the tail, with a head to match: what an attacker who knows the format does."""
    from triagebook.tools.audit.merkle import edge_of

    with store.read() as transaction:
        hashes = audit_rows.leaf_hashes(transaction, 0, size)
    edge = edge_of(hashes)
    tamper(
        store,
        f"DELETE FROM audit WHERE idx >= {size}",
        f"DELETE FROM checkpoints WHERE size > {size}",
        "DELETE FROM signed_head",
        f"UPDATE tree_head SET size = {size}, edge = x'{edge.encode().hex()}', last_leaf = x'{hashes[-1].hex()}'",
    )


def test_a_checkpoint_covers_every_committed_row_and_is_anchored_before_it_is_returned(
    store: Store, make: Make, tmp_path: Path
) -> None:
    append(store, 5)
    checkpointer = make()
    checkpoint = checkpointer.publish()
    assert verify(checkpoint.note, checkpointer.vkey).size == 5
    assert [json.loads(line)["note"] for line in (tmp_path / "anchor").read_text().splitlines()] == [checkpoint.note]


def test_nothing_new_is_not_signed_again(store: Store, make: Make, tmp_path: Path) -> None:
    append(store, 1)
    checkpointer = make()
    assert checkpointer.publish() is checkpointer.publish()
    assert len((tmp_path / "anchor").read_text().splitlines()) == 1


def test_a_cut_tail_is_not_signed_by_the_running_process(store: Store, make: Make) -> None:
    append(store, 5)
    checkpointer = make()
    checkpointer.publish()
    rewind(store, 3)
    append(store, 4, "mallory")
    with pytest.raises(TrustError, match="did not grow") as refused:
        checkpointer.publish()
    assert refused.value.reason == "audit_broken"


def test_a_cut_tail_stops_the_next_start_because_of_the_anchor_alone(store: Store, make: Make) -> None:
    append(store, 5)
    make().publish()
    rewind(store, 3)
    with pytest.raises(TrustError, match="tail was cut"):
        make()


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE audit SET leaf = replace(leaf, '"ok"', '"failed"') WHERE idx = 2""",
        "DELETE FROM audit WHERE idx = 2",
        "UPDATE tree_head SET last_leaf = x''",
        "DELETE FROM tree_head",
        "UPDATE checkpoints SET note = replace(note, 'triagebook', 'triagebooc')",
    ],
)
def test_any_tampering_stops_the_next_start(store: Store, make: Make, statement: str) -> None:
    append(store, 5)
    make().publish()
    tamper(store, statement)
    with pytest.raises(TrustError) as refused:
        make()
    assert refused.value.reason == "audit_broken"


def test_an_edit_among_new_rows_is_not_signed(store: Store, make: Make) -> None:
    append(store, 2)
    checkpointer = make()
    append(store, 3)
    tamper(store, """UPDATE audit SET leaf = replace(leaf, '"ok"', '"failed"') WHERE idx = 3""")
    with pytest.raises(TrustError, match="did not grow"):
        checkpointer.publish()


def test_a_removed_anchor_is_reported(store: Store, make: Make, tmp_path: Path) -> None:
    append(store, 2)
    make().publish()
    (tmp_path / "anchor").unlink()
    with pytest.raises(TrustError, match="anchor was removed"):
        make()


def test_an_anchor_that_cannot_be_written_stops_the_signing(store: Store, tmp_path: Path) -> None:
    checkpointer = Checkpointer(store, KEY, "x", [FileAnchor(tmp_path / "no" / "anchor")], lambda: NOW)
    append(store, 1)
    with pytest.raises(TrustError) as refused:
        checkpointer.publish()
    assert refused.value.reason == "anchor"
    with store.read() as transaction:
        assert audit_rows.checkpoint_notes(transaction) == []


def test_a_line_cut_by_a_crash_does_not_hide_the_others(tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path / "anchor")
    anchor.keep(Checkpoint("x", 1, b"", "first"))
    with (tmp_path / "anchor").open("a") as file:
        file.write('{"size": 2, "no\n[1]\n\x00\n')
    anchor.keep(Checkpoint("x", 3, b"", "third"))
    assert anchor.notes() == ["first", "third"]
    assert (tmp_path / "anchor").stat().st_mode & 0o777 == 0o600


def test_an_anchor_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anchor").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrustError):
        FileAnchor(tmp_path / "anchor").keep(Checkpoint("x", 1, b"", "first"))


def test_the_system_log_gets_the_whole_note_on_one_line() -> None:
    lines: list[str] = []
    SyslogAnchor(lambda _priority, text: lines.append(text)).keep(Checkpoint("x", 7, b"", "a\nb\n"))
    assert lines == ["triagebook audit checkpoint 7 YQpiCg=="]


def test_a_checkpoint_somebody_kept_is_compared_too(store: Store, make: Make, tmp_path: Path) -> None:
    append(store, 5)
    kept = make().publish().note
    rewind(store, 3)
    (tmp_path / "anchor").unlink()
    append(store, 1)
    checkpointer = make()
    assert checkpointer.report().holds
    assert checkpointer.report([kept]).problems[0].kind == "cut_tail"
    with contextlib.suppress(TrustError):
        assert not checkpointer.report(["garbage"]).holds
