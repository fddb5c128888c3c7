"""A user group of Slack as approvers: asked at each decision, never guessed, and only persons of the policy count."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from triagebook.bot.slack.cards import names
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.tools.policy.model import PolicyQuestion

from tests.system.fixes import policies
from tests.system.slack import world as worlds

from .gate import Gate
from .paths import fix_of, form, proposed, reason
from .test_decisions import refused
from .world import SlackWorld, until

GROUP = "S0ONCALL"


def policy_of(through: Gate) -> str:
    """Decided by the group; everybody of the file may ask and carry out."""
    text = worlds.policy(through).replace("rules:", f"  oncall: {{slack_usergroup: {through.workspace.team}/{GROUP}}}\nrules:")
    return text.replace('from: ["group:sre"]', 'from: ["group:oncall"]')


def members(through: Gate, *users: str) -> None:
    through.groups[GROUP] = [through.workspace.users.get(user, user) for user in users]


@pytest.fixture
def grouped(tmp_path: Path, through: Gate) -> Iterator[SlackWorld]:
    members(through, "bob")
    with worlds.over_http(tmp_path, through, policy_text=policy_of(through)) as made:
        yield made


def test_a_member_of_the_group_approves_and_the_log_says_who_was_in_it(grouped: SlackWorld) -> None:
    card = proposed(grouped)
    assert "0 of 1 (group:oncall)" in card["text"]
    grouped.driver.click("bob", card, names.APPROVE)
    grouped.card("approvals", "DONE AND VALIDATED")
    (approval,) = [event for event in grouped.trust.events() if event.action == "approve"]
    assert (approval.person, approval.detail[f"members of slack:{grouped.gate.workspace.team}/{GROUP}"]) == ("bob", "bob")


def test_the_card_calls_the_group_and_its_other_members_where_the_requester_is_in_it(grouped: SlackWorld, through: Gate) -> None:
    assert f"Please decide: <!subteam^{GROUP}>'" in str(proposed(grouped)["blocks"])
    members(through, "ann", "bob")
    grouped.trust.trust.groups.refresh(grouped.trust.trust.policy)
    assert f"Please decide: <@{through.workspace.users['bob']}>'" in str(proposed(grouped, "web-02")["blocks"])


def test_who_is_not_or_no_longer_in_the_group_is_refused(grouped: SlackWorld, through: Gate) -> None:
    card = proposed(grouped)
    grouped.driver.click("cid", card, names.APPROVE)
    refused(grouped, "cid", "not_an_approver")
    members(through, "cid")
    grouped.driver.click("bob", card, names.APPROVE)
    refused(grouped, "bob", "not_an_approver")
    grouped.driver.click("cid", card, names.APPROVE)
    grouped.card("approvals", "DONE AND VALIDATED")


def test_the_requester_never_counts_though_the_group_has_them(grouped: SlackWorld, through: Gate) -> None:
    members(through, "ann", "bob")
    card = proposed(grouped)
    grouped.driver.click("ann", card, names.APPROVE)
    refused(grouped, "ann", "self_approval")


def test_unmapped_members_guests_and_strangers_are_nobody(grouped: SlackWorld, through: Gate) -> None:
    members(through, "unmapped", "U0SLY", "guest")
    card = proposed(grouped)
    grouped.driver.click("unmapped", card, names.APPROVE)
    refused(grouped, "unmapped", "unmapped_account")
    through.users[through.workspace.users["guest"]] = {"is_restricted": True}
    grouped.driver.click("guest", card, names.APPROVE)
    refused(grouped, "guest", "external_user")
    with pytest.raises(RefusedError, match="dan is not among the approvers"):
        grouped.trust.service.approve(policies.actor("dan"), fix_of(card), grouped.trust.digest(fix_of(card)))
    assert grouped.trust.state(fix_of(card)) == "proposed"


def test_a_guest_is_no_member_at_the_command_line_either(grouped: SlackWorld, through: Gate) -> None:
    members(through, "bob", "cid")
    fix = fix_of(proposed(grouped))
    through.users[through.workspace.users["bob"]] = {"is_ultra_restricted": True}
    with pytest.raises(RefusedError, match="bob is not among the approvers"):
        grouped.trust.service.approve(policies.actor("bob"), fix, grouped.trust.digest(fix))
    through.users.clear()
    assert grouped.trust.service.approve(policies.actor("bob"), fix, grouped.trust.digest(fix)).state == "approved"


def test_an_empty_group_is_nobody(grouped: SlackWorld, through: Gate) -> None:
    members(through)
    card = proposed(grouped)
    grouped.driver.click("bob", card, names.APPROVE)
    refused(grouped, "bob", "empty_approver_set")


@pytest.mark.parametrize("how", ["silent", "unknown", "users"])
def test_where_slack_does_not_say_who_is_in_the_group_nothing_is_decided(grouped: SlackWorld, through: Gate, how: str) -> None:
    card = proposed(grouped)  # the group was known until now: what is remembered is not what is decided by
    until(lambda: through.of("usergroups.users.list"), "the group to be read")
    if how == "unknown":
        through.groups.clear()
    else:
        through.failing.add("usergroups.users.list" if how == "silent" else "users.info")
    word = {"silent": "internal_error", "unknown": "no_such_subteam", "users": "internal_error"}[how]
    with pytest.raises(RefusedError, match=rf"{GROUP} now \({word}\): nothing was decided"):
        grouped.trust.service.approve(policies.actor("bob"), fix_of(card), grouped.trust.digest(fix_of(card)))
    grouped.driver.click("bob", card, names.DENY)
    grouped.driver.submit("bob", form(through, names.DENY_VIEW), reason())
    refused(grouped, "bob", "unchecked_account" if how == "users" else "unchecked_group")
    assert grouped.trust.state(fix_of(card)) == "proposed"
    assert [event.reason for event in grouped.trust.events() if event.action == "approve"] == ["unchecked_group"]


def test_an_approval_of_somebody_who_left_the_group_carries_nothing_out(grouped: SlackWorld, through: Gate) -> None:
    fix = fix_of(proposed(grouped))
    grouped.trust.service.approve(policies.actor("bob"), fix, grouped.trust.digest(fix))
    through.failing.add("usergroups.users.list")
    with pytest.raises(RefusedError, match="its approvals cannot be checked: Slack does not say"):
        grouped.trust.service.apply(policies.actor("cid"), fix)
    through.failing.clear()
    members(through, "dan")
    with pytest.raises(RefusedError, match="do not suffice under the policy of now"):
        grouped.trust.service.apply(policies.actor("cid"), fix)
    assert [event.reason for event in grouped.trust.events() if event.action == "apply"] == ["unchecked_group", "approval_void"]
    assert grouped.trust.executor.effects(fix) == []


def test_a_place_of_trust_without_slack_refuses_and_says_why(grouped: SlackWorld) -> None:
    fix = fix_of(proposed(grouped))
    grouped.trust.trust.groups.directory = None
    with pytest.raises(RefusedError, match=r"this server does not serve Slack \(serve --slack\)"):
        grouped.trust.service.approve(policies.actor("bob"), fix, grouped.trust.digest(fix))
    answer = grouped.trust.service.policy_check(policies.actor("bob"), PolicyQuestion("approve", "web-01", "forks@1.0.0", "low"))
    assert (answer.is_allowed, answer.reason) == (False, "unchecked_group")


def test_a_group_of_another_workspace_is_not_asked(tmp_path: Path, through: Gate) -> None:
    text = policy_of(through).replace(f"{through.workspace.team}/{GROUP}", f"{worlds.STRANGER_TEAM}/{GROUP}")
    members(through, "bob")
    with worlds.over_http(tmp_path, through, policy_text=text) as world:
        world.driver.click("bob", proposed(world), names.APPROVE)
        refused(world, "bob", "unchecked_group")
        assert not through.of("usergroups.users.list")


def test_the_home_tab_shows_a_member_what_waits(grouped: SlackWorld) -> None:
    card = proposed(grouped)
    for user, is_shown in (("bob", True), ("cid", False)):
        grouped.driver.home(user)
        until(lambda: [call for call in grouped.gate.of("views.publish") if call.values["user_id"] == id_of(grouped, user)], "home")  # noqa: B023
        newest = [call for call in grouped.gate.of("views.publish") if call.values["user_id"] == id_of(grouped, user)][-1]
        assert (fix_of(card) in newest.values["view"]) is is_shown


def id_of(world: SlackWorld, user: str) -> str:
    return world.gate.workspace.users[user]
