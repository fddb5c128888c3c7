import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import PolicyError, UsageError
from triagebook.tools.fixes.groups import persons
from triagebook.tools.policy.decide import is_approved, may, may_vote, votes_text
from triagebook.tools.policy.identity import Account, parse_account
from triagebook.tools.policy.load import load_policy
from triagebook.tools.policy.model import UNCONFIGURED, Need, PolicyQuestion, PolicyScope, Terms, UserGroup

from tests.system.fixes.policies import TEXT, actor, policy

POLICY = policy()


def _may(name: str, action: str, host: str = "web-01", runbook: str = "forks@1.0.0", risk: str = "low") -> tuple[bool, str]:
    decision = may(POLICY, POLICY.directory.identify(actor(name).account), PolicyQuestion(action, host, runbook, risk))
    return decision.is_allowed, decision.reason


def _vote(name: str, requester: str = "ann", *, host: str = "web-01", risk: str = "low", why: str = "") -> tuple[bool, str]:
    question = PolicyQuestion("approve", host, "forks@1.0.0", risk)
    decision = may_vote(POLICY, POLICY.directory.identify(actor(name).account), question, requester, break_glass=why)
    return decision.is_allowed, decision.reason


@pytest.mark.parametrize(
    ("who", "action", "host", "expected"),
    [
        ("ann", "propose", "web-01", (True, "allowed")),
        ("slack:U0ANN", "propose", "WEB-01", (True, "allowed")),
        ("ann", "propose", "vault-1", (False, "denied_by_rule")),  # the first rule that fits
        ("dan", "propose", "web-01", (False, "no_rule")),
        ("mcp:robot", "propose", "web-01", (True, "allowed")),
        ("mcp:robot", "apply", "web-01", (False, "no_rule")),  # a service has not the rights of its owner
        ("eve", "diagnose", "web-01", (True, "allowed")),
        ("eve", "diagnose", "db-01", (False, "no_rule")),
        ("eve", "propose", "web-01", (False, "unmapped_account")),
        ("eve", "read_audit", "web-01", (False, "unmapped_account")),
        ("mcp:stranger", "apply", "web-01", (False, "unmapped_account")),
        ("slack:U0EVE", "break_lock", "web-01", (False, "unmapped_account")),
        ("dan", "read_audit", "", (True, "allowed")),
        ("bob", "read_audit", "web-01", (True, "allowed")),
        ("bob", "read_audit", "", (False, "no_rule")),  # everything: only a rule without a limit on hosts
        ("bob", "approve", "web-01", (False, "no_rule")),
        ("ann", "become_root", "web-01", (False, "no_rule")),
    ],
)
def test_the_first_rule_that_fits_decides_and_none_means_no(who: str, action: str, host: str, expected: tuple[bool, str]) -> None:
    assert _may(who, action, host) == expected


def test_a_rule_limits_runbooks_and_risks() -> None:
    assert _may("ann", "propose", runbook="other@1.0.0") == (False, "no_rule")
    assert _may("ann", "propose", risk="high") == (False, "no_rule")
    assert _may("ann", "propose", risk="") == (False, "no_rule")


def test_without_a_policy_an_os_user_may_diagnose_and_change_nothing() -> None:
    for action, allowed in (("diagnose", True), ("propose", False), ("apply", False), ("read_audit", False), ("break_lock", False)):
        decision = may(UNCONFIGURED, UNCONFIGURED.directory.identify(actor("root").account), PolicyQuestion(action, "web-01"))
        assert (decision.is_allowed, decision.reason) == (allowed, "no_policy")
    stranger = UNCONFIGURED.directory.identify(actor("mcp:ann").account)
    assert not may(UNCONFIGURED, stranger, PolicyQuestion("diagnose", "web-01")).is_allowed
    assert not may_vote(UNCONFIGURED, stranger, PolicyQuestion("approve"), "ann").is_allowed


@pytest.mark.parametrize(
    ("who", "requester", "expected"),
    [
        ("bob", "ann", (True, "approver")),
        ("slack:U0BOB", "ann", (True, "approver")),
        ("ann", "ann", (False, "self_approval")),
        ("slack:U0ANN", "ann", (False, "self_approval")),  # the same person by another account
        ("dan", "ann", (False, "not_an_approver")),
        ("eve", "ann", (False, "unmapped_account")),
        ("mcp:robot", "bob", (False, "service_cannot_approve")),
        ("mcp:robot", "ann", (False, "service_cannot_approve")),
        ("mcp:ann", "bob", (False, "mcp_cannot_approve")),
    ],
)
def test_another_known_person_among_the_approvers_decides(who: str, requester: str, expected: tuple[bool, str]) -> None:
    assert _vote(who, requester) == expected


