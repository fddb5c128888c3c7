"""What is kept of a host: its answers, alerts and boots, and how often a cause came back."""

import json
from dataclasses import replace

import pytest
from triagebook.runbooks.engine.diagnosis import Culprit, Recurrence
from triagebook.tools.diagnosis.stored_diagnosis import read_stored
from triagebook.tools.fixes.recurrence import ordinal

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
    (before,) = told(made, "f2")
    assert before == Recurrence(
        2,
        "2026-11-23T14:00:00Z",
        f"Second time in 3 days, first on 23 November. {fix} changed it live on 26 November, "
        "lost at the reboot seen on 26 November: make it permanent this time?",
        fix,
        "validated",
        is_fix_lost=True,
    )


def told(made: IntakeWorld, fingerprint: str) -> list[Recurrence | None]:
    """What the stored answer of an alert says of before: it is what every face shows."""
    found = [episode for episode in made.episodes() if json.loads(episode.alert)["fingerprint"] == fingerprint]
    return [read_stored(episode.diagnosis).diagnosis.recurrence for episode in found]


def test_what_was_found_once_or_is_looked_at_again_is_no_recurrence(made: IntakeWorld) -> None:
    made.deliver(alert())
    made.settle()
    made.world.clock.pass_(hours=2)
    made.world.diagnoser.edit["web-01"] = replace(samples.diagnosis("web-01"), id="looked-again")
    made.deliver(alert("f2"))
    made.settle()
    assert (told(made, "f1"), told(made, "f2")) == ([None], [None])


def test_a_cause_that_was_gone_in_between_is_found_another_time(made: IntakeWorld) -> None:
    sick = samples.diagnosis("web-01")
    sound = replace(sick, id="sound", status="healthy", verdict=None)
    silent = replace(sound, id="silent", status="inconclusive")
    for number, shown in enumerate((sick, sound, sick, silent, sick, sound, sick)):
        made.world.diagnoser.edit["web-01"] = replace(shown, id=f"{shown.id}-{number}")
        made.deliver(alert(f"f{number}"))
        made.settle()
        made.world.clock.pass_(hours=1)
    says = [before and before.says for number in (2, 4, 6) for before in told(made, f"f{number}")]
    assert says == [
        "Second time in a day, first on 23 November.",
        "Second time in a day, first on 23 November.",  # nothing could be judged in between: the same time
        "Third time in a day, first on 23 November.",
    ]


def test_another_culprit_and_another_host_do_not_count(made: IntakeWorld) -> None:
    ask(made, alert())
    first = samples.diagnosis("web-01")
    assert first.verdict is not None
    other = replace(first.verdict, culprit=Culprit("unit", "other.service", unit="other.service"))
    made.world.diagnoser.edit["web-01"] = replace(first, id="other", verdict=other)
    ask(made, alert("f2"), alert("f3", host="web-02"))
    assert (told(made, "f2"), told(made, "f3")) == ([None], [None])


def test_a_fix_that_was_undone_or_did_not_last_is_named(made: IntakeWorld) -> None:
    ask(made, alert())
    fix = made.world.approved()
    assert made.world.apply(fix) == "validated"
    made.world.clock.pass_(hours=1)
    made.world.diagnoser.edit["web-01"] = replace(samples.diagnosis("web-01", current_limit=100), id="later")
    ask(made, alert("f2"))
    (before,) = told(made, "f2")
    assert before is not None
    assert before.says.endswith(f"{fix} changed it live on 26 November, and here it is again.")
    assert (before.times, before.is_fix_lost) == (2, False)


@pytest.mark.parametrize(
    ("number", "word"), [(2, "Second"), (10, "Tenth"), (11, "11th"), (21, "21st"), (112, "112th"), (103, "103rd")]
)
def test_places_in_a_row_have_their_words(number: int, word: str) -> None:
    assert ordinal(number) == word


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


def test_a_warning_of_what_was_refused_before_the_end_of_an_alert_is_no_cause_that_is_still_there(made: IntakeWorld) -> None:
    """A fix raised the limit, and the counter of refusals is what it was."""
    ask(made, alert())
    warning = replace(samples.diagnosis("web-01"), status="warning", headline="It was refused 79 forks.")
    made.world.diagnoser.edit["web-01"] = warning
    ask(made, alert(state="resolved"))
    (view,) = made.world.service.alerts(policies.actor("ann"), "web-01", 50)
    assert (view.says, view.is_cause_still_there) == ("The alert resolved. It was refused 79 forks.", False)


def test_what_is_older_than_a_year_is_forgotten(made: IntakeWorld) -> None:
    ask(made, alert())
    made.world.clock.pass_(days=370)
    made.world.service.sweep()
    assert made.episodes() == []
    assert made.world.service.history(policies.actor("ann"), "web-01", 365) == ()
