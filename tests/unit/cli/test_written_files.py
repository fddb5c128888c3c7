"""A command that writes a file where a person says writes a new one, or its own of before: nothing of theirs is lost by a slip."""

from pathlib import Path

import pytest
from triagebook.tools.own_file import HOSTS_LEFT

from tests.command import Triagebook

THERE = "is there already, and is not overwritten; name another file, or remove that one first"
MINE = "hosts: {web01: {}}\n"
COMMANDS = (
    ("feedback", "case", "20261130T141500-be2e41fd", "mine"),
    ("runbook", "record", "localhost", "mine"),
    ("diagnose", "replay:healthy", "--save", "mine"),
    ("diagnose", "replay:healthy", "replay:unit-tasksmax", "--retry-file", "mine"),
    ("watch", "localhost", "--samples", "1", "--textfile", "mine"),
    ("site", "init", "mine"),
    ("site", "add", "eu1", "--creds", "mine"),
)


@pytest.fixture
def triagebook(tmp_path: Path) -> Triagebook:
    return Triagebook(tmp_path)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_is_not_overwritten(triagebook: Triagebook, tmp_path: Path, words: tuple[str, ...], kind: str) -> None:
    mine = tmp_path / "mine"
    if kind == "file":
        mine.write_text(MINE)
    elif kind == "folder":
        mine.mkdir()
    else:
        mine.symlink_to("nosuch")
    run = triagebook(*words)
    assert (run.status, run.out, run.err) == (2, "", f"triagebook: mine: {THERE}\n")
    assert kind != "file" or mine.read_text() == MINE


def test_hosts_are_not_prepared_when_the_file_for_those_left_is_another_one(triagebook: Triagebook, tmp_path: Path) -> None:
    from tests.unit.cli.test_first_contact import key_pair

    (tmp_path / "mine").write_text(MINE)
    keys = [str(key_pair(tmp_path, name)[1]) for name in ("orders", "fix", "diagnose")]
    options = ("--signer", keys[0], "--fix-key", keys[1], "--diagnose-key", keys[2], "--retry-file", "mine")
    run = triagebook("host", "install", "a.invalid", "b.invalid", *options)
    assert (run.status, run.err) == (2, f"triagebook: mine: {THERE}\n")
    assert (tmp_path / "mine").read_text() == MINE


def test_a_folder_that_is_not_there_is_said_before_a_host_is_asked(triagebook: Triagebook) -> None:
    nosuch = "nosuch.invalid"
    for words in (
        ("diagnose", nosuch, "--save"),
        ("diagnose", nosuch, "--retry-file"),
        ("runbook", "record", nosuch),
        ("watch", nosuch, "--textfile"),
    ):
        run = triagebook(*words, "none/x.json")
        assert (run.status, run.err) == (2, "triagebook: cannot write none/x.json: there is no folder none\n")


def test_hosts_to_try_again_are_written_anew_over_those_of_before(triagebook: Triagebook, tmp_path: Path) -> None:
    left = tmp_path / "left.txt"
    for words in (("a.invalid", "b.invalid", "replay:healthy"), ("--hosts-from", "left.txt", "--exclude", "a*")):
        assert triagebook("diagnose", *words, "--retry-file", "left.txt").status == 4
    assert left.read_text() == f"{HOSTS_LEFT}b.invalid\n"


def test_metrics_are_written_anew_over_those_of_before(triagebook: Triagebook, tmp_path: Path) -> None:
    for _ in range(2):
        assert triagebook("watch", "localhost", "--samples", "1", "--textfile", "watch.prom").status == 0
    assert (tmp_path / "watch.prom").read_text().startswith("# HELP triagebook_")


def test_a_runbook_is_not_started_over_another(triagebook: Triagebook) -> None:
    assert triagebook("runbook", "new", "mine", ".").status == 0
    run = triagebook("runbook", "new", "mine", ".")
    assert (run.status, run.err) == (
        2,
        "triagebook: mine/0.1.0: is there already, and is not overwritten; choose another id or folder\n",
    )
