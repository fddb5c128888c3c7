"""Who may decide, when, once: every click is judged anew, every no is told to who clicked alone and is in the log."""

import threading
from dataclasses import replace
from pathlib import Path

from triagebook.bot.slack.cards import names
from triagebook.tools.store import chat_tokens

from tests.system.fixes import policies
from tests.system.slack import world as worlds

from .driver import buttons
from .gate import Gate
from .paths import fix_of, form, proposed, reason
from .world import SlackWorld


def refused(world: SlackWorld, user: str, expected: str, times: int = 1) -> None:
    """The user alone was told, so many times by now, and the log has it under the account that Slack proved."""
    world.idle()
    told = [text for text in world.gate.whispers(user) if text.startswith("Not done")]
    assert len(told) >= times
    assert f"Reason: {expected}" in told[-1], told
    rows = [event for event in world.trust.events() if event.outcome == "refused"]
    assert (rows[-1].reason, rows[-1].channel) == (expected, "slack"), rows[-1]
    assert rows[-1].account.endswith(f"/{world.gate.workspace.users[user]}")


def test_who_is_no_approver_is_refused(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    for user, expected in (("ann", "self_approval"), ("eve", "not_an_approver"), ("unmapped", "unmapped_account")):
        slacked.driver.click(user, card, names.APPROVE)
        refused(slacked, user, expected)
    assert slacked.trust.state(fix_of(card)) == "proposed"


def test_a_guest_or_a_stranger_cannot_decide_even_when_the_policy_names_the_account(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    guest = slacked.gate.workspace.users["guest"]
    lies = (
        {"is_restricted": True},
        {"is_ultra_restricted": True},
        {"is_stranger": True},
        {"team_id": "T0OTHER"},
        {"deleted": True},
    )
    for times, told in enumerate(lies, 1):
        slacked.gate.users[guest] = told
        slacked.driver.click("guest", card, names.APPROVE)
        refused(slacked, "guest", "external_user", times)
    assert slacked.trust.events()[-1].fix == fix_of(card)
    assert slacked.trust.state(fix_of(card)) == "proposed"
    slacked.gate.users.clear()
    slacked.driver.click("guest", card, names.APPROVE)
    slacked.card("approvals", "DONE AND VALIDATED")


def test_a_click_from_another_workspace_counts_for_nothing(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    for who in ({"id": "U0SLY", "team_id": worlds.STRANGER_TEAM}, {"id": "U0SLY", "team_id": slacked.gate.workspace.team}):
        for team in ({"id": worlds.STRANGER_TEAM}, {"id": slacked.gate.workspace.team}):
            slacked.driver.way.send(
                "interactive", slacked.driver.click_body("bob", card, names.APPROVE) | {"user": who, "team": team}
            )
    slacked.idle()
    assert slacked.trust.state(fix_of(card)) == "proposed"
    reasons = {event.reason for event in slacked.trust.events() if event.outcome == "refused"}
    assert reasons == {"external_user", "unknown_button", "unchecked_account"}


def test_what_slack_cannot_tell_of_a_user_counts_as_no(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    slacked.gate.failing.add("users.info")
    slacked.driver.click("bob", card, names.APPROVE)
    refused(slacked, "bob", "unchecked_account")
    assert slacked.trust.state(fix_of(card)) == "proposed"


def test_a_made_up_or_old_button_does_nothing(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    body = slacked.driver.click_body("bob", card, names.APPROVE)
    body["actions"][0]["value"] = fix_of(card)
    slacked.driver.way.send("interactive", body)
    refused(slacked, "bob", "unknown_button")
    slacked.trust.clock.pass_(hours=25)
    slacked.driver.click("bob", card, names.APPROVE)
    refused(slacked, "bob", "button_expired")


def test_a_button_approves_the_plan_its_card_showed_and_no_other(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    with slacked.trust.store.write() as transaction:
        meaning = chat_tokens.Meaning(
            names.APPROVE, slacked.gate.workspace.team, slacked.trust.clock() + worlds.HOUR, "m", fix_of(card), "f" * 64
        )
        token = chat_tokens.mint(transaction, meaning, slacked.trust.clock())
    body = slacked.driver.click_body("bob", card, names.APPROVE)
    body["actions"][0]["value"] = token
    slacked.driver.way.send("interactive", body)
    refused(slacked, "bob", "other_plan")


def test_of_two_approvers_at_the_same_instant_one_decides(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    bodies = [slacked.driver.click_body(user, card, names.APPROVE) for user in ("bob", "cid")]
    start = threading.Barrier(2)

    def press(body: dict[str, object]) -> None:
        start.wait()
        slacked.driver.way.send("interactive", body)

    threads = [threading.Thread(target=press, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slacked.card("approvals", "DONE AND VALIDATED")
    slacked.idle()
    outcomes = sorted((event.outcome, event.reason) for event in slacked.trust.events() if event.action == "approve")
    assert outcomes == [("ok", ""), ("refused", "already_decided")]
    assert len(slacked.trust.executor.effects(fix_of(card))) == 1


def test_two_of_two_are_needed_where_the_policy_says_so(slacked: SlackWorld) -> None:
    card = proposed(slacked, "web-21")
    assert "0 of 2" in card["text"]
    slacked.driver.click("bob", card, names.APPROVE)
    half = slacked.card("approvals", "Approvals: 1 of 2")
    assert names.APPROVE in buttons(half)
    slacked.driver.click("bob", half, names.APPROVE)
    refused(slacked, "bob", "already_voted")
    slacked.driver.click("cid", half, names.APPROVE)
    slacked.card("approvals", "DONE AND VALIDATED: web-21")


def test_a_denial_has_its_reason_and_ends_it(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    slacked.driver.click("bob", card, names.DENY)
    slacked.driver.submit("bob", form(slacked.gate, names.DENY_VIEW), reason("wait for the deploy"))
    denied = slacked.card("approvals", "DENIED: web-01")
    assert buttons(denied) == []
    assert [event.detail["why"] for event in slacked.trust.events() if event.action == "deny"] == ["wait for the deploy"]
    slacked.driver.click("cid", card, names.APPROVE)
    refused(slacked, "cid", "already_decided")
    assert any("DENIED" in text for text in slacked.gate.whispers("ann"))


def test_only_the_requester_withdraws(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    slacked.driver.click("bob", card, names.WITHDRAW)
    refused(slacked, "bob", "not_the_requester")
    slacked.driver.click("ann", card, names.WITHDRAW)
    slacked.card("approvals", "WITHDRAWN: web-01")


def test_an_expired_plan_shows_it_by_itself_and_cannot_be_approved(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    slacked.trust.clock.pass_(minutes=16)
    slacked.driver.click("bob", card, names.APPROVE)
    refused(slacked, "bob", "expired")
    slacked.trust.service.sweep()
    expired = slacked.card("approvals", "EXPIRED: web-01")
    assert buttons(expired) == [names.REPLAN, names.DETAILS]
    slacked.driver.click("cid", expired, names.REPLAN)
    assert slacked.card("approvals", "APPROVAL NEEDED: web-01")["ts"] != card["ts"]


def test_a_decision_elsewhere_reaches_every_copy(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    fix = fix_of(card)
    slacked.trust.service.approve(policies.actor("bob"), fix, slacked.trust.service.show(policies.actor("bob"), fix).digest)
    approved = slacked.card("approvals", "APPROVED, NOT YET APPLIED")
    assert buttons(approved) == [names.APPLY, names.DETAILS, names.WITHDRAW]
    slacked.driver.click("cid", card, names.APPROVE)
    refused(slacked, "cid", "already_decided")
    slacked.trust.service.apply(policies.actor("bob"), fix)
    done = slacked.card("approvals", "DONE AND VALIDATED")
    slacked.idle()
    root = slacked.card("incidents", "CAUSE FOUND")
    assert [item["text"] for item in slacked.thread(root) if fix in item["text"]] == [done["text"]]
    slacked.driver.click("cid", approved, names.APPLY)
    refused(slacked, "cid", "already_used")


def test_a_plan_from_the_command_line_waits_in_the_approvers_channel_too(slacked: SlackWorld) -> None:
    fix = slacked.trust.propose("ann", "web-09")
    card = slacked.card("approvals", "APPROVAL NEEDED: web-09")
    assert fix_of(card) == fix
    slacked.driver.click("bob", card, names.APPROVE)
    slacked.card("approvals", "DONE AND VALIDATED: web-09")


def test_a_plan_that_no_longer_holds_is_stale_and_can_be_made_anew(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    slacked.trust.diagnoser.limit = 150
    slacked.driver.click("bob", card, names.APPROVE)
    stale = slacked.card("approvals", "STALE: THE HOST HAS CHANGED SINCE: web-01")
    assert buttons(stale) == [names.REPLAN, names.DETAILS]
    assert slacked.trust.executor.effects(fix_of(card)) == []
    assert "Not done: apply" in slacked.told("bob")


def test_a_slow_host_leaves_the_plan_approved_with_its_button_to_apply(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    slow = replace(slacked.trust.diagnoser.diagnose("web-01", "", {}), status="unreachable", headline="no session within 20 s")
    slacked.trust.diagnoser.edit["web-01"] = slow
    slacked.driver.click("bob", card, names.APPROVE)
    approved = slacked.card("approvals", "APPROVED, NOT YET APPLIED: web-01")
    assert "it stays approved until" in slacked.told("bob")
    slacked.trust.diagnoser.edit.clear()
    slacked.driver.click("bob", approved, names.APPLY)
    slacked.card("approvals", "DONE AND VALIDATED: web-01")


def test_who_may_approve_and_not_apply_leaves_that_to_another(tmp_path: Path, through: Gate) -> None:
    text = worlds.policy(through).replace("allow: [propose, apply, break_lock]", "allow: [propose, break_lock]")
    text = text.replace("  - {name: dan reads", "  - {name: cid applies, allow: [apply], who: [cid]}\n  - {name: dan reads")
    with worlds.over_http(tmp_path, through, policy_text=text) as world:
        card = proposed(world)
        world.driver.click("bob", card, names.APPROVE)
        approved = world.card("approvals", "APPROVED, NOT YET APPLIED")
        world.driver.click("bob", approved, names.APPLY)
        refused(world, "bob", "no_rule")
        world.driver.click("cid", approved, names.APPLY)
        world.card("approvals", "DONE AND VALIDATED")


def test_details_are_for_who_may_see_the_host(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    slacked.driver.click("eve", card, names.DETAILS)
    slacked.idle()
    view = str(slacked.gate.views()[-1])
    assert slacked.trust.digest(fix_of(card)) in view
    assert "Order sent to the host once signed" in view


def test_a_copy_that_nobody_remembers_posting_follows_once_it_is_clicked(slacked: SlackWorld) -> None:
    card = proposed(slacked)
    lost = slacked.gate.workspace.call(
        "chat.postMessage", as_bot=True, channel=card["channel"], text=card["text"], blocks=card["blocks"]
    )
    copy = {**card, "ts": lost["ts"]}
    slacked.driver.click("bob", copy, names.APPROVE)
    slacked.card("approvals", "DONE AND VALIDATED")
    slacked.idle()
    shown = [item["text"][:20] for item in slacked.messages("approvals") if item["ts"] in {copy["ts"], card["ts"]}]
    assert shown == ["🟢 DONE AND VALIDATED"[:20]] * 2


def test_numbers_beyond_their_bounds_are_said_in_the_form(slacked: SlackWorld) -> None:
    from .paths import LIMIT, wish

    slacked.driver.command("ann", "web-01")
    card = slacked.card("incidents", "CAUSE FOUND")
    slacked.driver.click("ann", card, names.PROPOSE)
    view = form(slacked.gate, names.PROPOSE_VIEW)
    slacked.idle()
    answer = slacked.driver.submit("ann", view, wish(limit="100000"))
    assert LIMIT in answer.body
    assert slacked.trust.service.list(policies.actor("ann")) == ()
    slacked.driver.change("ann", view, names.PARAM, wish(limit="400"))
    slacked.idle()
    assert "TasksMax=400" in str(slacked.gate.views()[-1])


def test_the_card_in_the_approvers_channel_calls_them_until_it_is_decided(slacked: SlackWorld) -> None:
    card, users = proposed(slacked), slacked.gate.workspace.users
    said = str(card["blocks"])
    assert all(f"<@{users[name]}>" in said.partition("Please decide: ")[2].partition("'")[0] for name in ("bob", "cid"))
    assert f"<@{users['ann']}>" not in said.partition("Please decide: ")[2].partition("'")[0]
    slacked.idle()
    copies = [item for item in slacked.thread(slacked.card("incidents", "CAUSE FOUND")) if "APPROVAL NEEDED" in item["text"]]
    assert copies
    assert "Please decide" not in str(copies)
    slacked.driver.click("bob", card, names.DENY)
    slacked.driver.submit("bob", form(slacked.gate, names.DENY_VIEW), reason())
    assert "Please decide" not in str(slacked.card("approvals", "DENIED: web-01")["blocks"])