def test_the_owner_of_a_service_counts_as_the_one_who_asked() -> None:
    requester = POLICY.directory.identify(actor("mcp:robot").account).person
    assert requester == "ann"
    assert _vote("ann", requester) == (False, "self_approval")


def test_an_empty_approver_set_is_nobody() -> None:
    assert _vote("bob", host="old-1") == (False, "empty_approver_set")
    assert not is_approved(Terms("none", (), 60, PolicyScope(), ""), ["bob"])


def test_plans_that_no_terms_cover_are_approved_by_nobody() -> None:
    assert _vote("bob", risk="high") == (False, "no_approval_rule")


def test_breaking_the_glass_needs_a_rule_a_reason_and_an_own_plan() -> None:
    assert _vote("ann", why="pager, nobody awake") == (True, "break_glass")
    assert _vote("ann", host="db-1", why="pager") == (False, "no_break_glass")
    assert _vote("bob", requester="bob", why="pager") == (False, "no_break_glass")
    assert _vote("bob", why="pager") == (False, "break_glass_not_needed")
    assert _vote("ann", why="") == (False, "self_approval")


@pytest.mark.parametrize(
    ("persons", "approved"),
    [([], False), (["ann"], False), (["cid"], False), (["ann", "cid"], True), (["cid", "dan"], True), (["ann", "bob"], False)],
)
def test_each_person_fills_one_seat(persons: list[str], approved: bool) -> None:
    terms = POLICY.terms_for(PolicyQuestion("approve", "db-1", "forks", "low"))
    assert terms is not None
    assert is_approved(terms, persons) is approved


def test_what_is_missing_is_said() -> None:
    terms = POLICY.terms_for(PolicyQuestion("approve", "web-1", "forks", "medium"))
    assert terms is not None
    assert votes_text(terms, ["bob"]) == "1 of 2 (group:sre)"


def test_a_user_group_is_nobody_until_it_was_asked_and_then_its_persons() -> None:
    kept = policy(TEXT.replace("retired: []", "retired: {slack_usergroup: T0TEAM/S0ONCALL}"))
    question, bob = PolicyQuestion("approve", "old-1", "forks", "low"), kept.directory.identify(actor("bob").account)
    before = may_vote(kept, bob, question, "ann")
    assert (before.is_allowed, before.reason) == (False, "unchecked_group")
    assert "slack:T0TEAM/S0ONCALL: Slack was not asked" in before.says
    terms = kept.terms_for(question)
    assert terms is not None
    assert votes_text(terms, ["bob"]) == "0 of 1 (group:retired; who that is, Slack has not said yet)"
    group = UserGroup("T0TEAM", "S0ONCALL")
    reasons = [
        may_vote(kept.with_members({group: frozenset(members)}), bob, question, "ann").reason
        for members in ([], ["ann"], ["cid"], ["bob"])
    ]
    assert reasons == ["empty_approver_set", "empty_approver_set", "not_an_approver", "approver"]


def test_a_service_in_a_user_group_makes_nobody_an_approver() -> None:
    kept = policy(TEXT.replace('{mcp: "https://idp.example/", subject: robot}', "{slack: T0TEAM/U0ROBOT}"))
    accounts = [parse_account(f"slack:T0TEAM/{user}") for user in ("U0ROBOT", "U0BOB", "U0UNKNOWN")]
    assert persons(kept.directory, accounts) == {"bob"}


