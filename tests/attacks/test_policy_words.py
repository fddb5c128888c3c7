"""Words of a policy that would mean less than they say, and reasons that say nothing."""

import time
from dataclasses import replace

import pytest
from triagebook.runbooks.engine.errors import PolicyError, TriagebookError
from triagebook.tools.fixes.service import FixService
from triagebook.tools.patterns import matches
from triagebook.tools.policy.decide import may
from triagebook.tools.policy.load import load_policy
from triagebook.tools.policy.model import PolicyQuestion

from tests.system.fixes.policies import TEXT, actor, policy
from tests.system.fixes.world import World


@pytest.mark.parametrize("who", ["ann", "bob", "mcp:robot", "stranger", "slack:U0NOBODY", "mcp:nobody"])
def test_what_anyone_is_denied_nobody_may(who: str) -> None:
    made = policy()
    question = PolicyQuestion("propose", "vault-1", "forks", "low")
    decision = may(made, made.directory.identify(actor(who).account), question)
    assert not decision.is_allowed
    if who in {"ann", "bob", "mcp:robot"}:
        assert "not the vault" in decision.says


def test_what_anyone_is_allowed_is_for_persons() -> None:
    made = policy(TEXT.replace('who: [anyone, "service:robot"]', "who: [anyone]"))
    for who, allowed in (("ann", True), ("mcp:robot", False), ("stranger", False)):
        identity = made.directory.identify(actor(who).account)
        assert may(made, identity, PolicyQuestion("diagnose", "db-1", "forks")).is_allowed is allowed


def test_an_account_of_nobody_is_denied_what_anyone_is() -> None:
    made = policy(
        TEXT.replace("deny: [propose], who: [anyone], hosts: [vault-*]", "deny: [diagnose], who: [anyone], hosts: [web-9]")
    )
    stranger = made.directory.identify(actor("stranger").account)
    assert may(made, stranger, PolicyQuestion("diagnose", "web-1", "forks")).is_allowed
    assert not may(made, stranger, PolicyQuestion("diagnose", "web-9", "forks")).is_allowed


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("who: [anyone], hosts: [vault-*]", "who: [], hosts: [vault-*]", "names nobody"),
        ("deny: [propose]", "deny: []", "never apply"),
        ("allow: [diagnose], who: [unmapped]", "allow: [], who: [unmapped]", "never apply"),
        ("who: [ann], hosts: [web-*], risks", "who: [], hosts: [web-*], risks", "names nobody"),
        ("name: sre applies", "name: sre asks", "'sre asks' already"),
        ("name: two for medium", "name: databases", "'databases' already"),
        (
            "  dan: {accounts: [{os: dan}]}",
            "  dan: {accounts: [{os: dan}]}\n  Dan: {accounts: [{os: dan2}]}",
            "differ in case only",
        ),
        ("  retired: []", "  retired: []\n  SRE: [dan]", "differ in case only"),
    ],
)
def test_words_that_would_silently_mean_nothing_are_refused(old: str, new: str, says: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(PolicyError, match=says):
        load_policy(TEXT.replace(old, new), "policy.yaml")


def test_a_pattern_of_many_stars_ends(world: World) -> None:
    began = time.process_time()
    assert not matches("a" * 60, "*a" * 14 + "*b")
    assert matches("a" * 60 + "b", "*a" * 14 + "*b")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        *[
            ("", "", True),
            ("", "*", True),
            ("", "?", False),
            ("web-1", "web-?", True),
            ("web-12", "web-?", False),
            ("ab", "a*b*", True),
        ],
        *[
            ("[h]:22", "[h]:*", True),
            ("axbxc", "a*b*c", True),
            ("axbxd", "a*b*c", False),
            ("aab", "*ab", True),
            ("a\nb", "a*b", True),
        ],
    ],
)
def test_a_pattern_means_what_it_did(name: str, pattern: str, fits: bool) -> None:
    assert matches(name, pattern) is fits
    assert matches(name.upper(), pattern, ignore_case=True) is fits


def test_a_glass_that_the_policy_of_now_does_not_let_break_is_whole(world: World) -> None:
    def with_policy(text: str) -> FixService:
        return FixService(replace(world.trust, policy=load_policy(text, "policy.yaml")))

    fix_id = world.propose()
    assert world.approve(fix_id, "ann", break_glass="pages all night") == "approved"
    without = TEXT[: TEXT.index("break_glass:")]
    for text in (
        without,
        TEXT.replace("who: [ann], hosts: [web-*]", "who: [ann], hosts: [db-*]"),
        TEXT.replace("who: [ann], h", "who: [bob], h"),
        TEXT.replace("via: [cli, slack]", "via: [slack]"),
    ):
        with pytest.raises(TriagebookError) as refused:
            with_policy(text).apply(actor("cid"), fix_id)
        assert refused.value.reason == "approval_void"
    assert world.executor.effects(fix_id) == []
    assert world.apply(fix_id) == "validated"


@pytest.mark.parametrize("reason", ["\u200b", "\u3164", " \u00a0\u2003", "\u2800", "\u00ad\ufeff", "...", "\u115f\u1160\uffa0"])
def test_a_reason_that_nobody_can_read_is_none(world: World, reason: str) -> None:
    fix_id = world.propose()
    with pytest.raises(TriagebookError) as refused:
        world.approve(fix_id, "ann", break_glass=reason)
    assert refused.value.reason in {"usage", "self_approval"}
    assert world.state(fix_id) == "proposed"
    with pytest.raises(TriagebookError, match="why the lock is broken"):
        world.service.break_lock(actor("ann"), "web-01", reason)
