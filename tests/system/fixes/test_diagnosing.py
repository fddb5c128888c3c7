"""Diagnoses by the server on its socket: who may have which host diagnosed, and what a person's own `diagnose` makes of it."""

import os
import pwd
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from triagebook.runbooks.engine.diagnosis import Diagnosis
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError
from triagebook.runbooks.engine.plain_data import from_plain
from triagebook.tools.server.diagnoses import SocketDiagnoses
from triagebook.tools.server.protocol import Members

from tests.command import Run, Triagebook
from tests.hang import GUARD_S
from tests.system.fixes import samples

from .policies import actor
from .serving import Server, Starter
from .test_serve import started
from .world import World

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    starter = Starter(tmp_path_factory.mktemp("diagnosing"))
    yield started(starter)
    starter.end()


@pytest.fixture
def triagebook(tmp_path: Path, shared: Server) -> Callable[..., Run]:
    return partial(Triagebook(tmp_path), TRIAGEBOOK_SOCKET=str(shared.socket))


def asked(world: World, who: str, host: str, diagnoses: SocketDiagnoses | None = None) -> Diagnosis:
    call = (diagnoses or SocketDiagnoses()).diagnose(world.service, actor(who), Members({"host": host}))
    return from_plain(Diagnosis, call(), "diagnosis")


def test_the_server_answers_for_whom_the_policy_lets_diagnose_and_records_it(world: World) -> None:
    assert asked(world, "ann", "web-01").status == "cause_found"
    last = world.last()
    assert (last.action, last.outcome, last.person, last.host) == ("diagnose", "ok", "ann", "web-01")


@pytest.mark.parametrize(
    ("who", "host"), [("mallory", "db-01"), ("ann", "root@web-01"), ("ann", "10.0.0.1"), ("ann", "localhost"), ("ann", "nosuch")]
)
def test_strangers_and_other_names_are_refused_and_nothing_is_asked(world: World, who: str, host: str) -> None:
    with pytest.raises(RefusedError) as refused:
        asked(world, who, host)
    assert world.diagnoser.asked == []
    assert (world.last().outcome, world.last().reason) == ("refused", refused.value.reason)


def test_equal_questions_share_one_look_and_each_asker_is_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    diagnoses, release, plain = SocketDiagnoses(), threading.Event(), world.diagnoser.diagnose

    def slow(host: str, runbook: str, inputs: object) -> Diagnosis:
        release.wait(GUARD_S)
        return plain(host, runbook, {})

    monkeypatch.setattr(world.diagnoser, "diagnose", slow)
    answers: list[Diagnosis] = []

    def ask(who: str) -> None:
        answers.append(asked(world, who, "web-01", diagnoses))

    threads = [threading.Thread(target=ask, args=(who,)) for who in ("ann", "bob")]
    for thread in threads:
        thread.start()
    while diagnoses._flights.listener_count < 2:
        assert all(thread.is_alive() for thread in threads)
        release.wait(0.01)
    release.set()
    for thread in threads:
        thread.join(GUARD_S)
    assert (len(answers), world.diagnoser.asked) == (2, ["web-01"])
    assert {event.person for event in world.events() if event.action == "diagnose"} == {"ann", "bob"}


def test_a_secret_that_a_host_says_is_not_in_the_answer(world: World) -> None:
    found = samples.diagnosis("web-01")
    world.diagnoser.edit["web-01"] = replace(found, headline="java --password=CaNaRy is at its limit")
    assert "CaNaRy" not in asked(world, "ann", "web-01").headline


def test_a_flood_of_questions_is_stopped(world: World) -> None:
    diagnoses = SocketDiagnoses()
    diagnoses._limits.a_second = 0.001
    for _ in range(60):
        asked(world, "ann", "web-01", diagnoses)
    with pytest.raises(TriagebookError, match="too many calls"):
        asked(world, "ann", "web-01", diagnoses)


def test_diagnose_goes_through_the_server_when_told_to(triagebook: Callable[..., Run]) -> None:
    done = triagebook("diagnose", "--server", "root@web-01")
    assert (done.status, "worker.service is at its task limit" in done.out) == (1, True), done
    many = triagebook("diagnose", "--server", "web-01", "web-02", "nosuch")
    assert (many.status, "2 hosts" in many.out or "web-02" in many.out, "nosuch" in many.out) == (4, True, True), many
    refused = triagebook("diagnose", "--server", "web-0l")
    assert (refused.status, "did you mean 'web-" in refused.err) == (5, True), refused


def test_a_host_out_of_reach_is_asked_about_at_the_server_by_itself(triagebook: Callable[..., Run]) -> None:
    done = triagebook("diagnose", "root@web-01", "-r", "enomem")
    assert (done.status, "worker.service is at its task limit" in done.out) == (1, True), done
    assert "root@web-01 is unreachable from here; this is what the approval server finds" in done.err
    unknown = triagebook("diagnose", "nosuch.invalid", "-r", "enomem")
    assert (unknown.status, "UNREACHABLE" in unknown.out) == (4, True), unknown
