"""Below an answer Slack asks whether it was right; of one that was wrong the draft of a case is kept, with the facts of then."""

from dataclasses import replace
from typing import Any

import yaml
from triagebook.bot.slack.cards import names
from triagebook.runbooks.library.cases import read_case
from triagebook.runbooks.probes.catalog import facts_types
from triagebook.tools.policy.identity import Account, Actor

from tests.runbooks import CATALOG
from tests.system.fixes import samples

from .paths import form, reason
from .world import STRANGER_TEAM, SlackWorld

DAN = Actor(Account("os", "", "dan"), "cli")


def words(world: SlackWorld) -> list[tuple[str, str, str]]:
    return [(item.person, item.was, item.it_was) for item in world.trust.service.feedback(DAN, "", 50)]


def wrong(world: SlackWorld, user: str, text: str) -> None:
    """Press `Wrong`, and fill in the form."""
    card = world.card("incidents", "CAUSE FOUND · web-01")
    world.driver.judge(user, card, was_right=False)
    world.idle()
    view = form(world.gate, names.WRONG_VIEW)
    assert not words(world), "nothing is said before it is said what it was"
    world.driver.submit(user, view, reason(text))
    world.idle()


def test_right_is_recorded_in_the_name_of_who_pressed_and_told_to_him_alone(slacked: SlackWorld) -> None:
    slacked.driver.command("ann", "web-01")
    card = slacked.card("incidents", "CAUSE FOUND · web-01")
    slacked.driver.judge("bob", card, was_right=True)
    assert slacked.told("bob") == "Noted: the answer about web-01 was right."
    assert words(slacked) == [("bob", "right", "")]
    assert slacked.card("incidents", "CAUSE FOUND · web-01")["blocks"] == card["blocks"]


def test_wrong_asks_what_it_was_and_keeps_a_case_with_the_facts_of_now(slacked: SlackWorld) -> None:
    found = read_case(CATALOG.find("enomem@1.1.0"), "unit-tasksmax", facts_types(), CATALOG.load("enomem@1.1.0"))
    slacked.hosts.history = (*found.history, *found.history)
    slacked.driver.command("ann", 'web-01 symptom="fork: retry"')
    wrong(slacked, "bob", "an NFS server that was away")
    assert words(slacked) == [("bob", "wrong", "an NFS server that was away")]
    assert "A draft of a case is kept: triagebook feedback case " in slacked.told("bob")
    (said,) = slacked.trust.service.feedback(DAN, "", 50)
    assert said.has_case
    draft = yaml.safe_load(slacked.trust.service.get_case(DAN, said.answer))
    assert draft["about"].startswith("Said to be wrong, so correct what it expects. It was: an NFS server that was away.")
    assert draft["facts"]["pids"]
    assert draft["expect"]["status"] == "cause_found"
    assert slacked.hosts.asked == ["web-01", "web-01"]


def test_a_secret_among_the_facts_is_not_in_the_case_that_is_kept(slacked: SlackWorld) -> None:
    found = read_case(CATALOG.find("enomem@1.1.0"), "unit-tasksmax", facts_types(), CATALOG.load("enomem@1.1.0"))
    step: Any = found.history[0]
    (group,) = step["procs"].groups.items
    named = replace(step["procs"], groups=replace(step["procs"].groups, items=(replace(group, comm="token=hunter2"),)))
    slacked.hosts.history = ({**step, "procs": named},) * 2
    slacked.driver.command("ann", 'web-01 symptom="fork: retry"')
    wrong(slacked, "bob", "an NFS server that was away")
    (said,) = slacked.trust.service.feedback(DAN, "", 50)
    draft = slacked.trust.service.get_case(DAN, said.answer)
    assert "token=***" in draft
    assert "hunter2" not in draft


def test_who_says_wrong_again_has_the_host_read_no_more(slacked: SlackWorld) -> None:
    """The first draft stays: a click is no way to have a host read as often as somebody likes."""
    found = read_case(CATALOG.find("enomem@1.1.0"), "unit-tasksmax", facts_types(), CATALOG.load("enomem@1.1.0"))
    slacked.hosts.history = (*found.history, *found.history)
    slacked.driver.command("ann", 'web-01 symptom="fork: retry"')
    wrong(slacked, "bob", "an NFS server that was away")
    first = slacked.trust.service.get_case(DAN, slacked.trust.service.feedback(DAN, "", 50)[0].answer)
    for user, text in (("bob", "no, a leak"), ("ann", "a leak")):
        card = slacked.card("incidents", "CAUSE FOUND · web-01")
        slacked.driver.judge(user, card, was_right=False)
        slacked.idle()
        slacked.driver.submit(user, form(slacked.gate, names.WRONG_VIEW), reason(text))
        slacked.idle()
        assert "A draft of a case is kept: triagebook feedback case " in slacked.told(user)
    assert sorted(words(slacked)) == [("ann", "wrong", "a leak"), ("bob", "wrong", "no, a leak")]
    assert slacked.hosts.asked == ["web-01", "web-01"]
    assert slacked.trust.service.get_case(DAN, slacked.trust.service.feedback(DAN, "", 50)[0].answer) == first


def test_a_host_that_cannot_be_read_then_leaves_the_word_and_says_how_to_record_it(slacked: SlackWorld) -> None:
    slacked.driver.command("ann", "web-01")
    wrong(slacked, "ann", "a leak")
    assert words(slacked) == [("ann", "wrong", "a leak")]
    assert "No draft of a case could be made of web-01" in slacked.told("ann")
    assert "triagebook runbook record web-01 FILE" in slacked.told("ann")


def test_a_stranger_presses_in_vain(slacked: SlackWorld) -> None:
    slacked.driver.command("ann", "web-01")
    card = slacked.card("incidents", "CAUSE FOUND · web-01")
    (element,) = [item for block in card["blocks"] if block["type"] == "context_actions" for item in block["elements"]]
    assert element["positive_button"]["value"] != element["negative_button"]["value"]
    lie = {"team": {"id": STRANGER_TEAM}, "user": {"id": "U0SLY", "team_id": STRANGER_TEAM}}
    slacked.driver.judge("ann", card, was_right=True, lie=lie)
    slacked.idle()
    assert words(slacked) == []


def test_a_host_that_gave_no_session_is_not_asked_about(slacked: SlackWorld) -> None:
    plain = samples.diagnosis("web-02")
    slacked.hosts.answers["web-02"] = replace(plain, status="unreachable", verdict=None, remediations=())
    slacked.driver.command("ann", "web-02")
    slacked.idle()
    (card,) = slacked.messages("incidents")
    assert "context_actions" not in [block["type"] for block in card["blocks"]]
