"""What is kept of a host: its answers, alerts and boots, and how often a cause came back."""

from dataclasses import replace

from triagebook.tools.fixes import history

from tests.system.fixes import policies, samples

from .intake_world import IntakeWorld, alert


def ask(made: IntakeWorld, *alerts: dict[str, object]) -> None:
    made.deliver(*alerts)
    made.settle()
    made.world.clock.pass_(days=3)


def test_a_host_has_its_answers_alerts_fixes_and_boots(made: IntakeWorld) -> None:
    ask(made, alert())
    fix = made.world.approved()
    assert made.world.apply(fix) == "validated"
    made.world.clock.pass_(hours=1)
    again = samples.diagnosis("web-01", current_limit=100)
    again = replace(again, id="later", host=replace(again.host, boot_id="another"))
    made.world.diagnoser.edit["web-01"] = again
    ask(made, alert("f2"))
    entries = made.world.service.history(policies.actor("ann"), "web-01", 30)
    assert [(entry.kind, entry.status) for entry in entries if entry.kind != "boot"] == [
        ("answer", "cause_found"),
        ("alert", "firing"),
        ("fix", "validated"),
        ("answer", "cause_found"),
        ("alert", "firing"),
    ]
    assert [entry.kind for entry in entries].count("boot") == 1
    with made.world.store.read() as transaction:
        found = history.recurrence(transaction, "web-01", made.world.clock())
    assert found is not None
    assert found.sentence == (
        f"Found for the 2nd time in 30 days, first on 23 November. {fix} was validated on 26 November; "
        "the host has rebooted since, which undoes what was not made permanent."
    )


def test_what_was_found_once_has_no_recurrence(made: IntakeWorld) -> None:
    ask(made, alert())
    with made.world.store.read() as transaction:
        found = history.recurrence(transaction, "web-01", made.world.clock())
        assert history.recurrence(transaction, "web-02", made.world.clock()) is None
    assert found is not None
    assert (found.times, found.sentence) == (1, "")


def test_history_and_alerts_are_shown_to_who_may_diagnose_the_host(made: IntakeWorld) -> None:
    ask(made, alert(), alert("f2", host="db-01"), alert("f3", host="nosuch"))
    service, stranger = made.world.service, policies.actor("mal")
    assert {view.host for view in service.alerts(policies.actor("ann"), "", 50)} == {"web-01", "db-01", ""}
    assert {view.host for view in service.alerts(stranger, "", 50)} == {"web-01"}
    assert made.world.refused(service.history, stranger, "db-01", 30) == "no_rule"


def test_an_alert_that_resolved_while_its_cause_is_still_there_says_so_first(made: IntakeWorld) -> None:
    ask(made, alert())
    ask(made, alert(state="resolved"))
    (view,) = made.world.service.alerts(policies.actor("ann"), "web-01", 50)
    assert view.says.startswith("The alert resolved, but the cause is still there: ")


def test_what_is_older_than_a_year_is_forgotten(made: IntakeWorld) -> None:
    ask(made, alert())
    made.world.clock.pass_(days=370)
    made.world.service.sweep()
    assert made.episodes() == []
    assert made.world.service.history(policies.actor("ann"), "web-01", 365) == ()
