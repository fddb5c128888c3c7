"""Hosts are asked in a process of their own: by the server's ssh configuration, without its secrets, and it may die."""

import os
import signal
from pathlib import Path

import pytest
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.stored_diagnosis import StoredDiagnosis
from triagebook.tools.diagnosis.worker import WorkerProcess
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.log import DETAIL, ROOT
from triagebook.tools.settings import Settings

from tests import sshd
from tests.hang import GUARD_S

from .world import until


def pid_of(asker: WorkerProcess) -> int:
    assert asker._process is not None
    return asker._process.process.pid


def test_an_answer_of_the_other_process_is_the_answer_of_this_one() -> None:
    firsts: list[StoredDiagnosis] = []
    with WorkerProcess(Settings(), os.devnull) as asker:
        found = asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem"), firsts.append)
    assert found.diagnosis.verdict is not None
    assert found.diagnosis.verdict.cause == "pids_cgroup"


def test_what_happens_in_the_other_process_is_logged_by_this_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(DETAIL, ROOT)
    with WorkerProcess(Settings(), os.devnull) as asker:
        asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem"), lambda _first: None)
    logged = [(record.event, record.context["host"]) for record in caplog.records if record.name == f"{ROOT}.diagnosis"]  # type: ignore[attr-defined]
    assert logged == [("diagnosis.started", "replay:unit-tasksmax"), ("diagnosis.concluded", "replay:unit-tasksmax")]


def test_a_real_host_is_asked_by_the_configuration_that_was_given(place: sshd.Ground) -> None:
    with place.sshd() as server, WorkerProcess(Settings(), str(server.config)) as asker:
        found = asker.ask(Question(parse_target("box"), "enomem"), lambda _first: None)
        assert found.diagnosis.login is not None
        assert (found.diagnosis.host.name, found.diagnosis.login.outcome) == ("box", "ok")


def test_what_was_asked_wrongly_is_refused_with_its_own_reason() -> None:
    with WorkerProcess(Settings(), os.devnull) as asker, pytest.raises(TriagebookError) as refused:
        asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem", {"colour": "red"}), lambda _first: None)
    assert (type(refused.value).__name__, refused.value.reason) == ("UsageError", "input")


def test_it_holds_no_secret_of_the_server_and_gives_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    monkeypatch.setenv("TRIAGEBOOK_DATABASE", "postgresql://me:secret@db/x")
    with WorkerProcess(Settings(), os.devnull) as asker:
        asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem"), lambda _first: None)
        folder = Path(f"/proc/{pid_of(asker)}")
        environment = (folder / "environ").read_bytes()
        assert (b"xoxb-" in environment, b"secret@db" in environment) == (False, False)
        assert os.getpriority(os.PRIO_PROCESS, pid_of(asker)) == os.getpriority(os.PRIO_PROCESS, 0) + 5
        assert not [link for link in (folder / "fd").iterdir() if "triagebook.db" in os.readlink(link)]


def test_one_that_died_is_started_again_and_who_waited_is_told() -> None:
    with WorkerProcess(Settings(), os.devnull) as asker:
        asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem"), lambda _first: None)
        first = pid_of(asker)
        heard = asker._ensure_running().send(99, Question(parse_target("replay:unit-tasksmax"), "enomem"))
        os.kill(first, signal.SIGKILL)
        until(lambda: asker._process is not None and asker._process.is_over, "its end")
        assert heard.get(timeout=GUARD_S) is None or heard.get(timeout=GUARD_S) is None
        assert asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem"), lambda _first: None).diagnosis.verdict
        assert pid_of(asker) != first


def test_it_ends_with_the_server() -> None:
    with WorkerProcess(Settings(), os.devnull) as asker:
        asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem"), lambda _first: None)
        pid = pid_of(asker)
        os.kill(pid, signal.SIGTERM)  # as systemd sends it to every process of a unit
        asker.ask(Question(parse_target("replay:unit-tasksmax"), "enomem"), lambda _first: None)
    assert not Path(f"/proc/{pid}").exists()
