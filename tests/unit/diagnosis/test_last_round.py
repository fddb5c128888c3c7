"""What a program answers in the last round is seen by the rules, when it was asked because nothing else explains the error."""

from pathlib import Path

import pytest
from triagebook.tools.diagnosis import service as subject
from triagebook.tools.diagnosis.question import Answer, Question
from triagebook.tools.diagnosis.service import Service
from triagebook.tools.diagnosis.triage_run import TriageRun
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.local import LocalTransport

from tests.runbooks import CATALOG

SYSTEMCTL = """#!/bin/sh
echo "Id=app.service
LoadState=loaded
ActiveState=activating
Result=exit-code
ExecMainStatus=1
NRestarts=7
LimitMEMLOCK=$LIMIT"
"""


@pytest.mark.parametrize(("limit", "status"), [("8388608", "cause_found"), ("infinity", "inconclusive")])
def test_the_limit_of_a_unit_that_is_gone_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, status: str
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("LIMIT", limit)
    service = Service(CATALOG, lambda _target: LocalTransport())
    inputs = {"symptom": "app.service: failed to mlock 73728000-byte buffer: Cannot allocate memory"}
    found = service.diagnose(Question(parse_target("localhost"), "enomem@1.1.0", inputs)).diagnosis
    assert found.status == status, found.headline
    assert (found.verdict and found.verdict.cause) == ("unit_limits" if status == "cause_found" else None)
    assert any("restarted app.service 7 times" in text for text in found.next) == (status == "inconclusive")


@pytest.mark.parametrize("is_crowd", [False, True])
def test_where_processes_may_only_have_ended_meanwhile_the_host_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, is_crowd: bool
) -> None:
    monkeypatch.setattr(subject, "may_be_a_crowd", lambda _sample: is_crowd)
    service = Service(CATALOG, lambda _target: LocalTransport(), pause=lambda _seconds: None)
    found = service.diagnose(Question(parse_target("localhost"), "enomem@1.1.0", {})).diagnosis
    assert is_crowd <= (len(found.samples) > 1)
    assert len(service.diagnose(Question(parse_target("localhost"), "enomem@1.1.0", {}, samples=1)).diagnosis.samples) == 1


def test_the_answer_after_the_first_look_is_made_for_who_asks_for_it_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "may_be_a_crowd", lambda _sample: True)
    concluded: list[object] = []
    answer = TriageRun.answer
    monkeypatch.setattr(TriageRun, "answer", lambda run, *given: concluded.append(run) or answer(run, *given))
    service = Service(CATALOG, lambda _target: LocalTransport(), pause=lambda _seconds: None)
    question = Question(parse_target("localhost"), "enomem@1.1.0", {})
    service.diagnose(question)
    assert len(concluded) == 1
    firsts: list[Answer] = []
    found = service.diagnose(question, lambda _stage, so_far: firsts.append(so_far()) if so_far else None)
    assert (len(concluded), len(firsts), firsts[0].diagnosis.id) == (3, 1, found.diagnosis.id)
