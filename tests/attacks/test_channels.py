"""An assistant with a shell is its person on the socket. Terms can demand a channel where it is not; the glass does by default."""

from dataclasses import replace

import pytest
from triagebook.runbooks.engine.errors import PolicyError
from triagebook.tools.fixes.service import FixService
from triagebook.tools.policy.load import load_policy

from tests.system.fixes import policies
from tests.system.fixes.world import World

SLACK_ONLY = policies.TEXT.replace(
    '{name: one for low, risks: [low], needs: [{from: ["group:sre"]}]',
    '{name: one for low, risks: [low], via: [slack], needs: [{from: ["group:sre"]}]',
)
PLAIN_GLASS = policies.TEXT.replace(", via: [cli, slack]}", "}")


def under(world: World, text: str) -> World:
    trust = replace(world.trust, policy=load_policy(text, "policy.yaml"))
    return replace(world, trust=trust, service=FixService(trust))


def test_an_approval_on_another_channel_is_refused_and_one_there_counts(world: World) -> None:
    strict = under(world, SLACK_ONLY)
    fix_id = strict.propose()
    assert strict.refused(strict.approve, fix_id, "bob") == "other_channel"
    assert strict.approve(fix_id, "slack:U0BOB") == "approved"
    assert "by slack only" in strict.service.show(policies.actor("dan"), fix_id).approvals
    assert strict.apply(fix_id) == "validated"


def test_an_approval_given_before_the_policy_demanded_a_channel_does_not_count_any_more(world: World) -> None:
    fix_id = world.approved()
    strict = under(world, SLACK_ONLY)
    assert strict.refused(strict.apply, fix_id) == "approval_void"
    assert strict.service.show(policies.actor("dan"), fix_id).approvals.startswith("0 of 1")
    assert world.executor.effects(fix_id) == []


def test_no_glass_is_broken_over_the_socket_unless_its_rule_says_so(world: World) -> None:
    default = under(world, PLAIN_GLASS)
    fix_id = default.propose()
    assert default.refused(default.approve, fix_id, "ann", break_glass="nobody awake") == "other_channel"
    assert default.approve(fix_id, "slack:U0ANN", break_glass="nobody awake") == "approved"
    other = world.propose(host="web-02")
    assert world.approve(other, "ann", break_glass="nobody awake") == "approved"


@pytest.mark.parametrize("via", ["[mcp]", "[web2]", "[]", "[telnet]"])
def test_a_channel_on_which_nobody_may_decide_is_refused_in_the_policy(via: str) -> None:
    with pytest.raises(PolicyError, match=r"policy.yaml:\d+"):
        load_policy(SLACK_ONLY.replace("via: [slack], needs", f"via: {via}, needs"), "policy.yaml")
