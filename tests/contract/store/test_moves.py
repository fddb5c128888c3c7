import contextlib
import threading
from collections.abc import Callable
from itertools import product

import pytest
from triagebook.runbooks.engine.errors import TrustError
from triagebook.tools.log import INFO, ROOT
from triagebook.tools.store import fix_rows
from triagebook.tools.store.database import Store
from triagebook.tools.store.fix_rows import _move
from triagebook.tools.store.fix_states import MOVES, STATES, State, is_legal
from triagebook.tools.store.leases import Lease

from tests.contract.store import samples
from tests.contract.store.samples import NOW, SECOND
from tests.hang import GUARD_S

# the contract, written a second time: from -> to
LEGAL = """
proposed approved, proposed denied, proposed withdrawn, proposed expired,
approved running, approved withdrawn, approved expired, approved stale,
running validated, running unresolved, running reverted, running failed, running unknown, running approved,
unknown validated, unknown unresolved, unknown reverted, unknown failed,
validated reverting, unresolved reverting, reverting reverted, reverting failed, reverting unknown
"""


def test_the_table_of_moves_is_the_contract() -> None:
    pairs = {tuple(pair.split()) for pair in LEGAL.replace("\n", " ").split(",")}
    assert {(before, after) for before in STATES for after in MOVES[before]} == pairs


def test_every_pair_of_states_moves_as_the_table_says_and_leaves_an_audit_row_or_nothing(store: Store) -> None:
    for number, (before, after) in enumerate(product(STATES, STATES)):
        fix = samples.stored(store, f"F-{number}", before)
        size = samples.audit_size(store)
        if is_legal(before, after):
            with store.write() as transaction:
                assert _move(transaction, fix, after, samples.event("move"))
        else:
            with pytest.raises(TrustError, match="no move leads"), store.write() as transaction:
                _move(transaction, fix, after, samples.event("move"))
        assert samples.state_of(store, fix.id) == (after if is_legal(before, after) else before)
        assert samples.audit_size(store) == size + is_legal(before, after)


def test_a_move_from_a_state_that_is_no_longer_so_is_lost_and_not_audited(store: Store) -> None:
    fix = samples.stored(store)
    with store.write() as transaction:
        assert fix_rows.decide(transaction, fix, "denied", samples.event())
    size = samples.audit_size(store)
    with store.write() as transaction:
        assert not fix_rows.decide(transaction, fix, "approved", samples.event())
    assert (samples.state_of(store), samples.audit_size(store)) == ("denied", size)


def test_a_failed_transaction_leaves_neither_move_nor_audit_row(store: Store) -> None:
    fix = samples.stored(store)
    size = samples.audit_size(store)

    def failing() -> None:
        with store.write() as transaction:
            assert fix_rows.decide(transaction, fix, "approved", samples.event())
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert (samples.state_of(store), samples.audit_size(store)) == ("proposed", size)


def test_an_approval_after_the_expiry_is_lost(store: Store) -> None:
    fix = samples.stored(store)
    with store.write() as transaction:
        assert not fix_rows.decide(transaction, fix, "approved", samples.event(at=fix.expires_at))
        assert fix_rows.decide(transaction, fix, "approved", samples.event(at=fix.expires_at - SECOND))


def test_a_fix_expires_only_when_its_time_is_over(store: Store) -> None:
    fix = samples.stored(store, state="approved")
    with store.write() as transaction:
        assert not fix_rows.expire(transaction, fix, samples.event(at=fix.expires_at - SECOND))
        assert fix_rows.expire(transaction, fix, samples.event(at=fix.expires_at))


def test_an_expired_fix_cannot_be_claimed(store: Store) -> None:
    fix = samples.stored(store, state="approved")
    with store.write() as transaction:
        assert not fix_rows.claim(transaction, fix, "running", Lease("me", NOW), samples.event(at=fix.expires_at))


@pytest.mark.parametrize("claimed", ["running", "reverting"])
def test_of_64_attempts_from_16_threads_exactly_one_wins(store: Store, claimed: State) -> None:
    before: State = "approved" if claimed == "running" else "validated"
    fix = samples.stored(store, state=before)
    size = samples.audit_size(store)
    wins: list[str] = []
    start = threading.Barrier(16)

    def attempts(thread: int) -> None:
        start.wait()
        for number in range(4):
            owner = f"{thread}.{number}"
            with store.write() as transaction:
                won = fix_rows.claim(transaction, fix, claimed, Lease(owner, NOW + SECOND), samples.event("apply"))
            if won:
                wins.append(owner)

    _in_threads(16, attempts)
    with store.read() as transaction:
        found = fix_rows.read(transaction, fix.id)
    assert found is not None
    assert (wins, found.state, samples.audit_size(store)) == ([found.owner], claimed, size + 1)


