"""What people say of an answer: recorded once in the audit log, listed to who may see the host, with the draft of a case."""

from dataclasses import replace

import pytest
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.fixes.feedback import MOST_CASE, RIGHT, WRONG, FeedbackView

from . import samples
from .policies import actor
from .test_diagnoses import asked
from .world import World


def said(world: World, who: str = "dan", host: str = "") -> list[tuple[str, str, str, str]]:
    return [(item.person, item.host, item.was, item.it_was) for item in world.service.feedback(actor(who), host, 50)]


def rows(world: World) -> int:
    return sum(event.action == "feedback" and event.outcome == "ok" for event in world.events())


def test_a_word_is_one_row_of_the_audit_log_with_what_was_answered(world: World) -> None:
    answer = asked(world, "ann", "web-01")
    given = world.service.give_feedback(actor("bob"), answer.id, WRONG, "the NFS server was away")
    row = world.last()
    assert (row.action, row.outcome, row.person, row.host, row.runbook) == ("feedback", "ok", "bob", "web-01", "forks@1.0.0")
    assert answer.verdict is not None
    assert row.detail == {
        "answer": answer.id,
        "status": "cause_found",
        "cause": answer.verdict.cause,
        "was": "wrong",
        "it_was": "the NFS server was away",
    }
    assert (given.was, given.it_was, given.person) == ("wrong", "the NFS server was away", "bob")
    assert world.service.feedback(actor("bob"), "web-01", 50) == (given,)


def test_the_same_again_is_no_further_row_and_of_two_words_the_last_counts(world: World) -> None:
    answer = asked(world, "ann", "web-01")
    for was, it_was in ((RIGHT, ""), (RIGHT, ""), (WRONG, "a leak"), (WRONG, "a leak"), (WRONG, "another leak")):
        world.service.give_feedback(actor("bob"), answer.id, was, it_was)
    assert rows(world) == 3
    assert said(world) == [("bob", "web-01", "wrong", "another leak")]
    world.service.give_feedback(actor("cid"), answer.id, RIGHT)
    assert said(world) == [("cid", "web-01", "right", ""), ("bob", "web-01", "wrong", "another leak")]


@pytest.mark.parametrize(("was", "it_was"), [("perhaps", "x"), (WRONG, ""), (WRONG, " \u200b"), ("", "")])
def test_neither_right_nor_wrong_and_wrong_without_what_it_was_are_no_word(world: World, was: str, it_was: str) -> None:
    answer = asked(world, "ann", "web-01")
    with pytest.raises(UsageError, match="say `right`, or `wrong` and what it was"):
        world.service.give_feedback(actor("bob"), answer.id, was, it_was)
    assert said(world) == []


def test_only_who_may_see_the_answer_says_anything_of_it_or_hears_what_was_said(world: World) -> None:
    world.diagnoser.edit["db-01"] = replace(samples.diagnosis("db-01"), id="D-2")
    seen, unseen = asked(world, "dan", "web-01"), asked(world, "dan", "db-01")
    for answer in (seen, unseen):
        world.service.give_feedback(actor("dan"), answer.id, WRONG, "x")
        world.service.keep_case(actor("dan"), answer.id, "about: x\n")
    assert said(world, "mallory") == [("dan", "web-01", "wrong", "x")]
    assert said(world, "mallory", host="db-01") == []
    assert {host for _person, host, _was, _it_was in said(world)} == {"web-01", "db-01"}
    for name in (unseen.id, "20261130T000000-00000000"):
        assert world.refused(world.service.give_feedback, actor("mallory"), name, RIGHT) == "not_found"
        assert world.refused(world.service.get_case, actor("mallory"), name) == "not_found"
        assert world.refused(world.service.keep_case, actor("mallory"), name, "about: y\n") == "not_found"


def test_words_are_plain_bounded_and_without_secrets(world: World) -> None:
    answer = asked(world, "ann", "web-01")
    given = world.service.give_feedback(actor("bob"), answer.id, WRONG, "a\x1b[2J\nb --password=CaNaRy " + "y" * 5000)
    assert len(given.it_was) <= 300
    assert given.it_was.isprintable()
    assert "CaNaRy" not in str(world.last())


def test_a_draft_is_kept_beside_the_answer_once_and_only_there(world: World) -> None:
    answer = asked(world, "ann", "web-01")
    with pytest.raises(UsageError, match="no draft is kept; record one now: triagebook runbook record web-01 FILE"):
        world.service.get_case(actor("bob"), answer.id)
    world.service.give_feedback(actor("bob"), answer.id, WRONG, "a leak")
    for text in ("about: first\n", "about: second\n"):
        world.service.keep_case(actor("bob"), answer.id, text)
    assert world.service.get_case(actor("bob"), answer.id) == "about: first\n"
    (told,) = world.service.feedback(actor("bob"), "", 50)
    assert isinstance(told, FeedbackView)
    assert told.has_case
    assert world.service.get_diagnosis(actor("bob"), answer.id).found == answer
    for name in (f"case:{answer.id}", answer.id + "x"):
        with pytest.raises(UsageError, match="no such answer"):
            world.service.get_diagnosis(actor("bob"), name)
    with pytest.raises(UsageError, match="the most that is kept"):
        world.service.keep_case(actor("bob"), answer.id, "x" * (MOST_CASE + 1))
    world.clock.pass_(days=31)
    world.service.sweep()
    with pytest.raises(UsageError, match="no such answer"):
        world.service.get_case(actor("bob"), answer.id)
