"""`runbook diff`, `lint`, `test` and `release` say what they found by file, line, case and path, as a person would write it."""

from pathlib import Path

import pytest
from triagebook.bot.render.changes import changes

from tests.command import Triagebook


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """The folder of a new runbook, configured."""
    (tmp_path / ".config" / "triagebook").mkdir(parents=True)
    (tmp_path / ".config" / "triagebook" / "config.yaml").write_text(f"runbook_paths: [{tmp_path}/books]\n")
    assert Triagebook(tmp_path)("runbook", "new", "mine", str(tmp_path / "books")).status == 0
    return tmp_path / "books"


def test_a_difference_is_a_line_for_each_value_with_its_path() -> None:
    old = {"title": "a", "checks": [{"id": "x", "states": [{"active": "now", "when": "p"}, {"active": "near", "when": "q"}]}]}
    new = {
        "title": "b",
        "checks": [
            {
                "id": "x",
                "states": [{"active": "past", "when": "o"}, {"active": "now", "when": "p"}, {"active": "near", "when": "r"}],
            },
            {"id": "y", "states": [], "explains": ["enomem", "thread"]},
        ],
    }
    assert changes(old, new) == [
        "+ checks.x.states[0].active: past",
        "+ checks.x.states[0].when: o",
        "- checks.x.states[2].when: q",
        "+ checks.x.states[2].when: r",
        "+ checks.y.id: y",
        "+ checks.y.states: []",
        '+ checks.y.explains: ["enomem", "thread"]',
        "- title: a",
        "+ title: b",
    ]
    assert changes(old, old) == []


def test_the_differences_of_two_versions_are_no_python(tmp_path: Path) -> None:
    run = Triagebook(tmp_path)("runbook", "diff", "enomem@1.0.0", "enomem@1.1.0")
    assert run.status == 1
    assert "{'" not in run.out
    assert all(line[:2] in ("- ", "+ ") for line in run.out.splitlines())


def test_lint_says_the_line_of_what_no_case_proves(books: Path) -> None:
    (books / "mine" / "0.1.0" / "cases" / "threads-max-full.yaml").unlink()
    lines = (books / "mine" / "0.1.0" / "runbook.yaml").read_text().splitlines()
    where = 1 + next(number for number, line in enumerate(lines) if "active: at_limit" in line)
    run = Triagebook(books.parent)("runbook", "lint", "mine")
    assert run.out == f"mine@0.1.0: runbook.yaml:{where}: threads_max: no case matches states[0] (at_limit, certain)\n"


def test_a_test_names_each_case_of_the_runbook_that_was_named(books: Path) -> None:
    case = books / "mine" / "0.1.0" / "cases" / "healthy.yaml"
    case.write_text(case.read_text().replace("status: healthy", "status: warning"))
    out = Triagebook(books.parent)("runbook", "test", "mine").out.splitlines()
    assert out[0].startswith("mine@0.1.0 healthy: status:")
    assert out[1] == "ok  mine@0.1.0 threads-max-full: Nothing can fork"


def test_a_released_version_is_locked_and_may_not_change(books: Path) -> None:
    triagebook = Triagebook(books.parent)
    (books / "runbooks.lock").write_text("# mine")
    run = triagebook("runbook", "release", "mine@0.1.0")
    assert (run.status, run.out[:30]) == (0, "mine@0.1.0 is released: sha256")
    assert (books / "runbooks.lock").read_text() == f"# mine\nmine@0.1.0 {run.out.split()[-1]}\n"
    assert "released already" in triagebook("runbook", "release", "mine@0.1.0").err
    file = books / "mine" / "0.1.0" / "runbook.yaml"
    file.write_text(file.read_text().replace("Nothing found", "All is well"))
    assert "is released and was changed" in triagebook("runbook", "show", "mine").err


def test_what_lint_or_a_case_complains_of_is_not_released(books: Path) -> None:
    triagebook = Triagebook(books.parent)
    assert "say which version" in triagebook("runbook", "release", "mine").err
    case = books / "mine" / "0.1.0" / "cases" / "healthy.yaml"
    case.write_text(case.read_text().replace("status: healthy", "status: warning"))
    run = triagebook("runbook", "release", "mine@0.1.0")
    assert (run.status, "case healthy fails" in run.err) == (2, True)
    assert not (books / "runbooks.lock").exists()


@pytest.mark.parametrize(
    ("symptom", "runbook"), [("fork: Cannot allocate memory", "enomem"), ("accept: Too many open files in system", "emfile")]
)
def test_the_error_text_chooses_the_runbook_that_a_case_is_recorded_for(symptom: str, runbook: str, tmp_path: Path) -> None:
    case = tmp_path / "here.yaml"
    run = Triagebook(tmp_path)("runbook", "record", "localhost", str(case), "--symptom", symptom, "--samples", "1")
    assert run.out.startswith(f"{case}: a case of {runbook}. "), run.err
    assert f'symptom: "{symptom}"' in case.read_text()
