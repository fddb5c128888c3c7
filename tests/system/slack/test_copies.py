"""One card, though the server was killed between posting and writing that down, or Slack's answer was lost on the way."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from triagebook.bot.slack.cards import names
from triagebook.tools.store import chat_messages
from triagebook.tools.store.database import open_store

from tests.hang import GUARD_S
from tests.system.slack import world as worlds

from .gate import Gate
from .paths import fix_of, form, wish
from .replicas import replica
from .workspace import TOKEN, WITH_HISTORY
from .world import Channels, SlackWorld, until

POSTED = "chat.sent.before_commit"  # Slack has it, the database does not


def is_all_shown(directory: Path) -> bool:
    """Whether the server in this directory has recorded all its messages as shown."""
    store = open_store(f"sqlite:///{directory / 'data' / 'triagebook.db'}")
    with store.read() as transaction:
        is_due = chat_messages.is_due(transaction, datetime.now(UTC) + timedelta(days=1))
    store.close()
    return not is_due


@pytest.fixture
def reading(tmp_path: Path, through: Gate) -> Iterator[SlackWorld]:
    with worlds.over_http(tmp_path, through, token=WITH_HISTORY) as made:
        yield made


@pytest.mark.parametrize(("token", "copies"), [(WITH_HISTORY, 1), (TOKEN, 2)], ids=["with history", "without"])
def test_a_card_posted_by_a_server_that_was_killed_is_found_again(tmp_path: Path, through: Gate, token: str, copies: int) -> None:
    channels = Channels(through)
    (tmp_path / "die").write_text(POSTED)
    with replica(tmp_path, through, token=token, lease_s=2) as doomed:
        doomed.driver.command("ann", "web-01")
        assert doomed.process.wait(GUARD_S) == -9
    (tmp_path / "die").unlink()
    (first,) = channels.messages("incidents")
    with replica(tmp_path, through, token=token):
        channels.card("incidents", "CAUSE FOUND · web-01")  # which the first may have been already
        until(lambda: is_all_shown(tmp_path), "all of it")
        card = channels.card("incidents", "CAUSE FOUND · web-01")
        assert len(channels.messages("incidents")) == copies
        assert (card["ts"] == first["ts"]) is (copies == 1)


def test_the_cards_of_a_plan_are_not_doubled_by_a_kill_and_can_be_decided_on(tmp_path: Path, through: Gate) -> None:
    channels = Channels(through)
    with replica(tmp_path, through, token=WITH_HISTORY, lease_s=2) as doomed:
        doomed.driver.command("ann", "web-02")
        card = channels.card("incidents", "CAUSE FOUND · web-02")
        until(lambda: len(channels.thread(card)) >= 2, "its thread")
        doomed.driver.click("ann", card, names.PROPOSE)
        view = form(through, names.PROPOSE_VIEW)
        until(lambda: is_all_shown(tmp_path), "all of the diagnosis")  # so that it dies of the plan's card and of no other message
        (tmp_path / "die").write_text(POSTED)
        with contextlib.suppress(ConnectionError):  # it may die before it has answered
            doomed.driver.submit("ann", view, wish())
        assert doomed.process.wait(GUARD_S) == -9
    (tmp_path / "die").unlink()
    with replica(tmp_path, through, token=WITH_HISTORY) as after:
        approval = channels.card("approvals", "APPROVAL NEEDED: web-02")
        after.driver.click("bob", approval, names.APPROVE)
        channels.card("approvals", "DONE AND VALIDATED")
        assert len(channels.messages("approvals")) == 1
        fix = fix_of(approval)
        until(lambda: [item for item in channels.thread(card) if fix in item["text"] and "DONE" in item["text"]], "the copy below")
        assert len([item for item in channels.thread(card) if fix in item["text"]]) == 1


def test_a_form_of_slack_that_was_sent_to_a_dying_server_proposes_once(tmp_path: Path, through: Gate) -> None:
    channels = Channels(through)
    with replica(tmp_path, through, token=WITH_HISTORY, lease_s=2) as doomed:
        doomed.driver.command("ann", "web-02")
        card = channels.card("incidents", "CAUSE FOUND · web-02")
        doomed.driver.click("ann", card, names.PROPOSE)
        view = form(through, names.PROPOSE_VIEW)
        (tmp_path / "die").write_text("propose.after_commit")
        with contextlib.suppress(ConnectionError):  # it may die before it has answered
            doomed.driver.submit("ann", view, wish())
        assert doomed.process.wait(GUARD_S) == -9
    (tmp_path / "die").unlink()
    with replica(tmp_path, through, token=WITH_HISTORY):
        channels.card("approvals", "APPROVAL NEEDED: web-02")
        assert len(channels.messages("approvals")) == 1


def test_what_was_posted_though_the_answer_was_lost_is_not_posted_again(reading: SlackWorld) -> None:
    reading.gate.lost["chat.postMessage"] = 3
    reading.driver.command("ann", "web-03")
    card = reading.card("incidents", "CAUSE FOUND · web-03")
    reading.idle()
    assert reading.gate.lost["chat.postMessage"] == 0
    assert len(reading.messages("incidents")) == 1
    texts = [item["text"] for item in reading.thread(card)]
    assert len(texts) == len(set(texts)) > 1


def test_a_file_whose_answer_was_lost_is_not_uploaded_again(reading: SlackWorld) -> None:
    reading.gate.lost["files.completeUploadExternal"] = 1
    reading.driver.command("ann", "web-04")
    reading.card("incidents", "CAUSE FOUND · web-04")
    reading.idle()
    assert reading.gate.lost["files.completeUploadExternal"] == 0
    assert len(reading.gate.of("files.completeUploadExternal")) == 0


def test_a_channel_that_cannot_be_looked_into_gets_a_second_copy_rather_than_none(slacked: SlackWorld) -> None:
    slacked.gate.lost["chat.postMessage"] = 1
    slacked.driver.command("ann", "web-05")
    slacked.card("incidents", "CAUSE FOUND · web-05")
    slacked.idle()
    assert len(slacked.messages("incidents")) == 2
