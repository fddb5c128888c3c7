"""Diagnoses by the server on its socket: who may have which host diagnosed, and what a person's own `diagnose` makes of it."""

import os
import pwd
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from triagebook.runbooks.engine.diagnosis import Diagnosis, RunbookRef
from triagebook.runbooks.engine.errors import RefusedError, TriagebookError, UsageError
from triagebook.runbooks.engine.routes import TextRoute
from triagebook.runbooks.engine.triage import Found, RunbookDiagnosis, Triage, join
from triagebook.tools.diagnosis.stored_diagnosis import read_plain
from triagebook.tools.fixes.approval_server import ApprovalServer
from triagebook.tools.fixes.service import FixService
from triagebook.tools.policy.model import Policy
from triagebook.tools.server.diagnoses import SocketDiagnoses
from triagebook.tools.server.protocol import Members
from triagebook.tools.store import answer_rows
from triagebook.tools.store.answer_rows import AnswerText
from triagebook.tools.store.database import open_store

from tests.command import Run, Triagebook
from tests.hang import GUARD_S
from tests.system.fixes import samples

from . import policies
from .policies import actor
from .server import Server, Starter
from .test_serve import started
from .world import World

STAMP = "20261123T140000-"
TRIAGE = f"{STAMP}4730955b"
CLOSED = policies.TEXT.replace("rules:\n", "rules:\n  - {name: closed, deny: [diagnose], who: [ann], runbooks: [secrets]}\n")
ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    starter = Starter(tmp_path_factory.mktemp("diagnosing"))
    yield started(starter)
    starter.end()


@pytest.fixture
def triagebook(tmp_path: Path, shared: Server) -> Callable[..., Run]:
    return partial(Triagebook(tmp_path), TRIAGEBOOK_SOCKET=str(shared.socket))


def asked(world: World, who: str, host: str, diagnoses: SocketDiagnoses | None = None) -> Found:
    call = (diagnoses or SocketDiagnoses(without_default(world.trust))).diagnose(world.service, actor(who), Members({"host": host}))
    return read_plain(call())


def _healthy_by(runbook: str, host: str) -> Diagnosis:
    found = samples.diagnosis(host)
    ref = RunbookRef(runbook, "1.0.0", "cd" * 32)
    return replace(found, runbook=ref, status="healthy", headline="Nothing.", verdict=None, remediations=())


def without_default(server: ApprovalServer, policy: Policy | None = None) -> ApprovalServer:
    """A server that asks every runbook where none is named."""
    return replace(server, policy=policy or server.policy, default_runbook=lambda: "")


