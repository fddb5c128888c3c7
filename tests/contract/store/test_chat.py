"""What a chat face keeps, on both databases: messages, tokens, runs."""

from dataclasses import replace
from datetime import datetime, timedelta

from triagebook.tools.store import chat_messages, chat_runs, chat_tokens
from triagebook.tools.store.chat_messages import Message
from triagebook.tools.store.chat_runs import ChatRun
from triagebook.tools.store.chat_tokens import Meaning
from triagebook.tools.store.database import Store
from triagebook.tools.store.leases import Lease

from tests.contract.store.samples import NOW, SECOND, stored

LENGTH = timedelta(seconds=10)


def lease(at: datetime = NOW, owner: str = "a") -> Lease:
    return Lease(owner, at + LENGTH)


def test_a_message_is_sent_until_the_version_that_is_wanted_is_shown(store: Store) -> None:
    with store.write() as transaction:
        assert chat_messages.add(transaction, Message("m", "card", "s", "C1", {"text": "one"}), NOW) is True
        assert chat_messages.add(transaction, Message("m", "card", "s", "C1", {"text": "two"}), NOW) is False
        (first,) = chat_messages.claim(transaction, lease(), NOW)
        assert chat_messages.claim(transaction, lease(), NOW) == []
        chat_messages.set_desired(transaction, "m", {"text": "two"})
        chat_messages.mark_sent(transaction, first, "1.1")
        (second,) = chat_messages.claim(transaction, lease(), NOW)
        assert (second.content, second.ts, second.shown, second.wanted) == ({"text": "two"}, "1.1", 1, 2)
        chat_messages.mark_retry(transaction, second, NOW + 5 * SECOND)
        assert chat_messages.is_due(transaction, NOW + 4 * SECOND) is False
        (again,) = chat_messages.claim(transaction, lease(NOW + 5 * SECOND), NOW + 5 * SECOND)
        assert again.tries == 1
        chat_messages.mark_sent(transaction, again, "1.1")
        assert chat_messages.is_due(transaction, NOW + timedelta(days=1)) is False
        found = chat_messages.at(transaction, "C1", "1.1")
        assert found is not None
        assert found.shown == 2


def test_a_message_whose_sender_died_is_doubtful_and_one_given_back_is_not(store: Store) -> None:
    with store.write() as transaction:
        for number, name in enumerate(("m1", "m2", "m3")):
            message = Message(name, "diagnosis", "run", "C1", {"text": name})
            chat_messages.add(transaction, message, NOW - SECOND + number * timedelta(milliseconds=1))
        claimed = chat_messages.claim(transaction, lease(), NOW)
        assert [message.is_doubtful for message in claimed] == [False] * 3
        chat_messages.release(transaction, claimed[1:2])
        chat_messages.mark_retry(transaction, claimed[2], NOW, is_doubtful=True)
        again = chat_messages.claim(transaction, lease(NOW + LENGTH), NOW + LENGTH)
        assert [(message.id, message.is_doubtful) for message in again] == [("m1", True), ("m2", False), ("m3", True)]
        chat_messages.release(transaction, again)
        third = chat_messages.claim(transaction, lease(NOW + LENGTH), NOW + LENGTH)
        assert [message.is_doubtful for message in third] == [True, False, True]
        chat_messages.mark_sent(transaction, third[0], "1.0")
        chat_messages.set_desired(transaction, "m1", {"text": "other"})
        assert [message.is_doubtful for message in chat_messages.claim(transaction, lease(NOW + LENGTH), NOW + LENGTH)] == [False]


def test_a_sender_that_is_slow_keeps_its_messages_and_one_that_lost_them_cannot_renew(store: Store) -> None:
    with store.write() as transaction:
        chat_messages.add(transaction, Message("m", "card", "s", "C1", {"text": "one"}), NOW)
        batch = chat_messages.claim(transaction, lease(), NOW)
        at = NOW + 9 * SECOND
        assert chat_messages.renew(transaction, batch, lease(at), at) == 1
        assert chat_messages.renew(transaction, batch, lease(at, "b"), at) == 0
        assert chat_messages.claim(transaction, lease(NOW + LENGTH, "b"), NOW + LENGTH) == []
        (taken,) = chat_messages.claim(transaction, lease(at + LENGTH, "b"), at + LENGTH)
        assert taken.is_doubtful
        assert chat_messages.renew(transaction, batch, lease(at + LENGTH), at + LENGTH) == 0
        chat_messages.mark_sent(transaction, taken, "1.1")
        assert chat_messages.renew(transaction, [taken], lease(at + LENGTH, "b"), at + LENGTH) == 0


def test_a_message_in_a_thread_waits_for_the_one_above_it(store: Store) -> None:
    with store.write() as transaction:
        chat_messages.add(transaction, Message("below", "detail", "s", "C1", {}, parent="above"), NOW)
        assert chat_messages.is_due(transaction, NOW) is False
        chat_messages.add(transaction, Message("above", "card", "s", "C1", {}, ts="1.1", wanted=0), NOW)
        (below,) = chat_messages.claim(transaction, lease(), NOW)
        assert chat_messages.thread_of(transaction, below) == "1.1"
        chat_messages.mark_failed(transaction, below, "not_in_channel")
        assert chat_messages.is_due(transaction, NOW + timedelta(days=1)) is False


