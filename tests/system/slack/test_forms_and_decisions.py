"""Asking for a fix, deciding on it, being refused, and the pages beside: what is shown, and what comes back."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from triagebook.bot.render.fleet import HostRow
from triagebook.bot.slack.cards import approval, fleet, home, names, propose, refusal, views
from triagebook.bot.slack.cards import help as helping
from triagebook.bot.slack.flows.approvers import call
from triagebook.runbooks.engine.errors import RefusedError, UsageError
from triagebook.runbooks.engine.plan import PlannedValue, Rendering
from triagebook.tools.fixes.audit_log import AuditReport
from triagebook.tools.fixes.views import FixView, VoteView
from triagebook.tools.policy.load import load_policy
from triagebook.tools.store.fix_states import STATES

from tests.system.slack.samples import fix_of, recorded
from tests.system.slack.surfaces import ASKED, FIX, TOKENS
from tests.system.slack.test_hostile import clickable
from tests.system.slack.test_root_card import lines

FOUND = recorded("debian-13-two-at-once")
MENTIONS = {"ann": "U0ANN", "bob": "U0BOB"}


def a_fix(state: str = "proposed", **changes: Any) -> FixView:
    made = fix_of(FOUND, 0, state, **changes)
    assert made is not None
    return made


def shown(fix: FixView, mentions: approval.Mentions = MENTIONS) -> str:
    return "\n".join(lines(approval.approval(fix, TOKENS, mentions).blocks))


def state_of(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What Slack would send for the form as it stands."""
    values: dict[str, dict[str, Any]] = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            given = {"value": element.get("initial_value"), "selected_option": element.get("initial_option")}
            values[block["block_id"]] = {element["action_id"]: {"type": element["type"], **given}}
    return values


def test_what_is_suggested_comes_back_as_it_was_suggested() -> None:
    view = propose.form(FOUND, "tok", propose.Draft(1, None, "pages since 13:50"))
    assert propose.read_draft(state_of(view)) == propose.Draft(1, {"limit": 256}, "pages since 13:50")
    assert view["private_metadata"] == "tok"


def test_numbers_are_bounded_in_the_form_and_again_on_submission() -> None:
    (number,) = [
        block["element"] for block in propose.form(FOUND, "tok")["blocks"] if block.get("element", {}).get("type") == "number_input"
    ]
    assert (number["min_value"], number["initial_value"], number["max_value"]) == ("25", "64", "1823")
    for value, is_fine in ((24, False), (25, True), (1823, True), (1824, False)):
        wrong = propose.errors(FOUND, propose.Draft(0, {"limit": value}, "enough of it"))
        assert wrong == ({} if is_fine else {"param.0.limit": "A whole number from 25 to 1823."})
    assert propose.errors(FOUND, propose.Draft(0, {}, "  ")) == {
        "param.0.limit": "A whole number from 25 to 1823.",
        names.REASON: "Say why, in 5 to 300 characters.",
    }
    assert list(propose.errors(FOUND, propose.Draft(7, {}, "enough of it"))) == [names.OFFER]


@pytest.mark.parametrize("typed", ["64.5", "six", "", "٣", "²", "1e3", "--5", "9" * 40])
def test_what_is_no_number_is_left_for_the_bounds_to_refuse(typed: str) -> None:
    values = {names.OFFER: {names.OFFER: {"selected_option": {"value": "0"}}}, "param.0.limit": {"param": {"value": typed}}}
    assert propose.read_draft(values).parameters == {}


def test_the_preview_is_the_services_own_and_a_problem_takes_its_place() -> None:
    preview = propose.Preview(Rendering((PlannedValue("TasksMax", "24", "99"),), ("systemctl do",), ("systemctl undo",), {}))
    said = lines(propose.form(FOUND, "tok", propose.EMPTY, preview)["blocks"])
    assert {"TasksMax: 24 -> 99", "systemctl do", "systemctl undo"} <= set(said)
    wrong = lines(propose.form(FOUND, "tok", propose.EMPTY, propose.Preview(problem="5 is too little"))["blocks"])
    assert "5 is too little" in wrong
    assert not [line for line in wrong if "systemctl" in line]


