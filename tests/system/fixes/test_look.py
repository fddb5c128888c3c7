"""What is looked at before a plan is carried out: one look as a rule, a whole diagnosis where that does not show the cause."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import RefusedError
from triagebook.runbooks.engine.facts import Unreadable
from triagebook.runbooks.engine.plan import CitedFact
from triagebook.tools.collector.collect import Output
from triagebook.tools.collector.readings import HostReading
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.inventory.target import parse_target

from tests.system.fixes import policies, samples

from .world import World

WELL = replace(samples.diagnosis(), verdict=None, remediations=(), status="healthy")


def looks(world: World, monkeypatch: pytest.MonkeyPatch, seen: Diagnosis, outputs: tuple[str, ...] | Unreadable = ("",)) -> None:
    def look(
        _self: object, host: str, runbook: str, readings: Sequence[HostReading], inputs: object
    ) -> tuple[Diagnosis, tuple[str, ...] | Unreadable]:
        return seen, outputs

    monkeypatch.setattr(type(world.diagnoser), "look", look)


def test_one_look_that_shows_the_cause_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_id = world.approved()
    looks(world, monkeypatch, samples.diagnosis())
    world.diagnoser.edit["web-01"] = WELL
    assert world.apply(fix_id) == "validated"


def test_a_look_that_does_not_show_the_cause_is_followed_by_a_whole_diagnosis(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix_id = world.approved()
    looks(world, monkeypatch, WELL)
    monkeypatch.setattr(type(world.trust.renderer), "again", lambda _self, _plan, _outputs: samples.rendering())
    assert world.apply(fix_id) == "validated"


def test_a_cause_that_an_errors_text_told_is_looked_for_with_that_text(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def diagnose(_self: object, host: str, _runbook: str, inputs: Mapping[str, Any]) -> Diagnosis:
        return samples.diagnosis(host) if "inotify" in inputs.get("symptom", "") else WELL

    monkeypatch.setattr(type(world.diagnoser), "diagnose", diagnose)
    fix_id = world.propose(inputs={"symptom": "tail: inotify cannot be used:\n Too many open files", "user": "acme", "pid": ""})
    plan = world.service.show(policies.actor("ann"), fix_id).plan
    assert plan is not None
    assert plan.facts[-2:] == (
        CitedFact("inputs.symptom", "tail: inotify cannot be used: Too many open files", ""),
        CitedFact("inputs.user", "acme", ""),
    )
    world.approve(fix_id)
    assert world.apply(fix_id) == "validated"


def test_a_cause_that_neither_shows_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_id = world.approved()
    looks(world, monkeypatch, WELL)
    world.diagnoser.edit["web-01"] = WELL
    assert world.refused(world.apply, fix_id) == "stale_facts"


def test_a_present_state_that_cannot_be_read_stops_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_id = world.approved()
    looks(world, monkeypatch, samples.diagnosis(), Unreadable("no answer"))
    assert world.refused(world.apply, fix_id) == "unknown_facts"
    assert (world.state(fix_id), world.executor.effects(fix_id)) == ("approved", [])


def test_a_host_out_of_reach_leaves_the_approval_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_id = world.approved()

    def out_of_reach(_self: object, host: str) -> None:
        raise RefusedError(f"{host}: its helper cannot be asked", reason="not_prepared")

    monkeypatch.setattr(type(world.executor), "approach", out_of_reach)
    looks(
        world,
        monkeypatch,
        replace(WELL, status="unreachable", host=replace(WELL.host, machine_id="", boot_id="")),
        Unreadable("no session"),
    )
    assert world.refused(world.apply, fix_id) == "not_prepared"
    assert world.state(fix_id) == "approved"


def test_readings_are_made_by_the_login_of_the_diagnosis() -> None:
    service = setup.service(setup.settings())
    readings = (HostReading("sysctl", ("kernel/pid_max",)), HostReading("nothing", ()))
    answer = service.diagnose(Question(parse_target("localhost"), "enomem", samples=1, extra_readings=readings))
    printed, unknown = answer.extra_outputs
    assert isinstance(printed, Output)
    assert printed.stdout == Path("/proc/sys/kernel/pid_max").read_text()
    assert isinstance(unknown, Output)
    assert (unknown.stdout, unknown.exit.status) == ("", 2)