def test_a_card_is_behind_when_its_fix_was_moved_or_voted_on(store: Store) -> None:
    fix = stored(store)
    with store.write() as transaction:
        assert chat_messages.without_card(transaction, "approval", "C1") == [fix.id]
        mark = chat_messages.mark_for(transaction, fix.id)
        chat_messages.add(transaction, Message("t", "approval", fix.id, "C1", {}, parent="r", mark=mark), NOW)
        chat_messages.add(transaction, Message("m", "approval", fix.id, "C2", {}), NOW)
        assert chat_messages.without_card(transaction, "approval", "C1") == [fix.id]
        assert chat_messages.without_card(transaction, "approval", "C2") == []
        ((message, mark),) = chat_messages.behind(transaction, "approval", NOW)
        assert mark == chat_messages.mark_for(transaction, fix.id)
        assert chat_messages.set_desired(transaction, "m", {}, mark=mark, before=message.mark) is True
        assert chat_messages.set_desired(transaction, "m", {}, mark=mark, before=message.mark) is False
        assert chat_messages.behind(transaction, "approval", NOW) == []


def test_a_button_keeps_its_token_and_its_meaning(store: Store) -> None:
    meaning = Meaning("fix.approve", "T1", NOW + 60 * SECOND, "m", "F-1", "d" * 64, {"channel": "C1"})
    with store.write() as transaction:
        token = chat_tokens.mint(transaction, meaning, NOW)
        assert chat_tokens.mint(transaction, meaning, NOW) == token
        assert chat_tokens.read(transaction, token) == meaning
        loose = Meaning("deny", "T1", NOW)
        assert chat_tokens.mint(transaction, loose, NOW) != chat_tokens.mint(transaction, loose, NOW)
        assert chat_tokens.read(transaction, token[:-1]) is None
        chat_tokens.forget(transaction, NOW + 61 * SECOND)
        assert chat_tokens.read(transaction, token) is None


def test_a_token_never_changes_what_it_means(store: Store) -> None:
    meaning = Meaning("fix.approve", "T1", NOW + 60 * SECOND, "m", "F-1", "d" * 64)
    with store.write() as transaction:
        token = chat_tokens.mint(transaction, meaning, NOW)
        chat_tokens.mint(transaction, Meaning("fix.approve", "T1", NOW + 60 * SECOND, "m", "F-2", "e" * 64), NOW)
        assert chat_tokens.read(transaction, token) == meaning


def test_the_newest_run_with_a_card_is_found_by_its_place(store: Store) -> None:
    runs = [
        ChatRun("r1", "ann", "slack:T/U", "C1", "web-01", "b@1", "m1", NOW),
        ChatRun("r2", "ann", "slack:T/U", "C1", "web-01", "b@1", "", NOW + SECOND, inputs={"unit": "x"}),
        ChatRun("r3", "ann", "slack:T/U", "C2", "web-01", "b@1", "m3", NOW + 2 * SECOND),
    ]
    with store.write() as transaction:
        for run in runs:
            chat_runs.add(transaction, run)
        assert chat_runs.newest(transaction, "C1", "web-01", "b@1", NOW - SECOND) == runs[0]
        assert chat_runs.newest(transaction, "C1", "web-01", "b@1", NOW) is None
        assert chat_runs.of_account(transaction, "slack:T/U", 2) == [runs[2], runs[1]]
        assert chat_runs.hosts_since(transaction, "C1", NOW - SECOND) == {"web-01"}
        assert chat_runs.hosts_since(transaction, "C1", NOW + SECOND) == frozenset()
        assert chat_runs.count_repeat(transaction, "r1") == 1
        chat_runs.end(transaction, "r1", NOW + SECOND, cause="x", status="healthy")
        found = chat_runs.read(transaction, "r1")
        assert found is not None
        assert (found.cause, found.status, found.repeats, found.ended_at) == ("x", "healthy", 1, NOW + SECOND)
        chat_runs.forget(transaction, NOW + SECOND)
        assert [run.id for run in chat_runs.of_message(transaction, "m1")] == []


def test_the_runs_of_a_table_are_read_without_their_answers(store: Store) -> None:
    """A table of five hundred hosts is made anew for each that answers: only new answers are read for it."""
    runs = [ChatRun(f"r{number}", "ann", "a", "C1", f"web-{number}", "", "m1", NOW + number * SECOND) for number in range(3)]
    with store.write() as transaction:
        for run in runs:
            chat_runs.add(transaction, run)
        for number in range(2):
            chat_runs.end(transaction, f"r{number}", NOW + 9 * SECOND, status="healthy", diagnosis=f"answer {number}")
        ended = [replace(run, status="healthy", ended_at=NOW + 9 * SECOND) for run in runs[:2]]
        assert chat_runs.of_message(transaction, "m1") == [*ended, runs[2]]
        assert chat_runs.diagnoses(transaction, ["r1", "r2"]) == {"r1": "answer 1"}
        assert chat_runs.is_under_way(transaction, "m1")
        chat_runs.end(transaction, "r2", NOW, status="failed")
        assert not chat_runs.is_under_way(transaction, "m1")