@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=4), st.sets(st.sampled_from("abcd")))
def test_seats_are_filled_whenever_they_can_be(sets: list[set[str]], persons: set[str]) -> None:
    from itertools import permutations

    terms = Terms("t", tuple(Need(frozenset(item), 1) for item in sets), 60, PolicyScope(), "")
    possible = any(
        all(person in seat for person, seat in zip(order, sets, strict=True)) for order in permutations(persons, len(sets))
    )
    assert is_approved(terms, sorted(persons)) is possible


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("deny: [propose]", "deny: [propse]", "policy.yaml:16: rules[0].deny[0]: unknown word 'propse' (did you mean 'propose'?)"),
        ("who: [anyone], hosts", "who: [ben], hosts", "policy.yaml:16: rules[0].who[0]: no such person 'ben'"),
        ('who: ["group:sre"]', 'who: ["group:sra"]', "policy.yaml:20: rules[4].who[0]: no such group 'sra' (did you mean 'sre'?)"),
        ("allow: [read_audit], who: [dan]", "permit: [read_audit], who: [dan]", "policy.yaml:21: rules[5].permit: unknown key"),
        (
            "sre: [ann, bob, cid]",
            "sre: [ann, bobb, cid]",
            "policy.yaml:12: groups.sre[1]: no such person 'bobb' (did you mean 'bob'?)",
        ),
        ("{os: cid}", "{os: bob}", "policy.yaml:7: persons.cid.accounts[0]: os:bob already belongs to somebody (policy.yaml:6)"),
        ("subject: robot", "subject: ann", "already belongs to somebody"),
        ("owner: ann", "owner: robot", "policy.yaml:10: services.robot.owner: no such person 'robot'"),
        ("bob: {accounts", "ann: {accounts", "policy.yaml:6: persons.ann: the key stands here twice"),
        ("expires_in: 1h", "expires_in: 1w", "policy.yaml:24: approvals[0].expires_in: expected a time such as 90s, 15m, "),
        ("expires_in: 1h", "expires_in: 48h", "expected a time such as 90s, 15m, 12h or 7d, from 60s to 24h, got '48h'"),
        ("count: 2", "count: 0", "expected a number from 1 to 20"),
        ("count: 2", "count: yes", "expected a number from 1 to 20"),
        ("allow: [diagnose], who: [unmapped]", "allow: [diagnose, propose], who: [unmapped]", "may diagnose only"),
        ("hosts: [vault-*]", "hosts: []", "an empty list covers nothing"),
        ("hosts: [vault-*]", 'hosts: ["vault-[0-9]"]', "expected a name"),
        ("slack: T0TEAM/U0BOB", "slack: U0BOB", "expected TEAM/USER"),
        (
            "retired: []",
            "retired: {slack_usergroup: S0ONCALL}",
            "policy.yaml:14: groups.retired.slack_usergroup: expected TEAM/GROUP such as T024BE7LD/S0614TZR7, got 'S0ONCALL'",
        ),
        ("retired: []", "retired: {slack_usergruop: T0TEAM/S0X}", "unknown key (did you mean 'slack_usergroup'?)"),
        (
            "retired: []",
            "retired: {slack_usergroup: T0OTHER/S0X}",
            "policy.yaml:14: groups.retired: no person has a Slack account of T0OTHER: nobody in this user group would count",
        ),
        (
            "sre: [ann, bob, cid]",
            "sre: {slack_usergroup: T0TEAM/S0X}",
            "policy.yaml:19: rules[3].who[0]: 'sre' is a Slack user group: it may approve (approvals.needs.from)",
        ),
        ("{os: dan}", "{oss: dan}", "unknown key (did you mean 'os'?)"),
        ("triagebook/policy/v1", "triagebook/policy/v2", "policy.yaml:1: apiVersion: unknown word"),
        ("retired: []", "retired: [&a ann]", "anchors and aliases are not allowed"),
        ("rules:", "rulez:", "unknown key (did you mean 'rules'?)"),
        ("deny: [propose]", "deny: [propose], allow: [propose]", "either 'allow' or 'deny'"),
        ("[ann]", "[anyone]", "no such person 'anyone'"),
        ("dan: {accounts", "anyone: {accounts", "is no name"),
    ],
)
def test_a_wrong_policy_is_refused_with_file_line_and_the_nearest_right_word(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(PolicyError) as refused:
        load_policy(TEXT.replace(old, new, 1), "policy.yaml")
    assert says in str(refused.value)


@given(st.text(max_size=80))
def test_reading_a_policy_raises_nothing_but_policy_errors(text: str) -> None:
    for whole in (text, TEXT + text, TEXT.replace("sre", text, 1)):
        with contextlib.suppress(PolicyError):
            load_policy(whole, "policy.yaml")


@pytest.mark.parametrize("text", ["os:ann", "slack:T0/U0", "mcp:https://idp.example/a#b"])
def test_an_account_is_written_and_read(text: str) -> None:
    assert str(parse_account(text)) == text
    assert POLICY.directory.identify(Account("os", "", "ann")).person == "ann"


@pytest.mark.parametrize("text", ["", "os:", "ann", "slack:U0", "mcp:x", "root:0"])
def test_what_is_no_account_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_account(text)