def test_there_is_no_form_without_an_offer() -> None:
    with pytest.raises(ValueError, match="offers no fix"):
        propose.form(recorded("healthy"), "tok")


def test_the_form_of_a_diagnosis_comes_back_as_plain_words() -> None:
    view = views.diagnose([("enomem", "Cannot allocate memory")], "tok", "host01", "fork: retry")
    values = state_of(view)
    values[names.UNIT] = {names.UNIT: {"value": "<http://worker.service|worker.service>"}}
    values[names.PID] = {names.PID: {"value": "812"}}
    assert views.read_request(values) == views.DiagnosisRequest(
        "host01", "enomem", {"symptom": "fork: retry", "unit": "worker.service", "pid": "812"}
    )


def test_an_approver_sees_the_change_the_commands_and_who_wants_it_why() -> None:
    said = shown(a_fix())
    wanted = (
        "APPROVAL NEEDED · replay:debian-13-two-at-once",
        "TasksMax (pids.max) of worker.service\n  24 -> 64",
        "systemctl set-property --runtime worker.service TasksMax=64",
        "systemctl set-property --runtime worker.service TasksMax=24\n"
        "rm /run/systemd/system.control/worker.service.d/50-TasksMax.conf\nsystemctl daemon-reload",
        "Risk ",
        "None; the unit keeps running",
        "Asked by <@U0ANN> (`slack:T0TEAM/U0ANN`)",
        "In the requester's words, not verified: ",
        "pages since 13:50 ‹!channel> https[:]//evil.example",  # noqa: RUF001
        "Approvals: 0 of 2 (group:sre) · expires <!date^1795443300^",
        f"plan `{a_fix().digest.removeprefix('sha256:')[:12]}`",
    )
    assert [text for text in wanted if text not in said] == []
    (approve,) = [
        element
        for block in approval.approval(a_fix(), TOKENS).blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == names.APPROVE
    ]
    assert approve["confirm"]["title"]["text"] == "Approve on replay:debian-13-two-at-once?"
    assert approve["confirm"]["text"]["text"].endswith("TasksMax (pids.max) of worker.service: 24 -> 64")


