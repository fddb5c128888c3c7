"""Command, card, proposal, approval by another person, change, revert: over HTTP, and again over Socket Mode; and the rest."""

from triagebook.bot.slack.cards import names
from triagebook.tools.fixes import audit_log

from .driver import buttons
from .paths import fix_of, form, proposed, reason
from .world import SlackWorld


def test_from_the_command_to_the_validated_change_and_back(either: SlackWorld) -> None:
    world = either
    card = proposed(world)
    fix = fix_of(card)
    assert buttons(card) == [names.APPROVE, names.DENY, names.DETAILS, names.WITHDRAW]
    assert "100 -&gt; 300" in card["text"]
    assert world.driver.click("bob", card, names.APPROVE).status == 200
    done = world.card("approvals", "DONE AND VALIDATED: web-01")
    assert done["ts"] == card["ts"]
    assert len(world.trust.executor.effects(fix)) == 1
    world.idle()
    root = world.card("incidents", "CAUSE FOUND · web-01")
    copies = [item for item in world.thread(root) if fix in item["text"]]
    assert [(buttons(copy), copy["text"]) for copy in copies] == [([names.REVERT, names.PERSIST, names.DETAILS], done["text"])]

    world.driver.click("ann", done, names.PERSIST)
    world.driver.submit("ann", form(world.gate, names.PERSIST_VIEW), reason("it is back each week"))
    lasting = world.card("approvals", "APPROVAL NEEDED: web-01")
    world.driver.click("cid", lasting, names.DENY)
    world.driver.submit("cid", form(world.gate, names.DENY_VIEW), reason("not yet"))
    world.card("approvals", "DENIED: web-01")

    world.driver.click("ann", done, names.REVERT)
    world.driver.submit("ann", form(world.gate, names.REVERT_VIEW), reason("it was the other unit"))
    back = world.card("approvals", "APPROVAL NEEDED: web-01: TasksMax of worker.service: 300 -&gt; 100")
    world.driver.click("cid", back, names.APPROVE)
    assert world.card("approvals", "REVERTED: web-01")["ts"] == card["ts"]
    events = [(event.action, event.outcome, event.person) for event in world.trust.events() if event.fix == fix]
    assert events[:4] == [("propose", "ok", "ann"), ("approve", "ok", "bob"), ("apply", "ok", "bob"), ("result", "ok", "bob")]


def test_the_thread_has_each_check_the_evidence_and_all_of_it_as_a_file(slacked: SlackWorld) -> None:
    world = slacked
    world.driver.command("ann", "web-02 symptom=“fork: retry”")
    card = world.card("incidents", "CAUSE FOUND · web-02")
    world.idle()
    texts = [item["text"] for item in world.thread(card)]
    assert {"Checks of web-02", "Evidence", "Changes by hand"} <= set(texts)
    (upload,) = world.gate.of("files.completeUploadExternal")
    assert upload.values["thread_ts"] == card["ts"]
    assert upload.answer["files"][0]["name"] == "web-02-D-1.json"
    assert buttons(card) == [names.PROPOSE, names.RERUN, names.EVIDENCE, names.CLOSE]


def test_a_mention_in_a_thread_is_answered_there_and_its_text_is_the_symptom(either: SlackWorld) -> None:
    world = either
    world.driver.command("ann", "web-03")
    card = world.card("incidents", "CAUSE FOUND · web-03")
    world.driver.mention("bob", "web-04 says: bash: fork: retry: Resource temporarily unavailable", thread_ts=card["ts"])
    world.idle()
    assert [item["text"][:24] for item in world.thread(card) if "web-04" in item["text"]][:1] == ["🔴 CAUSE FOUND · web-04: "]
    assert world.hosts.inputs[-1]["symptom"].endswith("fork: retry: Resource temporarily unavailable")


def test_the_host_in_a_message_is_diagnosed_by_its_shortcut(slacked: SlackWorld) -> None:
    world = slacked
    world.driver.shortcut("bob", "ALERT web-05: cannot fork")
    world.idle()
    assert world.hosts.asked == ["web-05"]
    world.driver.shortcut("bob", "ALERT web-06 and web-07: cannot fork")
    view = form(world.gate, names.DIAGNOSE_VIEW)
    assert "web-06" in str(view)
    world.driver.submit(
        "bob",
        view,
        {
            names.HOST: {names.HOST: {"selected_option": {"value": "web-07"}}},
            names.RUNBOOK: {names.RUNBOOK: {"selected_option": {"value": world.books[0]}}},
            names.SYMPTOM: {names.SYMPTOM: {"value": "cannot fork"}},
        },
    )
    world.idle()
    assert world.hosts.asked == ["web-05", "web-07"]


def test_help_shows_only_what_the_asker_may_do(slacked: SlackWorld) -> None:
    world = slacked
    world.driver.command("ann", "help")
    assert "Approve or deny" in world.told("ann")
    world.driver.command("unmapped", "help")
    told = world.told("unmapped")
    assert "Diagnose a host" in told
    assert "Approve" not in told
    assert "Propose" not in told


def test_the_home_tab_is_shown_while_somebody_else_has_the_log_verified(slacked: SlackWorld) -> None:
    with audit_log._ONE_VERIFICATION:
        slacked.driver.home("dan")
        slacked.idle()
    (shown,) = slacked.gate.of("views.publish")
    assert "it is unknown whether the log is intact" in str(shown.answer["view"])
    slacked.driver.home("dan")
    slacked.idle()
    assert "Intact: " in str(slacked.gate.of("views.publish")[-1].answer["view"])


def test_the_home_tab_has_what_waits_and_decides_by_the_same_path(slacked: SlackWorld) -> None:
    world = slacked
    card = proposed(world, "web-08")
    for user in ("ann", "eve"):  # who asked, and who is no approver
        world.driver.home(user)
        world.idle()
        assert "Waiting for you (0)" in str(world.gate.of("views.publish")[-1].answer["view"])
    world.driver.home("bob")
    world.idle()
    view = world.gate.of("views.publish")[-1].answer["view"]
    assert "Waiting for you (1)" in str(view)
    pressed = {"ts": "", "channel": "", "blocks": view["blocks"]}
    body = world.driver.click_body("bob", pressed, names.APPROVE)
    del body["channel"], body["message"]
    world.driver.way.send("interactive", {**body, "container": {"type": "view"}, "view": {"id": view["id"]}})
    world.card("approvals", "DONE AND VALIDATED: web-08")
    world.driver.home("ann")
    world.idle()
    mine = str(world.gate.of("views.publish")[-1].answer["view"])
    assert "Waiting for you (0)" in mine
    assert "web-08" in mine
    assert fix_of(card)
