"""Who writes next: in the order they came, and an urgent writer before all who wait."""

import threading

import pytest
from triagebook.tools.store.database import Store

from tests.hang import GUARD_S


def test_an_urgent_writer_is_next_and_the_others_keep_their_order(store: Store) -> None:
    if store.dialect != "sqlite":
        return  # PostgreSQL lets all of them write at once
    order: list[str] = []
    started = threading.Event()
    release = threading.Event()

    def hold() -> None:
        with store.write():
            started.set()
            release.wait(GUARD_S)

    def write(name: str, *, is_urgent: bool) -> None:
        with store.write(is_urgent=is_urgent):
            order.append(name)

    holder = threading.Thread(target=hold)
    holder.start()
    assert started.wait(GUARD_S)
    waiting = []
    for number, (name, is_urgent) in enumerate([("first", False), ("second", False), ("urgent", True)], 1):
        thread = threading.Thread(target=write, args=(name,), kwargs={"is_urgent": is_urgent})
        thread.start()
        waiting.append(thread)
        while len(store._one_writer._others) + len(store._one_writer._urgent) < number:  # type: ignore[union-attr]
            thread.join(0.01)
    release.set()
    for thread in (holder, *waiting):
        thread.join(GUARD_S)
    assert order == ["urgent", "first", "second"]


def test_a_writer_that_fails_lets_the_next_one_write(store: Store) -> None:
    try:
        with store.write():
            raise ValueError("x")
    except ValueError:
        pass
    with store.write() as transaction:
        assert transaction is not None


@pytest.mark.parametrize("is_synced", [True, False])
def test_only_what_another_file_has_need_not_wait_for_the_disk(store: Store, is_synced: bool) -> None:
    asked, on, off = ("PRAGMA synchronous", 2, 1) if store.dialect == "sqlite" else ("SHOW synchronous_commit", "on", "off")
    with store.write(is_synced=is_synced) as transaction:
        assert transaction.connection.exec_driver_sql(asked).scalar_one() == (on if is_synced else off)
    with store.write() as transaction:
        assert transaction.connection.exec_driver_sql(asked).scalar_one() == on
