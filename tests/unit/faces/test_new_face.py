"""A new face costs one package and one row: a toy is added to a copy of the product, and does all that a face does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hang import GUARD_S
from tests.layers import PARTS, ROOT

TOY = Path(__file__).parent / "toy"
BEFORE = '        "cli": FaceChannel('
ROWS = (
    '        "toy": FaceChannel(AccountKind("toy", "TEAM/USER", r"[a-z]+", "TEAM/USER", r"[a-z]+", "/"), may_decide=True),\n',
    '        "toybot": FaceChannel(AccountKind("toy", "TEAM/USER", r"[a-z]+", "TEAM/USER", r"[a-z]+", "/"), may_decide=False),\n',
)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the toy face answered in a copy that differs by its package and its rows (a second one for its robots)."""
    copy = tmp_path_factory.mktemp("copy") / "triagebook"
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "bot" / "toy").mkdir()
    (copy / "bot" / "toy" / "__init__.py").touch()
    shutil.copy(TOY / "face.py", copy / "bot" / "toy")
    table = copy / "tools" / "policy" / "channels.py"
    text = table.read_text()
    assert text.count(BEFORE) == 1
    table.write_text(text.replace(BEFORE, "".join(ROWS) + BEFORE))
    done = subprocess.run(
        [sys.executable, str(TOY / "use.py")],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": f"{copy.parent}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD_S,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_its_accounts_are_read_and_belong_to_persons(said: dict[str, Any]) -> None:
    assert said["account"] == "toy:team/ann"
    assert said["proposed"]["plan"]["requester"] == "ann"
    assert said["proposed"]["plan"]["requester_account"] == "toy:team/ann"


def test_it_diagnoses_with_permission_and_is_audited_under_its_channel(said: dict[str, Any]) -> None:
    assert "worker.service" in said["diagnose"]
    assert ["diagnose", "ok", "toy:team/ann", "toy"] in said["audit"]


def test_its_fixes_need_another_person_and_are_carried_out(said: dict[str, Any]) -> None:
    assert said["own"].startswith("refused [self_approval]")
    assert "What to do: Another person must decide." in said["own"]
    assert (said["approved"]["state"], said["applied"]["state"]) == ("approved", "validated")
    assert [vote["account"] for vote in said["applied"]["votes"]] == ["toy:team/bob"]


def test_what_its_row_does_not_grant_is_refused(said: dict[str, Any]) -> None:
    assert said["stranger"].startswith("refused [unmapped_account]")
    assert said["robot"].startswith("refused [mcp_cannot_approve]")
    assert said["socket"]["error"]["reason"] == "request"
