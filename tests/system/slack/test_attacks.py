"""Requests that are not Slack's, not of now, or sent twice; and text that wants to be more than text."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from triagebook.bot.slack.cards import names
from triagebook.bot.slack.inbound.http import MAX_BODY

from tests.system.fixes import samples

from .driver import Http, encoded
from .paths import fix_of, proposed
from .world import SlackWorld, until

HOSTILE = "<!channel> <https://evil.example|ok> `x` *b* \u202egnp\x1b[31m\n@here"


def way(world: SlackWorld) -> Http:
    assert isinstance(world.driver.way, Http)
    return world.driver.way


@pytest.mark.parametrize(
    "liar", [{"secret": "another"}, {"ahead_s": -400}, {"ahead_s": 400}], ids=["another secret", "late", "from the future"]
)
def test_a_request_that_slack_did_not_sign_now_is_refused_counted_and_never_logged(
    slacked: SlackWorld, caplog: pytest.LogCaptureFixture, liar: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    body = slacked.driver.command_body("ann", "web-01 symptom=hunter2", "/triage", "incidents")
    liars = replace(way(slacked), **liar)
    assert liars.send("command", body).status == 401
    until(lambda: [event for event in slacked.trust.events() if event.reason == "bad_signature"], "the audit row")
    assert slacked.hosts.asked == []
    assert "hunter2" not in caplog.text


def test_without_signature_with_a_foreign_method_or_too_large_nothing_is_looked_at(slacked: SlackWorld) -> None:
    body, kind = encoded("command", slacked.driver.command_body("ann", "web-01", "/triage", "incidents"))
    assert way(slacked).post(body, {"content-type": kind}).status == 401
    assert way(slacked).post(b"x" * (MAX_BODY + 1), way(slacked).headers(b"", kind)).status == 413
    assert way(slacked).post(b"\xff\xfe", way(slacked).headers(b"\xff\xfe", kind)).status == 400
    assert slacked.hosts.asked == []


@pytest.mark.parametrize("stamp", ["abc", "", "9" * 40, "1e9", "\u0661"])
def test_what_is_not_signed_is_refused_before_it_is_read_whatever_its_time_says(slacked: SlackWorld, stamp: str) -> None:
    body = b"payload=%7Bnot+json"
    headers = {**way(slacked).headers(body, "application/x-www-form-urlencoded"), "x-slack-request-timestamp": stamp}
    assert way(slacked).post(body, {name: value.encode("utf-8").decode("latin-1") for name, value in headers.items()}).status == 401
    until(lambda: [event for event in slacked.trust.events() if event.reason == "bad_signature"], "the audit row")


def test_the_menu_of_hosts_shows_only_what_one_may_see(slacked: SlackWorld) -> None:
    asked = {"type": "block_suggestion", "action_id": names.HOST, "block_id": "b", "value": ""}
    stranger = {**asked, "user": {"id": "U0NOBODY", "team_id": "T0OTHER"}, "team": {"id": "T0OTHER"}}
    content, kind = encoded("interactive", stranger)
    answer = way(slacked).post(content, way(slacked).headers(content, kind))
    assert (answer.status, "web-01" in answer.body, "db-01" in answer.body) == (200, True, False)


def test_a_replayed_request_is_acknowledged_and_does_nothing_more(slacked: SlackWorld) -> None:
    card = proposed(slacked, "web-21")
    content, kind = encoded("interactive", slacked.driver.click_body("bob", card, names.APPROVE))
    headers = way(slacked).headers(content, kind)
    assert [way(slacked).post(content, headers).status for _ in range(3)] == [200, 200, 200]
    slacked.card("approvals", "Approvals: 1 of 2")
    slacked.idle()
    votes = [event for event in slacked.trust.events() if event.action == "approve"]
    assert [event.outcome for event in votes] == ["ok"]


def test_a_body_signed_for_another_time_is_refused(slacked: SlackWorld) -> None:
    content, kind = encoded("command", slacked.driver.command_body("ann", "web-01", "/triage", "incidents"))
    headers = way(slacked).headers(content, kind)
    assert way(slacked).post(content.replace(b"web-01", b"web-02"), headers).status == 401


def test_names_that_a_host_made_stay_text_in_card_thread_and_fallback(slacked: SlackWorld) -> None:
    plain = samples.diagnosis("web-01")
    assert plain.verdict is not None
    verdict = replace(plain.verdict, summary=HOSTILE, culprit=replace(plain.verdict.culprit, id=HOSTILE, unit=HOSTILE))
    offer = replace(plain.remediations[0], title=HOSTILE, culprit=HOSTILE)
    slacked.hosts.answers["web-01"] = replace(plain, headline=HOSTILE, verdict=verdict, remediations=(offer,))
    slacked.trust.diagnoser.edit["web-01"] = slacked.hosts.answers["web-01"]
    card = proposed(slacked, why=f"please {HOSTILE}")
    slacked.idle()
    sent = [call for call in slacked.gate.calls if call.method in {"chat.postMessage", "chat.update", "views.open", "views.update"}]
    assert len(sent) > 5
    for call in sent:
        for live in ("<!channel>", "<https://evil", "\u202e", "\x1b", "<@here"):
            assert live not in call.values.get("text", "") + _marked(call.values), (call.method, live)
    assert "evil.example" in str(card["blocks"])
    assert fix_of(card)


def _marked(values: dict[str, str]) -> str:
    """Every text that Slack parses."""
    import json

    found: list[str] = []

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "mrkdwn":
                found.append(node["text"])
            for item in node.values():
                look(item)
        elif isinstance(node, list):
            for item in node:
                look(item)

    for name in ("blocks", "view"):
        look(json.loads(values.get(name, "[]")))
    return "\n".join(found)


def test_what_cannot_be_asked_is_said_to_the_asker_alone(slacked: SlackWorld) -> None:
    cases = {
        "localhost": "host_name",
        "replay:pids-now": "host_name",
        "root@web-01": "host_name",
        "10.0.0.7": "inventory",
        "nosuch": "inventory",
        "web-01 colour=red": "input",
        "web-01 pid=all": "input",
        "web-01 enomen": "unknown_runbook",
    }
    for number, (text, expected) in enumerate(cases.items(), 1):
        assert slacked.driver.command("ann", text).status == 200
        assert f"Reason: {expected}" in slacked.told("ann")
        assert len(slacked.gate.whispers("ann")) == number
    assert slacked.hosts.asked == []
    assert slacked.messages("incidents") == []


def test_a_host_that_the_policy_keeps_from_an_account_is_refused_and_recorded(slacked: SlackWorld) -> None:
    names_ = slacked.face.context.names.inventory.hosts
    assert "web-01" in names_
    slacked.driver.command("unmapped", "web-01")
    slacked.card("incidents", "CAUSE FOUND · web-01")
    slacked.driver.command("unmapped", "db-01")
    assert "Reason: no_rule" in slacked.told("unmapped")
    assert slacked.trust.events()[-1].reason == "no_rule"
