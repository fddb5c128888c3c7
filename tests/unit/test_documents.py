"""Documents that are made from the product are current, and the README's commands do what it says."""

import functools
import json
import re
import shlex
import tempfile
from pathlib import Path

import pytest
from triagebook.bot.cli.app import GROUPS
from triagebook.runbooks.library.schema_files import diagnosis_schema, runbook_schema, triage_schema

from tests import picture, terminal_pictures
from tests.command import ROOT, Triagebook
from tests.layers import LAYERS

SCHEMAS = [("diagnosis", diagnosis_schema), ("runbook", runbook_schema), ("triage", triage_schema)]


@pytest.mark.parametrize(("name", "made"), SCHEMAS)
def test_the_published_schemas_are_those_of_the_code(name: str, made: object) -> None:
    assert callable(made)
    assert json.loads((ROOT / "docs" / "schema" / f"{name}.json").read_text()) == made()


def test_every_test_the_coverage_page_names_exists() -> None:
    page = (ROOT / "docs" / "coverage.md").read_text()
    cases = {file.stem for file in (ROOT / "runbooks").glob("*/*/cases/*.yaml")}
    sources = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`((?:tests/[\w/.]+)?(?:::)?test_\w+|tests/[\w/.]+)`", page):
        path, _, test = name.rpartition("::") if "::" in name else (name, "", "") if name.startswith("tests/") else ("", "", name)
        assert not path or (ROOT / path).exists(), name
        assert not test or f"def {test}(" in sources, name
    for row in re.findall(r"cases? ((?:`[\w*-]+`(?:, | to )?)+)", page):
        for case in re.findall(r"`([\w*-]+)`", row):
            assert any(re.fullmatch(case.replace("*", ".*"), known) for known in cases), case


def test_every_promise_about_security_names_tests_that_exist() -> None:
    page = (ROOT / "SECURITY.md").read_text()
    promises = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Promise")]
    assert len(promises) >= 20
    for promise in promises:
        named = re.findall(r"`(tests/[\w/.]+)(?:::(test_\w+))?`", promise.rpartition(" | ")[2])
        assert named, promise
        for path, test in named:
            assert (ROOT / path).is_file(), path
            assert not test or f"def {test}(" in (ROOT / path).read_text(), test


def test_the_picture_of_the_architecture_is_current() -> None:
    assert picture.PICTURE.read_text() == picture.picture(), "make docs-picture"


def test_the_picture_of_a_terminal_is_what_the_command_prints() -> None:
    for name, drawn in terminal_pictures.pictures().items():
        assert (terminal_pictures.IMAGES / name).read_text() == drawn, "python -m tests.terminal_pictures"


def test_every_package_has_its_place_in_the_picture() -> None:
    packages = {
        f"{layer}/{name}" for layer, names in LAYERS.items() for name in names if (ROOT / layer / name / "__init__.py").exists()
    }
    assert set(picture.SAYS) == packages - {"bot/slack"}
    assert {f"tools/{name}" for names in picture.COLUMNS.values() for name in names} == {
        name for name in packages if name.startswith("tools/")
    }


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "README.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`((?:bot|tools|runbooks|tests|docs|deploy)/[a-z][\w/.-]*)`", (ROOT / page).read_text())
    real = [name for name in named if not re.search(r"/(X|KIND)\.", name)]  # those stand for a name of the reader's own
    assert real
    assert not [name for name in real if not (ROOT / name).exists()]


NEEDS_A_HOST_OR_SERVER = r"web01|db01|@web|host list|^triagebook (serve|fix|audit|policy|watch)"
README_COMMANDS = [
    line.split("#")[0].split()[1:]
    for line in (ROOT / "README.md").read_text().splitlines()
    if line.startswith("triagebook ") and not re.search(NEEDS_A_HOST_OR_SERVER, line)
]


ALL_CASES = ["runbook", "test"]  # tests/cases takes them one by one; the command itself, over all of them, runs in long runs


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(words, id=" ".join(words), marks=[pytest.mark.long] if words == ALL_CASES else []) for words in README_COMMANDS],
)
def test_a_command_of_the_readme_runs(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    run = Triagebook(tmp_path_factory.mktemp("home"))(*arguments)
    assert run.status in {0, 1}, run.err
    assert run.out
    assert not run.err


DOCUMENTS = [
    *(ROOT / "README.md", ROOT / "docs" / "index.md", ROOT / "deploy" / "mcp" / "README.md"),
    *sorted(page for folder in ("how-to", "tutorials") for page in (ROOT / "docs" / folder).glob("*.md")),
]
WRITTEN = {
    line.split("#")[0].split("  ")[0].strip()
    for document in DOCUMENTS
    for line in re.findall(r"^(?:`|\*\*HTTP\*\*: `)?(triagebook [a-z][^`\n]*)", document.read_text(), re.MULTILINE)
}


def test_the_answer_that_the_readme_shows_is_the_one_given(tmp_path: Path) -> None:
    block = re.search(
        r"^```\n\$ triagebook (diagnose [^\n]+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert block is not None
    said = Triagebook(tmp_path)(*block[1].split()).out
    parts = [part.strip("\n") for part in block[2].split("\n...\n")]
    places = [said.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


@functools.cache
def help_of(command: tuple[str, ...]) -> str:
    """What a command says of itself; a group lists its commands."""
    with tempfile.TemporaryDirectory() as home:
        run = Triagebook(Path(home))(*command, "--help", COLUMNS="200")
    assert run.status == 0, run.err
    return run.out


@pytest.mark.parametrize("line", sorted(WRITTEN))
def test_a_command_that_a_page_shows_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    is_nested = words[0] in GROUPS and words[1:2] and not words[1].startswith("-")
    command = tuple(words[:2] if is_nested else words[:1])
    shown = help_of(command)
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    assert not [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", shown)]


def test_a_new_runbook_passes_its_own_checks(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    triagebook = Triagebook(home)
    assert triagebook("runbook", "new", "my-runbook", str(home / "books")).status == 0
    (home / ".config" / "triagebook").mkdir(parents=True)
    (home / ".config" / "triagebook" / "config.yaml").write_text(f"runbook_paths: [{home}/books]\n")
    assert triagebook("runbook", "lint", "my-runbook").out == "no complaints\n"
    assert triagebook("runbook", "test", "my-runbook").out == (
        "ok  my-runbook@0.1.0 healthy: Far from the ceiling\n"
        "ok  my-runbook@0.1.0 threads-max-full: Nothing can fork\n"
        "ok  my-runbook@0.1.0 threads-max-unknown: The ceiling could not be read\n"
        "3 passed, 0 failed\n"
    )
    again = triagebook("runbook", "new", "my-runbook", str(home / "books"))
    assert (again.status, "is there already, and is not overwritten" in again.err) == (2, True)


@pytest.mark.long
def test_a_new_runbook_is_tested_with_all_others(tmp_path: Path) -> None:
    triagebook = Triagebook(tmp_path)
    assert triagebook("runbook", "new", "my-runbook", str(tmp_path / "books")).status == 0
    (tmp_path / ".config" / "triagebook").mkdir(parents=True)
    (tmp_path / ".config" / "triagebook" / "config.yaml").write_text(f"runbook_paths: [{tmp_path}/books]\n")
    assert triagebook(*ALL_CASES).out.endswith(" passed, 0 failed\n")
