"""Streams of alerts: one card for one cause on one host, its repeats below it, and one table for a storm."""

import threading
from dataclasses import replace

from triagebook.bot.slack.cards import names
from triagebook.runbooks.engine.diagnosis import Reading

from tests.hang import GUARD_S
from tests.system.fixes import samples

from .driver import buttons
from .world import SlackWorld, until


def test_the_same_again_is_counted_below_the_card_there_is(slacked: SlackWorld) -> None:
    slacked.driver.command("ann", "web-01")
    card = slacked.card("incidents", "CAUSE FOUND · web-01")
    for _ in range(2):
        slacked.driver.command("bob", "web-01")
        slacked.idle()
    assert [item["ts"] for item in slacked.messages("incidents")] == [card["ts"]]
    below = [item["text"] for item in slacked.thread(card) if "again" in item["text"]]
    assert ["2 times" in below[0], "3 times" in below[1]] == [True, True]


def test_another_cause_is_another_card(slacked: SlackWorld) -> None:
    slacked.driver.command("ann", "web-01")
    slacked.card("incidents", "CAUSE FOUND · web-01")
    plain = samples.diagnosis("web-01")
    assert plain.verdict is not None
    slacked.hosts.answers["web-01"] = replace(plain, verdict=replace(plain.verdict, cause="pid_max"), remediations=())
    slacked.driver.command("ann", "web-01")
    slacked.idle()
    cards = slacked.messages("incidents")
    assert len(cards) == 2
    assert names.PROPOSE not in buttons(cards[1])
    assert len([item for item in slacked.thread(cards[1]) if item["text"].startswith("Checks")]) == 1


def test_who_asks_while_it_is_being_found_gets_the_same_answer(slacked: SlackWorld) -> None:
    release = threading.Event()
    slacked.hosts.before = lambda _question: release.wait(GUARD_S) and None
    slacked.driver.command("ann", "web-02")
    card = slacked.card("incidents", "Diagnosing web-02")
    slacked.driver.command("bob", "web-02")
    slacked.driver.command("cid", "web-02", channel="alerts")
    slacked.card("alerts", "Diagnosing web-02")
    until(lambda: slacked.face.work.diagnose._flights.listener_count == 3, "all three to wait for one answer")
    release.set()
    assert slacked.card("incidents", "CAUSE FOUND · web-02")["ts"] == card["ts"]
    slacked.card("alerts", "CAUSE FOUND · web-02")
    slacked.idle()
    assert slacked.hosts.asked == ["web-02"]


def test_a_storm_is_one_table(slacked: SlackWorld) -> None:
    for number in range(1, 16):
        slacked.driver.command("ann", f"web-{number:02}", channel="alerts")
        if number == 10:
            slacked.idle()
    slacked.idle()
    cards = slacked.messages("alerts")
    assert len(cards) == 11
    assert "5 hosts" in cards[-1]["text"]
    assert len(slacked.hosts.asked) == 15


def test_a_card_is_closed_and_its_evidence_shown_to_one(slacked: SlackWorld) -> None:
    slacked.driver.command("ann", "web-03")
    card = slacked.card("incidents", "CAUSE FOUND · web-03")
    slacked.driver.click("bob", card, names.EVIDENCE)
    assert "Evidence" in slacked.told("bob")
    slacked.driver.click("bob", card, names.CLOSE)
    slacked.idle()
    closed = slacked.card("incidents", "CAUSE FOUND · web-03")
    assert buttons(closed) == [names.RERUN, names.EVIDENCE]
    slacked.driver.click("bob", closed, names.RERUN)
    slacked.idle()
    assert slacked.hosts.asked == ["web-03", "web-03"]


def test_a_defect_of_ours_leaves_nobody_waiting(slacked: SlackWorld) -> None:
    def break_(_question: object) -> None:
        raise ZeroDivisionError

    slacked.hosts.before = break_
    slacked.driver.command("ann", "web-04")
    assert "Reason: internal" in slacked.told("ann")
    card = slacked.card("incidents", "No diagnosis of web-04")
    assert buttons(card) == [names.RERUN]
    slacked.hosts.before = lambda _question: None
    slacked.driver.click("ann", card, names.RERUN)
    slacked.idle()
    assert "CAUSE FOUND · web-04" in "".join(item["text"] for item in slacked.messages("incidents"))


def test_two_samples_are_drawn_as_a_picture_with_words_for_who_cannot_see_it(slacked: SlackWorld) -> None:
    plain = samples.diagnosis("web-05")
    assert plain.verdict is not None
    assert plain.verdict.usage is not None
    source = plain.verdict.usage.source
    fact = replace(plain.facts[0], source=source, readings=(Reading(1, 90), Reading(2, 100)))
    slacked.hosts.answers["web-05"] = replace(plain, facts=(fact, *plain.facts[1:]))
    slacked.driver.command("ann", "web-05")
    slacked.idle()
    asked = [call.values for call in slacked.gate.of("files.getUploadURLExternal")]
    assert [values["filename"] for values in asked] == ["web-05-D-1.png", "web-05-D-1.json"]
    assert "100 of 100" in asked[0]["alt_txt"]
