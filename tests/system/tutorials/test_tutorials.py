"""The tutorials do what they show: each of their commands is run, in order, and prints what stands on the page."""

from pathlib import Path

import pytest

from tests.command import ROOT
from tests.transcript import Reader, Step, steps_of

TUTORIALS = ("tutorials/first-incident.md", "tutorials/write-a-runbook.md", "how-to/runbook.md")


@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_prints_what_it_shows(page: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    steps = list(steps_of((ROOT / "docs" / page).read_text()))
    assert any(step.command for step in steps)
    for step in steps:
        wrong = reader.follow(step)
        assert not wrong, wrong


def test_a_transcript_has_files_commands_and_what_they_print() -> None:
    page = '```yaml title="a.yaml"\nx: 1\n```\n\n'
    page += "```\n$ cat a.yaml\nx: 1\n$ echo b; echo c; echo d\nb\n...\nd\n```\n\n```\nno command\n```\n"
    assert list(steps_of(page)) == [
        Step(1, file="a.yaml", text="x: 1\n"),
        Step(5, command="cat a.yaml", shown=("x: 1",)),
        Step(5, command="echo b; echo c; echo d", shown=("b", "d")),
    ]


def test_what_a_page_shows_and_a_command_does_not_print_is_told(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    assert not reader.follow(Step(1, command="echo b; echo c", shown=("b", "c")))
    assert "is shown to print\nb\n" in reader.follow(Step(1, command="echo c; echo b; echo c", shown=("c", "b", "b")))
