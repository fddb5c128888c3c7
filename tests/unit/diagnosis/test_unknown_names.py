"""A unit, user or process that the host does not have is said, with the nearest name, and is never called healthy."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.tools.collector.collect import Output
from triagebook.tools.diagnosis.name_check import absent_names
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.base import Exit
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG


class Host:
    """A host on which these programs end so; any other cannot be started."""

    def __init__(self, programs: Mapping[str, tuple[str, int]]) -> None:
        self.programs = programs

    def run(self, argv: Sequence[str], timeout_s: float) -> Output | Unreadable:
        found = next((answer for words, answer in self.programs.items() if words in " ".join(argv)), None)
        return Unreadable("cannot fork") if found is None else Output(found[0], Exit(found[1], b""))


def said(programs: Mapping[str, tuple[str, int]], **inputs: object) -> tuple[str, ...]:
    host: Any = Host(programs)
    return absent_names(host, {}, inputs, "web01")


@pytest.mark.parametrize(
    ("inputs", "programs", "sentence"),
    [
        ({"unit": "nosuch.service"}, {"nosuch.service": ("LoadState=not-found\n", 0)}, "There is no unit nosuch.service on web01."),
        (
            {"unit": "nginx"},
            {"nginx.service": ("LoadState=loaded\n", 0)},
            "There is no unit nginx on web01 (did you mean nginx.service?).",
        ),
        ({"user": "nosuch"}, {"passwd nosuch": ("", 2)}, "There is no user nosuch on web01."),
        ({"pid": 999999}, {"/proc/999999": ("", 1)}, "There is no process 999999 on web01."),
        ({"pid": 999999}, {}, "No process 999999 was seen on web01; whether there is one could not be found out."),
    ],
)
def test_what_is_not_there_is_said(inputs: dict[str, object], programs: dict[str, tuple[str, int]], sentence: str) -> None:
    assert said(programs, **inputs) == (sentence,)


def test_what_is_there_needs_no_word() -> None:
    programs = {"shop.service": ("LoadState=loaded\n", 0), "passwd ann": ("ann:x:1000\n", 0), "/proc/7": ("", 0)}
    assert said(programs, unit="shop.service", user="ann", pid=7, symptom="x") == ()


def test_a_name_can_never_be_an_option_of_a_program() -> None:
    assert said({"getent": ("", 0), "test": ("", 0)}, user="--help", pid="-f") == (
        "No user --help was seen on web01; whether there is one could not be found out.",
        "No process -f was seen on web01; whether there is one could not be found out.",
    )


SERVICE = Service(CATALOG, lambda _target: LocalTransport())


@pytest.mark.parametrize("runbook", ["enomem@1.0.0", "enomem@1.1.0"])
def test_a_misspelt_unit_of_a_recorded_host_is_pointed_out_and_no_error_is_spoken_of(runbook: str) -> None:
    question = Question(parse_target("replay:unit-tasksmax"), runbook, {"unit": "woker.service"})
    found = SERVICE.diagnose(question).diagnosis
    assert found.headline.startswith("No unit woker.service was seen on replay:unit-tasksmax (did you mean worker.service?).")
    assert "the error you gave" not in found.headline
    assert "does not concern unit woker.service" in found.headline


@pytest.mark.parametrize(
    "inputs", [{"unit": "no-such-unit.service"}, {"user": "no-such-user"}, {"pid": 4194303}], ids=lambda one: next(iter(one))
)
def test_this_machine_is_not_called_healthy_for_a_name_it_does_not_have(inputs: dict[str, object]) -> None:
    found = SERVICE.diagnose(Question(parse_target("localhost"), "enomem@1.0.0", inputs)).diagnosis
    assert found.status not in {"healthy", "warning"}
    assert str(next(iter(inputs.values()))) in found.headline.split(" on localhost")[0]
