"""The reference is made from the code and current, and the JSON that commands print is what its schemas say."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.command import ROOT, Triagebook
from tests.hang import GUARD_S
from tests.reference.cause_pages import CAUSES, TO_WRITE, newest
from tests.reference.commands import Command, _texts, every
from tests.runbooks import CATALOG


def test_every_page_of_the_reference_is_current() -> None:
    command = [sys.executable, "-m", "tests.reference", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GUARD_S, check=False)
    assert (run.stdout, run.returncode) == ("", 0), f"run `make reference`: {run.stdout}{run.stderr}"


def test_every_command_says_what_it_does_and_every_option_too() -> None:
    silent = [one.name for one in every() if not one.paragraphs or not one.paragraphs[0].endswith((".", "..."))]
    assert not silent
    assert not [f"{one.name} {option.written}" for one in every() for option in (*one.options, *one.arguments) if not option.says]


def test_examples_and_exit_statuses_are_told_from_what_a_command_does() -> None:
    text = "Do it. Then stop.\n\nExample: triagebook x --a 'b'\n\n"
    text += "Examples:\n  triagebook x\n    --long y\n\nExit status: 0 yes,\n1 no."
    assert _texts(text) == (("Do it. Then stop.",), ("triagebook x --a 'b'", "triagebook x --long y"), "0 yes, 1 no.")


def test_a_group_is_not_a_command_of_its_own() -> None:
    assert {"triagebook diagnose", "triagebook fix propose"} <= {one.name for one in every()}
    assert "triagebook fix" not in {one.name for one in every()}
    assert all(isinstance(one, Command) for one in every())


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("diagnosis", "diagnose replay:unit-tasksmax -r enomem --json"),
        ("triage", "diagnose replay:unit-tasksmax --json"),
        ("no-answer", "diagnose replay:nosuch replay:nosuch-either -r enomem --json"),
        ("watch", "watch localhost --samples 1 --json"),
        ("drift", "host drift localhost --json"),
    ],
)
def test_a_line_of_json_is_what_its_schema_says(name: str, command: str, tmp_path: Path) -> None:
    schema = json.loads((ROOT / "docs" / "schema" / f"{name}.json").read_text())
    run = Triagebook(tmp_path)(*command.split())
    assert run.json(), run.err
    for line in run.json():
        jsonschema.validate(line, schema)
        assert line["schema"] == f"triagebook/{name}/v1"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_pages_have_no_warnings() -> None:
    files = sorted(map(str, (ROOT / "docs" / "man").glob("*.1")))
    assert len(files) > 10
    run = subprocess.run(["groff", "-man", "-ww", "-z", *files], capture_output=True, text=True, timeout=GUARD_S, check=False)
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "")


def test_every_command_has_its_man_page_with_its_options() -> None:
    for one in every():
        page = (ROOT / "docs" / "man" / f"triagebook-{one.words[0]}.1").read_text()
        for option in one.options:
            assert f".B {option.written.replace('-', chr(92) + '-')}\n" in page, f"{one.name} {option.written}"


@pytest.mark.parametrize("folder", sorted(path for path in CAUSES.iterdir() if path.is_dir()), ids=lambda path: path.name)
def test_every_cause_has_a_page_that_somebody_wrote(folder: Path) -> None:
    checks = {check.id for check in CATALOG.load(newest(folder.name).name).checks}
    pages = {file.stem: file.read_text() for file in folder.glob("*.md")}
    assert set(pages) == checks | {"index"}
    for name in checks:
        for heading in ("What it is", "How it is judged", "What clears it", "Fix it by hand", "Prevent it"):
            part = pages[name].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
            assert len(part.strip()) > 20, f"{name}: {heading}"
        assert TO_WRITE not in pages[name], name