def two_runbooks(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The host is asked by two runbooks from now on; what was left out of each question is noted in the list."""
    left_out: list[tuple[str, ...]] = []

    def triage(host: str, inputs: object, closed: tuple[str, ...]) -> Found:
        left_out.append(closed)
        found = [(samples.diagnosis(host), "a"), (_healthy_by("secrets", host), "b")]
        kept = [replace(one, id=f"{STAMP}{end * 8}") for one, end in found if one.runbook.id not in closed]
        return join(TRIAGE, "", [RunbookDiagnosis(one, "installed", TextRoute()) for one in kept], 7)

    monkeypatch.setattr(world.diagnoser, "triage", triage)
    monkeypatch.setattr(world.diagnoser, "runbooks_for", lambda _host, _inputs: ("forks@1.0.0", "secrets@1.0.0"))
    return left_out


def test_the_server_answers_for_whom_the_policy_lets_diagnose_and_records_it(world: World) -> None:
    assert asked(world, "ann", "web-01").status == "cause_found"
    last = world.last()
    assert (last.action, last.outcome, last.person, last.host) == ("diagnose", "ok", "ann", "web-01")


def test_who_asks_the_server_hears_how_often_the_cause_was_found_before(world: World) -> None:
    assert asked(world, "ann", "web-01").recurrence is None
    world.clock.pass_(days=2)
    world.diagnoser.edit["web-01"] = replace(samples.diagnosis("web-01"), id="D-2")
    before = asked(world, "ann", "web-01").recurrence
    assert before is not None
    assert (before.times, before.says) == (2, "Second time in 2 days, first on 23 November.")


@pytest.mark.parametrize(
    ("who", "host"), [("mallory", "db-01"), ("ann", "root@web-01"), ("ann", "10.0.0.1"), ("ann", "localhost"), ("ann", "nosuch")]
)
def test_strangers_and_other_names_are_refused_and_nothing_is_asked(world: World, who: str, host: str) -> None:
    with pytest.raises(RefusedError) as refused:
        asked(world, who, host)
    assert world.diagnoser.asked == []
    assert (world.last().outcome, world.last().reason) == ("refused", refused.value.reason)


def test_equal_questions_share_one_look_and_each_asker_is_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    diagnoses, release, plain = SocketDiagnoses(world.trust), threading.Event(), world.diagnoser.diagnose

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
    while diagnoses.flights.listener_count < 2:
        assert all(thread.is_alive() for thread in threads)
        release.wait(0.01)
    release.set()
    for thread in threads:
        thread.join(GUARD_S)
    assert (len(answers), world.diagnoser.asked) == (2, ["web-01"])
    assert {event.person for event in world.events() if event.action == "diagnose"} == {"ann", "bob"}


def test_without_a_runbook_all_are_asked_that_the_asker_may_ask(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_out = two_runbooks(world, monkeypatch)
    diagnoses = SocketDiagnoses(without_default(world.trust, policies.policy(CLOSED)))
    answers = [asked(world, who, "web-01", diagnoses) for who in ("bob", "ann")]
    assert left_out == [(), ("secrets",)]
    assert [[item.runbook.id for item in answer.diagnoses] for answer in answers if isinstance(answer, Triage)] == [
        ["forks", "secrets"],
        ["forks"],
    ]
    rows = [event for event in world.events() if event.action == "diagnose"]
    assert [(row.person, row.detail["others"]) for row in rows] == [("bob", "secrets@1.0.0 healthy"), ("ann", "")]


def test_who_may_ask_none_of_the_runbooks_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_out = two_runbooks(world, monkeypatch)
    policy = policies.policy(CLOSED.replace("runbooks: [secrets]", "runbooks: [secrets, forks]"))
    with pytest.raises(RefusedError):
        asked(world, "ann", "web-01", SocketDiagnoses(without_default(world.trust, policy)))
    assert (left_out, world.last().outcome) == ([], "refused")


def test_an_answer_is_shown_again_by_its_id_to_who_may_see_all_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_runbooks(world, monkeypatch)
    answer = asked(world, "bob", "web-01")
    for name in (TRIAGE, f"{STAMP}{'a' * 8}"):
        assert world.service.get_diagnosis(actor("bob"), name).found == answer
    closed = FixService(replace(world.trust, policy=policies.policy(CLOSED)))
    said = []
    for service, who, name in (
        (closed, "ann", TRIAGE),
        (world.service, "bob", TRIAGE.replace("4730", "0000")),
    ):
        with pytest.raises(UsageError) as refused:
            service.get_diagnosis(actor(who), name)
        said.append((refused.value.reason, str(refused.value).replace("0000955b", "4730955b")))
    assert said[0][0] == "not_found"
    assert said[0] == said[1]
    assert world.service.get_diagnosis(actor("mallory"), TRIAGE)


def test_whole_answers_are_forgotten_after_30_days_and_their_sentences_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_runbooks(world, monkeypatch)
    asked(world, "bob", "web-01")
    world.clock.pass_(days=29)
    world.service.sweep()
    assert world.service.get_diagnosis(actor("bob"), TRIAGE)
    world.clock.pass_(days=2)
    world.service.sweep()
    with pytest.raises(UsageError, match="it is for 30 days"):
        world.service.get_diagnosis(actor("bob"), TRIAGE)
    assert [entry.kind for entry in world.service.history(actor("bob"), "web-01", 365)] == ["answer"]


def test_a_secret_that_a_host_says_is_not_in_the_answer(world: World) -> None:
    found = samples.diagnosis("web-01")
    world.diagnoser.edit["web-01"] = replace(found, headline="java --password=CaNaRy is at its limit")
    assert "CaNaRy" not in asked(world, "ann", "web-01").headline


def test_a_flood_of_questions_is_stopped(world: World) -> None:
    diagnoses = SocketDiagnoses(world.trust)
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


def test_what_the_server_told_is_shown_and_compared_by_its_id(triagebook: Callable[..., Run]) -> None:
    told = triagebook("diagnose", "--server", "web-01", "-r", "forks")
    name = told.out.split()[-1]
    shown = triagebook("show", name)
    assert (shown.status, shown.out) == (0, told.out), shown
    assert triagebook("show", name, "--format", "json").json()[0]["id"] == name
    assert triagebook("diff", name, name).out == "no difference\n"
    other = triagebook("show", name[:-1] + ("0" if name[-1] != "0" else "1"))
    assert (other.status, "no such answer is kept that you may see" in other.err) == (2, True), other


def test_what_the_server_told_is_said_to_be_right_or_wrong_and_its_case_is_written(
    triagebook: Callable[..., Run], shared: Server, tmp_path: Path
) -> None:
    name = triagebook("diagnose", "--server", "web-02", "-r", "forks").out.split()[-1]
    assert triagebook("feedback", "list", "web-02").out == "Nobody said whether an answer was right.\n"
    right, wrong = triagebook("feedback", "right", name), triagebook("feedback", "wrong", name, "a full disk")
    assert (right.status, f"  RIGHT  web-02  pids_cgroup  {name}\n" in right.out) == (0, True), right
    assert (wrong.status, "  it was (unverified): a full disk\n" in wrong.out) == (0, True), wrong
    assert triagebook("feedback", "list", "web-02").out == wrong.out
    none = triagebook("feedback", "case", name, "mine.yaml")
    assert (none.status, "no draft is kept; record one now: triagebook runbook record web-02 FILE" in none.err) == (2, True), none
    store = open_store(f"sqlite:///{shared.socket.with_name('data') / 'triagebook.db'}")
    with store.write("test") as transaction:  # as Slack's server does
        answer_rows.add_text(transaction, AnswerText(f"case:{name}", f"case:{name}", datetime.now(UTC), "about: x\n"))
    store.close()
    written = triagebook("feedback", "case", name, "mine.yaml")
    assert (written.status, written.out) == (0, "mine.yaml: correct what it expects, then: triagebook runbook test\n"), written
    assert (tmp_path / "mine.yaml").read_text() == "about: x\n"
    assert triagebook("feedback", "list").out == f"{wrong.out}    triagebook feedback case {name} FILE\n"


def test_a_fix_is_shown_by_its_id_too(triagebook: Callable[..., Run]) -> None:
    proposed = triagebook("fix", "propose", "web-02", "raise_tasks_max", "--param", "limit=200")
    name = proposed.out.split()[0]
    shown, shown_as_fix = (
        re.sub(r"\(in [^)]*\)", "(in ...)", triagebook(*words, name).out) for words in (["show"], ["fix", "show"])
    )
    assert shown == shown_as_fix
    assert triagebook("show", name, "--format", "json").json()[0]["id"] == name
    refused = triagebook("show", name, "--format", "markdown")
    assert (refused.status, "a fix is shown as text or json" in refused.err) == (2, True), refused


def test_an_id_of_an_answer_without_a_server_says_where_one_was_looked_for(tmp_path: Path) -> None:
    done = Triagebook(tmp_path)("show", TRIAGE, TRIAGEBOOK_SOCKET=str(tmp_path / "none"))
    assert (done.status, "is the approval server (`triagebook serve`) running" in done.err) == (2, True), done
