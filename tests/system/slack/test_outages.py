"""Slack away, or telling us to wait: no decision and no state of a card is lost."""

import time
from pathlib import Path

from triagebook.bot.slack.cards import names

from tests.system.fixes import policies
from tests.system.slack import world as worlds

from .gate import Gate
from .paths import fix_of, proposed
from .world import SlackWorld, until


def test_what_was_decided_while_slack_was_away_is_shown_when_it_is_back(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    fix = fix_of(card)
    slacked.gate.is_down = True
    service = slacked.trust.service
    service.approve(policies.actor("bob"), fix, service.show(policies.actor("bob"), fix).digest)
    service.apply(policies.actor("bob"), fix)
    slacked.driver.command("ann", "web-02")
    until(lambda: slacked.hosts.asked.count("web-02"), "the diagnosis")
    until(lambda: len([call for call in slacked.gate.calls if call.status == 503]) > 3, "attempts")
    assert "APPROVAL NEEDED" in slacked.card("approvals", fix)["text"]
    slacked.gate.is_down = False
    done = slacked.card("approvals", "DONE AND VALIDATED")
    assert done["ts"] == card["ts"]
    slacked.card("incidents", "CAUSE FOUND · web-02")


def test_what_was_not_shown_before_a_restart_is_shown_after_it(tmp_path: Path, through: Gate) -> None:
    with worlds.over_http(tmp_path, through) as before:
        card = proposed(before)
        through.is_down = True
        fix = fix_of(card)
        before.trust.service.approve(policies.actor("bob"), fix, before.trust.digest(fix))
    through.is_down = False
    with worlds.over_http(tmp_path, through) as after:
        after.since = before.since
        assert after.card("approvals", "APPROVED, NOT YET APPLIED")["ts"] == card["ts"]


def test_a_start_without_slack_serves_the_rest_and_finds_it_later(tmp_path: Path, through: Gate) -> None:
    through.is_down = True
    trust, _hosts, face = worlds.build(tmp_path, through)
    with worlds.faces.run(face):
        fix = trust.propose("ann", "web-05")
        until(lambda: [call for call in through.calls if call.status == 503], "an attempt")
        through.is_down = False
        until(lambda: any(fix in call.values.get("text", "") for call in through.of("chat.postMessage")), "the card")
    trust.store.close()


def test_a_limit_is_kept_to_and_nothing_is_lost_by_it(slacked: SlackWorld) -> None:
    slacked.gate.limited["chat.postMessage"] = 1
    began = time.monotonic()
    slacked.driver.command("ann", "web-06")
    until(lambda: slacked.gate.of("chat.postMessage"), "the card")
    assert time.monotonic() - began >= 1
    posted = [call.status for call in slacked.gate.calls if call.method == "chat.postMessage"]
    assert posted[:2] == [429, 200]
    slacked.card("incidents", "CAUSE FOUND · web-06")


def test_a_channel_without_us_is_said_to_the_asker(slacked: SlackWorld) -> None:
    slacked.gate.not_in.add(slacked.gate.workspace.channels["alerts"])
    slacked.driver.command("ann", "web-07", channel="alerts")
    assert "invite me there" in slacked.told("ann")
    slacked.gate.not_in.clear()
    slacked.driver.command("ann", "web-07", channel="alerts")
    slacked.card("alerts", "CAUSE FOUND · web-07")


def test_blocks_that_slack_refuses_are_shown_as_text(slacked: SlackWorld) -> None:
    slacked.gate.picky = True
    slacked.driver.command("ann", "web-08")
    card = slacked.card("incidents", "CAUSE FOUND · web-08")
    assert "blocks" not in card
    assert names.PROPOSE not in str(card)
