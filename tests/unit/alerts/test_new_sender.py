"""A new kind of sender of alerts is one file in `tools/alerts/senders`: nothing else knows of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.command import ROOT

LAMP = ROOT / "tests" / "fixtures" / "toy_sender" / "lamp.py"
RULES = """\
apiVersion: triagebook/alerts/v1
sources:
  wall: {type: lamp, bearer_files: [token], bad: COLOUR}
rules:
  - {name: all, host: instance}
"""
PROGRAM = """\
import json, sys
from pathlib import Path
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.alerts.load import load_rules
from triagebook.tools.alerts.sender import kinds

folder = Path(sys.argv[1])
source = load_rules(folder / "good.yaml", [], []).sources["wall"]
batch = source.sender.read({"lamp": "red", "host": "web01", "since": "2026-11-30T03:10:00Z"}, source.name, source.options)
try:
    load_rules(folder / "wrong.yaml", [], [])
    said = ""
except UsageError as error:
    said = str(error)
print(json.dumps({"kinds": list(kinds()), "alerts": to_plain(batch.alerts), "said": said}))
"""


def test_a_new_kind_of_sender_is_one_file(tmp_path: Path) -> None:
    library = tmp_path / "library"
    for part in ("tools", "runbooks"):
        shutil.copytree(ROOT / part, library / "triagebook" / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(LAMP, library / "triagebook" / "tools" / "alerts" / "senders")
    (tmp_path / "token").write_text("0123456789abcdef")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "good.yaml").write_text(RULES.replace("COLOUR", "red"))
    (tmp_path / "wrong.yaml").write_text(RULES.replace("COLOUR", "rad"))
    argv = (sys.executable, "-c", PROGRAM, str(tmp_path))
    done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(library)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kinds"] == ["alertmanager", "grafana", "lamp", "mapped", "pagerduty"]
    (alert,) = found["alerts"]
    assert (alert["source"], alert["labels"]["instance"], alert["is_resolved"]) == ("wall", "web01", False)
    assert "wrong.yaml:3: sources.wall.bad" in found["said"]
    assert "did you mean 'red'?" in found["said"]
