"""A saved diagnosis is shown again in every form, and two are compared, without asking a host."""

import json
from pathlib import Path

import pytest

from tests.command import Run, Triagebook


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    triagebook = Triagebook(home)
    assert triagebook("diagnose", "replay:unit-tasksmax", "--save", "full.json").status == 1
    assert triagebook("diagnose", "replay:healthy", "--save", "healthy.json").status == 0
    assert triagebook("diagnose", "replay:unit-tasksmax", "-r", "enomem", "--save", "alone.json").status == 1
    (home / "lines.json").write_text(triagebook("diagnose", "replay:healthy", "replay:unit-tasksmax", "--json").out)
    return home


def show(home: Path, *words: str) -> Run:
    return Triagebook(home)("show", *words)


def without_time(text: str) -> list[str]:
    return [line for line in text.splitlines() if " ms | " not in line]


@pytest.mark.parametrize("options", [(), ("--explain",)])
def test_a_saved_diagnosis_is_shown_as_it_was_printed(home: Path, options: tuple[str, ...]) -> None:
    printed = Triagebook(home)("diagnose", "replay:unit-tasksmax", *options)
    assert without_time(show(home, "full.json", *options).out) == without_time(printed.out)


def test_an_answer_of_one_runbook_is_shown_too(home: Path) -> None:
    printed = Triagebook(home)("diagnose", "replay:unit-tasksmax", "-r", "enomem")
    assert without_time(show(home, "alone.json").out) == without_time(printed.out)
    assert show(home, "alone.json", "--format", "json").json()[0]["schema"] == "triagebook/diagnosis/v1"


def test_json_gives_the_diagnosis_back_and_lines_stay_lines(home: Path) -> None:
    saved = json.loads((home / "full.json").read_text())["triage"]
    assert show(home, "full.json", "--format", "json").json() == [saved]
    assert show(home, "lines.json", "--format", "json").json() == [json.loads(line) for line in (home / "lines.json").open()]
    assert show(home, "lines.json").out.count("\nHEALTHY  replay:healthy") + show(home, "lines.json").out.startswith("HEALTHY") == 1


def test_markdown_has_the_sentence_the_evidence_and_commands_that_can_be_pasted(home: Path) -> None:
    text = show(home, "full.json", "--format", "markdown", "--explain").out
    assert text.startswith("# CAUSE FOUND: `replay:unit-tasksmax`\n\nA limit, not a shortage")
    assert "\n  systemctl set-property --runtime worker.service TasksMax=64\n" in text
    assert "| `pids[/system.slice/worker.service].current` | 24 tasks |" in text
    assert "| `threads_max` | kernel.threads-max | ruled out |" in text


def test_nothing_that_a_host_said_becomes_markup(home: Path, tmp_path: Path) -> None:
    saved = json.loads((home / "full.json").read_text())
    saved["triage"]["headline"] = "<img src=x> [click](http://x) *bold*"
    saved["triage"]["diagnoses"][0]["verdict"]["consumers"][0]["comm"] = "a|b`c"
    (tmp_path / "odd.json").write_text(json.dumps(saved))
    text = show(home, str(tmp_path / "odd.json"), "--format", "markdown").out
    assert "\\<img src=x\\> \\[click\\](http://x) \\*bold\\*" in text
    assert "| `a\\|b'c` |" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "",
            "empty; give a file that `triagebook diagnose --save FILE` or `--json` wrote, or an id such as ",
        ),
        ("{}", ":1: not a diagnosis (triagebook/diagnosis/v1 or triagebook/triage/v1)"),
        ("root:x:0:0\n", ":1: not JSON"),
        ('{"schema": "triagebook/drift/v1"}', "it is a triagebook/drift/v1"),
        ('{"schema": "triagebook/diagnosis/v1"}', ":1: diagnosis.id: missing"),
    ],
)
def test_what_is_no_saved_diagnosis_is_said(home: Path, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "x").write_text(content)
    run = show(home, str(tmp_path / "x"))
    assert (run.status, run.out) == (2, "")
    assert said in run.err


def test_two_diagnoses_are_compared_before_and_after(home: Path) -> None:
    run = Triagebook(home)("diff", "full.json", "healthy.json")
    assert run.status == 1
    assert "status\n  - cause_found\n  + healthy\n" in run.out
    assert "check pids_cgroup\n  - matched\n  + cleared\n" in run.out
    same = Triagebook(home)("diff", "full.json", "full.json")
    assert (same.status, same.out) == (0, "no difference\n")
    assert {"what": "status", "before": "cause_found", "after": "healthy"} in Triagebook(home)(
        "diff", "full.json", "healthy.json", "--json"
    ).json()


def test_several_diagnoses_are_not_compared_with_one(home: Path) -> None:
    run = Triagebook(home)("diff", "lines.json", "full.json")
    assert (run.status, "2 diagnoses" in run.err) == (2, True)