BUTTONS = {
    "proposed": [names.APPROVE, names.DENY, names.DETAILS, names.WITHDRAW],
    "approved": [names.APPLY, names.DETAILS, names.WITHDRAW],
    "validated": [names.REVERT, names.PERSIST, names.DETAILS],
    "unresolved": [names.REVERT, names.DETAILS],
    "expired": [names.REPLAN, names.DETAILS],
    "stale": [names.REPLAN, names.DETAILS],
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_words_and_only_the_buttons_that_lead_on(state: str) -> None:
    card = approval.approval(a_fix(state), TOKENS, MENTIONS)
    assert lines(card.blocks)[0].startswith(approval.TITLES[state])
    assert approval.TITLES[state] in card.text
    assert clickable(list(card.blocks)) == BUTTONS.get(state, [])
    assert clickable(list(approval.approval(a_fix(state), {}, MENTIONS).blocks)) == []


@pytest.mark.parametrize("state", STATES)
def test_only_a_plan_that_waits_calls_those_who_may_approve(state: str) -> None:
    called = approval.Called(("<@U0BOB>", "<!subteam^S0ONCALL>"), 3)
    said = lines(approval.approval(a_fix(state), TOKENS, MENTIONS, called).blocks)
    assert (said[1] == "Please decide: <@U0BOB>, <!subteam^S0ONCALL> or 3 more") == (state == "proposed")
    assert not [text for text in lines(approval.approval(a_fix(state), TOKENS, MENTIONS).blocks) if "Please decide" in text]


def test_a_card_calls_few_and_never_who_asked() -> None:
    persons = "".join(f"  p{number}: {{accounts: [{{slack: T0TEAM/U0P{number}}}]}}\n" for number in range(9))
    text = f"""apiVersion: triagebook/policy/v1
persons:
  ann: {{accounts: [{{slack: T0TEAM/U0ANN}}]}}
  cid: {{accounts: [{{os: cid}}]}}
{persons}groups: {{sre: [ann, cid, {", ".join(f"p{number}" for number in range(9))}]}}
rules: [{{name: all, allow: [diagnose], who: [anyone]}}]
approvals: [{{name: one, needs: [{{from: ["group:sre"]}}], expires_in: 15m}}]
"""
    policy = load_policy(text, "policy.yaml")
    server = SimpleNamespace(policy=policy, display_policy=policy)
    users = {owner.person: account.subject for account, owner in policy.directory.owners.items() if account.kind == "slack"}
    context: Any = SimpleNamespace(approval_server=server, ourselves=SimpleNamespace(team="T0TEAM"), mentions=lambda: users)
    called = call(context, a_fix())
    assert called == approval.Called(tuple(f"<@U0P{number}>" for number in range(5)), 4)
    assert call(context, a_fix("approved")) == approval.Called()
    elsewhere = load_policy(text.replace("expires_in: 15m", "expires_in: 15m, via: [cli]"), "policy.yaml")
    context.approval_server = SimpleNamespace(policy=elsewhere, display_policy=elsewhere)
    assert call(context, a_fix()) == approval.Called()


def test_what_cannot_be_undone_says_so_and_has_no_revert() -> None:
    fix = a_fix("validated")
    assert fix.plan is not None
    for changes in ({"undo": "none"}, {"action": "undo"}):
        final = replace(fix, plan=replace(fix.plan, **changes))
        assert names.REVERT not in clickable(list(approval.approval(final, TOKENS).blocks))
    asked = replace(a_fix(), plan=replace(fix.plan, undo="none", undo_commands=()))
    assert "It CANNOT be undone." in shown(asked)
    assert "CANNOT be undone" in approval.fallback(asked)


def test_only_a_live_change_can_be_made_to_last() -> None:
    fix = a_fix("validated")
    assert fix.plan is not None
    for changes in ({"order": {"step": "persist"}}, {"order": {}}, {"action": "undo"}):
        final = replace(fix, plan=replace(fix.plan, **changes))
        assert names.PERSIST not in clickable(list(approval.approval(final, TOKENS).blocks))


def test_an_arrow_in_a_value_cannot_pass_for_the_change() -> None:
    fix = a_fix()
    assert fix.plan is not None
    odd = replace(fix, plan=replace(fix.plan, changes=(PlannedValue("TasksMax", "24 -> 25", "9999"),)))
    assert "TasksMax\n  now   24 -> 25\n  then  9999" in shown(odd)


def test_a_stale_plan_says_what_differs_now() -> None:
    why = "TasksMax of worker.service: 24 when approved, now 48"
    card = approval.approval(a_fix("stale", outcome=why), TOKENS, MENTIONS)
    assert lines(card.blocks)[1] == why
    assert why in card.text


def test_breaking_the_glass_is_loud_on_every_card() -> None:
    vote = VoteView("ann", "slack:T0TEAM/U0ANN", "approve", "2026-11-23T14:00:00Z", "nobody else is awake")
    assert "BREAK-GLASS: nobody else is awake" in shown(a_fix("validated", votes=(vote,)))


def test_a_damaged_plan_is_shown_as_such_and_cannot_be_decided_on() -> None:
    broken = replace(a_fix(), plan=None, problem="F-7q2mk4xs: the stored plan is not the one that was proposed")
    for blocks in (list(approval.approval(broken, TOKENS).blocks), approval.details(broken, TOKENS)):
        assert lines(blocks)[:2] == ["⛔ DO NOT APPROVE", broken.problem]
        assert clickable(blocks) == []


def test_a_refusal_gives_its_reason_and_what_to_do() -> None:
    card = refusal.refusal(
        RefusedError("F-1: ann asked for it: always another person decides", reason="self_approval"), "approve F-1"
    )
    said = "\n".join(lines(card.blocks))
    for part in (
        "Not done: approve F-1",
        "always another person decides",
        "Another person must decide",
        "`self_approval`",
        "audit log",
    ):
        assert part in said
    assert "self_approval" in card.text
    assert "audit log" not in "\n".join(lines(refusal.refusal(UsageError("no host")).blocks))


def test_help_lists_only_what_this_person_may_do() -> None:
    books = [("enomem", "Cannot allocate memory")]
    said = "\n".join(lines(helping.help_card({"diagnose"}, "/enomem", books).blocks))
    assert "/enomem HOST" in said
    for other in ("Propose", "Approve", "Break", "audit list"):
        assert other not in said
    assert "Nothing: the policy allows your account no action" in "\n".join(lines(helping.help_card((), "/enomem", books).blocks))


def test_a_storm_is_grouped_worst_first_and_what_has_not_answered_is_no_good_news() -> None:
    rows = [HostRow(f"web{number:02}", "cause_found", "pids_cgroup, at the limit", "full") for number in range(10)]
    rows += [HostRow("db01", "unreachable", "auth: refused", "no"), HostRow("ok1", "healthy", "")]
    card = fleet.fleet(rows, ASKED, running=2, repeats=3)
    said = lines(card.blocks)
    assert said[0] == "14 hosts: 10 cause found, 1 unreachable, 1 healthy, 2 not answered yet"
    assert said[1:5] == [
        "🔴 10 CAUSE FOUND: pids_cgroup, at the limit",
        "web00, web01, web02, web03, web04, web05, web06, web07 and 2 more\nfull",
        "⚫ 1 UNREACHABLE: auth: refused",
        "db01\nno",
    ]
    assert "2 not answered yet: nothing is known of them" in card.text


def test_app_home_approves_by_the_same_button_and_only_what_it_shows_whole() -> None:
    fix = a_fix()
    view = home.home([home.PendingFix(fix, TOKENS)], [], [], home.Health())
    assert clickable(view["blocks"]) == [names.APPROVE, names.DENY, names.DETAILS]
    said = "\n".join(lines(view["blocks"]))
    assert fix.plan is not None
    whole = [*fix.plan.commands, *fix.plan.undo_commands]
    assert [line for line in [*whole, f"Disruption: {fix.plan.disruption}"] if line not in said] == []
    assert "Not verified: it is unknown whether the log is intact" in said
    large = replace(fix, plan=replace(fix.plan, commands=("echo " + "x" * 2500,)))
    view = home.home(
        [home.PendingFix(large, TOKENS)], [], [], home.Health(AuditReport(True, 9, "ab", 2, (), "", ""), "2026-11-23T14:00:00Z")
    )
    assert clickable(view["blocks"]) == [names.DENY, names.DETAILS]
    assert "Intact: 9 rows, 2 checkpoints" in "\n".join(lines(view["blocks"]))


def test_app_home_with_too_much_never_keeps_buttons_without_the_plan_above_them() -> None:
    view = home.home([home.PendingFix(a_fix(), TOKENS) for _ in range(30)], [], [], home.Health())
    kinds = [block["type"] for block in view["blocks"]]
    rows = [number for number, kind in enumerate(kinds) if kind == "actions"]
    assert 2 <= len(rows) < 30
    for number in rows:
        assert "systemctl set-property" in json.dumps(view["blocks"][number - 5])
        assert "systemctl daemon-reload" in json.dumps(view["blocks"][number - 4])


def test_a_permalink_is_a_link_only_when_it_is_one() -> None:
    for link, is_one in (
        ("https://x.slack.com/archives/C1/p1", True),
        ("javascript:x", False),
        ("https://x|y>", False),
        ("", False),
    ):
        view = home.home([], [home.RecentRun("host01", "healthy", "fine", "2026-11-23T14:00:00Z", link)], [], home.Health())
        assert ("|open>" in json.dumps(view)) is is_one


def test_every_fix_token_can_be_shown_by_some_state() -> None:
    seen = {action for state in STATES for action in clickable(list(approval.approval(a_fix(state), TOKENS).blocks))}
    assert seen == set(FIX)
