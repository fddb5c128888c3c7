"""What a program answers in the last round is seen by the rules, when it was asked because nothing else explains the error."""

from pathlib import Path

import pytest
from triagebook.tools.diagnosis.question import Question
from triagebook.tools.diagnosis.service import Service
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
