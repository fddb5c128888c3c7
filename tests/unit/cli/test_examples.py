"""Each example of `--help` that needs no host and no server runs as it is written, in the order a person would type them."""

import re
import shlex
import shutil
from pathlib import Path

from tests.command import Triagebook
from tests.unit.cli.test_help import EXAMPLES

OFFLINE = re.compile(
    r"replay:|localhost|triagebook (doctor|completion|config|(show|diff) (?!\d{8}T|F-)|host list|runbook (?!record|release|new))"
)


def test_the_examples_that_need_no_host_run_as_they_are_written(tmp_path: Path) -> None:
    triagebook = Triagebook(tmp_path)
    config = tmp_path / ".config" / "triagebook"
    config.mkdir(parents=True)
    (config / "inventory.yaml").write_text("hosts: [web01]\ngroups: {web: [web01]}\n")
    assert triagebook("runbook", "new", "my-runbook", str(config / "runbooks")).status == 0
    (config / "config.yaml").write_text("runbook_paths: [runbooks]\n")
    home = config / "runbooks" / "my-runbook"
    for version in ("1.0.0", "1.1.0"):
        shutil.copytree(home / "0.1.0", home / version)
        file = home / version / "runbook.yaml"
        file.write_text(file.read_text().replace("version: 0.1.0", f"version: {version}"))
    assert triagebook("runbook", "release", "my-runbook@1.0.0").out.startswith("my-runbook@1.0.0 is released")
    for name in ("found", "before", "after"):
        assert triagebook("diagnose", "replay:healthy", "-r", "my-runbook", "--save", f"{name}.json").status == 0
    lines = [line for _path, line in EXAMPLES if OFFLINE.search(line)]
    assert len(lines) > 20
    for line in lines:
        run = triagebook(*shlex.split(line.partition(" > ")[0])[1:])
        assert (run.status in {0, 1}, run.err) == (True, ""), (line, run)
        assert run.out, line
