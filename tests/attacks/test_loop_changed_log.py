"""Somebody changes one thing of the database or the anchor, at random: the server does not start, or says what differs."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.audit.anchors import FileAnchor
from triagebook.tools.audit.merkle import edge_of
from triagebook.tools.audit.seal import row_key_of
from triagebook.tools.store.checkpointer import Checkpointer
from triagebook.tools.store.database import open_store

from tests.attacks.budget import Attack
from tests.attacks.long_log import extend
from tests.databases import open_current
from tests.system.fixes.samples import NOW
from tests.system.fixes.world import KEY

ROWS = 60


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of sixty rows with an anchor that has a checkpoint of each."""
    folder = tmp_path_factory.mktemp("original")
    url = f"sqlite:///{folder / 'log.db'}"
    open_current(url)
    extend(url, KEY, "log", folder / "anchor", ROWS)
    with contextlib.closing(sqlite3.connect(folder / "log.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.commit()
    return folder


def _edit_leaf(database: sqlite3.Connection, _anchor: Path, random: Random) -> None:
    row = random.randrange(ROWS)
    (leaf,) = database.execute("SELECT leaf FROM audit WHERE idx = ?", (row,)).fetchone()
    at = random.randrange(len(leaf))
    changed = leaf[:at] + chr((ord(leaf[at]) + random.randint(1, 90)) % 127) + leaf[at + 1 :]
    database.execute("UPDATE audit SET leaf = ? WHERE idx = ?", (changed, row))


def _edit_hash(database: sqlite3.Connection, _anchor: Path, random: Random) -> None:
    database.execute("UPDATE audit SET leaf_hash = ? WHERE idx = ?", (random.randbytes(32), random.randrange(ROWS)))


def _delete(database: sqlite3.Connection, _anchor: Path, random: Random) -> None:
    first = random.randrange(ROWS)
    database.execute("DELETE FROM audit WHERE idx BETWEEN ? AND ?", (first, random.randrange(first, ROWS)))


def _swap(database: sqlite3.Connection, _anchor: Path, random: Random) -> None:
    one, two = random.sample(range(ROWS), 2)
    for before, after in ((one, -1), (two, one), (-1, two)):
        database.execute("UPDATE audit SET idx = ? WHERE idx = ?", (after, before))


def _cut(database: sqlite3.Connection, _anchor: Path, random: Random) -> None:
    """The tail with the head of the shorter tree, as whoever can count makes it."""
    size = random.randrange(1, ROWS)
    hashes = [row[0] for row in database.execute("SELECT leaf_hash FROM audit ORDER BY idx")][:size]
    database.execute("DELETE FROM audit WHERE idx >= ?", (size,))
    database.execute("UPDATE tree_head SET size = ?, edge = ?, last_leaf = ?", (size, edge_of(hashes).encode(), hashes[-1]))
    database.execute("DELETE FROM checkpoints WHERE size > ?", (size,))
    database.execute("DELETE FROM signed_head")


def _edit_head(database: sqlite3.Connection, _anchor: Path, random: Random) -> None:
    column = random.choice(("edge", "last_leaf"))
    (value,) = database.execute(f"SELECT {column} FROM tree_head").fetchone()
    database.execute(f"UPDATE tree_head SET {column} = ?", (random.randbytes(len(value)),))


def _cut_anchor(_database: sqlite3.Connection, anchor: Path, random: Random) -> None:
    lines = anchor.read_text().splitlines(keepends=True)
    anchor.write_text("".join(lines[: random.randrange(1, ROWS)]))


def _forge_checkpoint(_database: sqlite3.Connection, anchor: Path, random: Random) -> None:
    lines = anchor.read_text().splitlines()
    at = random.randrange(ROWS)
    record = json.loads(lines[at])
    note = record["note"].splitlines()
    note[2] = note[2][::-1] if note[2] != note[2][::-1] else "AAAA"
    lines[at] = json.dumps({**record, "note": "\n".join(note) + "\n"})
    anchor.write_text("\n".join(lines) + "\n")


CHANGES: tuple[Callable[[sqlite3.Connection, Path, Random], None], ...] = (
    *(_edit_leaf, _edit_hash, _delete, _swap, _cut, _edit_head, _cut_anchor, _forge_checkpoint),
)


def test_no_change_of_the_log_or_of_the_anchor_is_unseen(attack: Attack, original: Path, tmp_path: Path) -> None:
    for number in attack.rounds(24):
        with attack.round(number) as random:
            change = CHANGES[number % len(CHANGES)]
            for name in ("log.db", "anchor"):
                shutil.copy2(original / name, tmp_path / name)
            with contextlib.closing(sqlite3.connect(tmp_path / "log.db")) as database:
                change(database, tmp_path / "anchor", random)
                database.commit()
            assert _is_refused(tmp_path), change.__name__
            attack.figure(change.__name__.strip("_").replace("_", " "))


def test_an_untouched_log_starts(original: Path, tmp_path: Path) -> None:
    for name in ("log.db", "anchor"):
        shutil.copy2(original / name, tmp_path / name)
    assert not _is_refused(tmp_path)


def _is_refused(folder: Path) -> bool:
    store = open_store(f"sqlite:///{folder / 'log.db'}", row_key=row_key_of(KEY))
    try:
        Checkpointer(store, KEY, "log", [FileAnchor(folder / "anchor")], lambda: NOW).start()
    except TriagebookError as error:
        return error.reason == "audit_broken"
    finally:
        store.close()
    return False
