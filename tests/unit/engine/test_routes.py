"""Which of several runbooks an error text belongs to: one leads, the others are told the text only if they own it too."""

from dataclasses import replace

import pytest
from triagebook.runbooks.engine.model import Runbook, Symptom
from triagebook.runbooks.engine.routes import TextRoute, route_text, runbooks_pointed_to

from tests.runbooks import CATALOG

ENOMEM = CATALOG.load("enomem")


def runbook(name: str, *symptoms: Symptom) -> Runbook:
    """A runbook of which only the table of symptoms counts."""
    return replace(ENOMEM, id=name, symptoms=symptoms)


FILES = runbook(
    "files",
    Symptom("(?i)cannot allocate memory", "memory", matter="memory", says="This text is about memory.", belongs_to="enomem"),
    Symptom("(?i)(accept4|open).*too many open files", "emfile"),
    Symptom("(?i)too many", "any"),
)
KILLS = runbook("kills", Symptom("(?i)out of memory: killed process", "global"), Symptom("(?i)out of memory", "killed"))
BOOKS = (FILES, ENOMEM, KILLS)


def leader(text: str, *runbooks: Runbook) -> str:
    """The id of the runbook that leads for a text."""
    return next((name for name, route in route_text(runbooks or BOOKS, text).items() if route.fit == "leads"), "")


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("accept4() failed (24: Too many open files)", "files"),
        ("-bash: fork: Cannot allocate memory", "enomem"),
        ("Out of memory: Killed process 123 (java)", "kills"),
        ("pthread_create failed: Resource temporarily unavailable", "enomem"),
        ("banana", ""),
        ("", ""),
    ],
)
def test_the_runbook_that_owns_the_text_leads(text: str, leads: str) -> None:
    assert leader(text) == leads


def test_a_text_that_two_own_is_led_by_the_one_that_takes_in_more_of_it() -> None:
    short, long = runbook("short", Symptom("(?i)refused", "r")), runbook("long", Symptom("(?i)fork .* refused", "f"))
    for order in ((short, long), (long, short)):
        routes = route_text(order, "service: fork of a worker was refused, again")
        assert routes == {"long": TextRoute("leads", "f"), "short": TextRoute("fits", "r")}


def test_a_text_that_two_own_is_led_by_the_one_that_a_third_points_to() -> None:
    weak, strong = runbook("weak", Symptom("no", "n")), runbook("strong", Symptom("no room in the table", "t"))
    third = runbook("third", Symptom("room", "other", matter="room", says="It is about room.", belongs_to="weak"))
    assert leader("no room in the table", strong, weak) == "strong"
    assert leader("no room in the table", strong, weak, third) == "weak"


def test_who_does_not_own_the_text_is_not_told_it() -> None:
    routes = route_text(BOOKS, "-bash: fork: Cannot allocate memory")
    assert {name: route.is_given for name, route in routes.items()} == {"files": False, "enomem": True, "kills": False}
    assert routes["files"].belongs_to == "enomem"


def test_a_text_that_nobody_knows_is_told_to_all() -> None:
    assert {route.fit for route in route_text(BOOKS, "banana").values()} == {"unknown"}
    assert all(route.is_given for route in route_text(BOOKS, "banana").values())


def test_a_text_that_belongs_to_a_runbook_which_does_not_know_it_is_led_by_that_one_with_the_word_of_the_other() -> None:
    knows_nothing = runbook("enomem")
    found = route_text((FILES, knows_nothing), "cannot allocate memory")
    assert found["enomem"] == TextRoute("leads", says="This text is about memory.")


def test_a_runbook_that_is_not_asked_and_that_the_text_belongs_to_is_named() -> None:
    assert runbooks_pointed_to((FILES,), "cannot allocate memory") == ("enomem",)
    assert runbooks_pointed_to((FILES, ENOMEM), "cannot allocate memory") == ()
    assert runbooks_pointed_to((FILES,), "open: too many open files") == ()


def test_of_two_that_own_a_text_the_one_leads_that_has_the_words_of_the_other_too() -> None:
    killed = runbook("kills", Symptom("(?i)killed by", "killed"))
    crashed = runbook(
        "crashes",
        Symptom("SIGBUS", "bus"),
        Symptom("(?i)killed", "other", matter="a kill", says="It was killed.", belongs_to="kills"),
    )
    for order in ((killed, crashed), (crashed, killed)):
        assert leader("+++ killed by SIGBUS +++", *order) == "crashes"
        assert leader("+++ killed by SIGKILL +++", *order) == "kills"
