"""`triagebook config` shows where each value comes from, and never lets a mistake replace a file that was right."""

from pathlib import Path

import pytest

from tests.command import Triagebook


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config" / "triagebook").mkdir(parents=True)
    return tmp_path


def config_of(home: Path) -> Path:
    return home / ".config" / "triagebook" / "config.yaml"


def editor_that(home: Path, script: str) -> str:
    file = home / "editor"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_each_value_stands_beside_the_line_or_the_variable_it_comes_from(home: Path) -> None:
    config_of(home).write_text("# mine\naccept_unknown: [max_map_count]\nslack:\n  approvals: C0123456789\n")
    (config_of(home).parent / "inventory.yaml").write_text("hosts: [web01]\n")
    run = Triagebook(home)("config", "view", "--json", XDG_CACHE_HOME=str(home / "cache"), XDG_STATE_HOME="relative")
    found = {line["key"]: (line["value"], line["origin"]) for line in run.json()}
    assert found["accept_unknown"] == ("max_map_count", f"{config_of(home)}:2")
    assert found["slack.approvals"] == ("C0123456789", f"{config_of(home)}:4")
    assert found["inventory"] == (f"{config_of(home).parent}/inventory.yaml, ssh_config", "default")
    assert found["(cache)"] == (f"{home}/cache/triagebook", "$XDG_CACHE_HOME")
    assert found["(state)"] == (f"{home}/.local/state/triagebook", "default")
    assert set(found) >= {"runbook_paths", "default_runbook", "ssh_config"}


def test_a_long_value_is_shown_whole(home: Path) -> None:
    hosts = [f"files/{'x' * 100}.yaml", "ssh_config"]
    config_of(home).write_text(f"inventory: [{', '.join(hosts)}]\n")
    assert ", ".join(hosts) in Triagebook(home)("config", "view").out


def test_the_path_is_printed_alone_and_a_missing_file_is_said_beside(home: Path) -> None:
    missing = Triagebook(home)("config", "path")
    assert (missing.status, missing.out) == (4, f"{config_of(home)}\n")
    assert "triagebook config edit" in missing.err
    config_of(home).write_text("")
    assert Triagebook(home)("config", "path").status == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runbok_paths: [x]\n", "config.yaml:1: runbok_paths: unknown key (did you mean 'runbook_paths'?)"),
        ("runbook_paths: [nosuch]\n", "no folder"),
        ("default_runbook: enomen\n", "did you mean 'enomem'?"),
        ("inventory: [nosuch.yaml]\n", "nosuch.yaml"),
    ],
)
def test_check_names_what_is_wrong_and_opens_no_editor(home: Path, text: str, said: str) -> None:
    config_of(home).write_text(text)
    run = Triagebook(home)("config", "edit", "--check", EDITOR="/nonexistent")
    assert (run.status, run.out) == (2, "")
    assert said in run.err


def test_an_edited_file_replaces_the_old_one(home: Path) -> None:
    run = Triagebook(home)("config", "edit", EDITOR=editor_that(home, 'echo "accept_unknown: [max_map_count]" >> "$1"'))
    assert (run.status, run.out) == (0, f"{config_of(home)}: changed\n")
    text = config_of(home).read_text()
    assert text.startswith("# Configuration of triagebook")
    assert text.endswith("accept_unknown: [max_map_count]\n")
    assert Triagebook(home)("config", "edit", "--check").status == 0


def test_a_mistake_leaves_the_old_file_and_can_be_edited_on(home: Path) -> None:
    config_of(home).write_text("default_runbook: enomem\n")
    wrong = Triagebook(home)("config", "edit", EDITOR=editor_that(home, 'echo "nosuch: 1" >> "$1"'))
    assert wrong.status == 2
    assert "nosuch: unknown key" in wrong.err
    assert config_of(home).read_text() == "default_runbook: enomem\n"
    mended = Triagebook(home)("config", "edit", VISUAL=editor_that(home, 'sed -i s/nosuch.*// "$1"'))
    assert mended.status == 0, mended.err
    assert config_of(home).read_text() == "default_runbook: enomem\n\n"


def test_an_editor_that_is_not_there_or_fails_is_named(home: Path) -> None:
    assert "nosuch-editor: No such file" in Triagebook(home)("config", "edit", EDITOR="nosuch-editor").err
    assert "ended with status 3" in Triagebook(home)("config", "edit", EDITOR=editor_that(home, "exit 3")).err