def test_of_16_threads_that_approve_deny_and_withdraw_at_once_one_decides(store: Store) -> None:
    fix = samples.stored(store)
    size = samples.audit_size(store)
    wins: list[State] = []
    after: list[State] = ["approved", "denied", "withdrawn", "approved"]

    def attempt(thread: int) -> None:
        with store.write() as transaction:
            if fix_rows.decide(transaction, fix, after[thread % 4], samples.event()):
                wins.append(after[thread % 4])

    _in_threads(16, attempt)
    assert (wins, samples.audit_size(store)) == ([samples.state_of(store)], size + 1)


def test_only_the_owner_settles(store: Store) -> None:
    fix = samples.stored(store, state="running", owner="me", lease_until=2**50)
    with store.write() as transaction:
        assert not fix_rows.settle(transaction, fix, "validated", "you", "", samples.event())
        assert fix_rows.settle(transaction, fix, "validated", "me", "room is back", samples.event())


def test_only_an_expired_lease_becomes_unknown(store: Store) -> None:
    fix = samples.stored(store, state="approved")
    lease_until = NOW + 60 * SECOND
    with store.write() as transaction:
        assert fix_rows.take_lock(transaction, samples.lock()) is None
        assert fix_rows.claim(transaction, fix, "running", Lease("me", lease_until), samples.event("apply"))
        running = fix_rows.read(transaction, fix.id)
        assert running is not None
        assert not fix_rows.lose(transaction, running, samples.event(at=lease_until - SECOND))
        assert fix_rows.renew(transaction, fix.id, Lease("me", lease_until + 60 * SECOND), lease_until - SECOND)
        assert not fix_rows.renew(transaction, fix.id, Lease("you", lease_until + 600 * SECOND), NOW)
        assert not fix_rows.lose(transaction, running, samples.event(at=lease_until))
        assert fix_rows.lose(transaction, running, samples.event(at=lease_until + 60 * SECOND))
        assert not fix_rows.renew(transaction, fix.id, Lease("me", lease_until + 600 * SECOND), NOW)
        assert not fix_rows.settle(transaction, running, "validated", "me", "", samples.event())
        assert fix_rows.lock_of_host(transaction, "web-01") is not None


def test_an_expired_lease_cannot_be_renewed(store: Store) -> None:
    fix = samples.stored(store, state="approved")
    with store.write() as transaction:
        assert fix_rows.claim(transaction, fix, "running", Lease("me", NOW + SECOND), samples.event("apply"))
        assert not fix_rows.renew(transaction, fix.id, Lease("me", NOW + 60 * SECOND), NOW + SECOND)


def test_one_fix_at_a_time_holds_a_host_until_it_is_settled(store: Store) -> None:
    first, second = samples.stored(store, "F-1", "approved"), samples.stored(store, "F-2", "approved")
    with store.write() as transaction:
        assert fix_rows.take_lock(transaction, samples.lock("F-1")) is None
        assert fix_rows.claim(transaction, first, "running", Lease("me", NOW + SECOND), samples.event("apply"))
        standing = fix_rows.take_lock(transaction, samples.lock("F-2"))
        assert standing is not None
        assert standing.fix_id == "F-1"
        running = fix_rows.read(transaction, first.id)
        assert running is not None
        assert fix_rows.settle(transaction, running, "failed", "me", "", samples.event())
        assert fix_rows.take_lock(transaction, samples.lock(second.id)) is None


def test_a_lock_is_broken_by_hand_with_an_audit_row_and_only_once(store: Store) -> None:
    samples.stored(store)
    with store.write() as transaction:
        fix_rows.take_lock(transaction, samples.lock())
    size = samples.audit_size(store)
    with store.write() as transaction:
        assert fix_rows.break_lock(transaction, samples.lock(), samples.event("break_lock"))
        assert not fix_rows.break_lock(transaction, samples.lock(), samples.event("break_lock"))
        assert fix_rows.locks(transaction) == []
    assert samples.audit_size(store) == size + 1


def _in_threads(count: int, run: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            run(number)
        except BaseException as error:  # noqa: BLE001 - a thread's failure must fail the test
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD_S)
    assert not failures


def test_a_move_is_logged_once_it_is_committed_and_never_before(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(INFO, ROOT)
    fix = samples.stored(store, "F-logged", "proposed")
    caplog.clear()
    with contextlib.suppress(ZeroDivisionError), store.write() as transaction:
        assert _move(transaction, fix, "denied", samples.event("deny"))
        raise ZeroDivisionError
    assert caplog.records == []
    with store.write() as transaction:
        assert _move(transaction, fix, "denied", samples.event("deny"))
        assert caplog.records == []
    (record,) = caplog.records
    assert (record.event, record.context["before"], record.context["after"]) == ("fix.moved", "proposed", "denied")  # type: ignore[attr-defined]
