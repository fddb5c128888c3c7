"""Files say which machine a name is, who may send alerts and who is told: no server starts on one that others can write."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from triagebook.bot.cli import app as command_line
from triagebook.tools.server import setup
from triagebook.tools.server.setup import ServerLayout

FILES = {
    "ssh_config": "--ssh-config",
    "fix_ssh_config": "--fix-ssh-config",
    "inventory.yaml": "--inventory",
    "alerts.yaml": "--alert-rules",
}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def said_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a start says that would refuse its policy last: whatever else there is to refuse comes first."""
    options = [word for name, option in FILES.items() for word in (option, str(folder / name))]
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(command_line, "app", typer.Typer())
    argv = [
        "triagebook",
        "serve",
        "--data",
        str(folder),
        "--policy",
        str(folder / "no-policy"),
        "--alerts",
        "127.0.0.1:0",
        *options,
    ]
    monkeypatch.setattr(sys, "argv", argv)
    command_line._run(None)
    return " ".join(err.getvalue().split())


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    """A server makes its files private; the tests after these make files that other accounts read."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o644)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_can_write_stops_the_start(folder: Path, name: str, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / name).chmod(mode)
    assert f"{folder / name}: others can write it" in said_of(folder, monkeypatch)


@as_root
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_account_stops_the_start(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(folder / name, 3_000_000, 3_000_000)
    assert f"{folder / name}: others can write it" in said_of(folder, monkeypatch)


def test_files_of_root_or_the_server_do_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "others can write" not in said_of(folder, monkeypatch)


@as_root
@pytest.mark.parametrize(("owner", "mode", "state"), [(0, 0o755, "there"), (3_000_000, 0o755, "wrong"), (0, 0o777, "wrong")])
def test_setting_a_server_up_takes_no_folder_of_somebody_else(tmp_path: Path, owner: int, mode: int, state: str) -> None:
    folder = tmp_path / "triagebook-serve"
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, owner, owner)
    step = setup._folder_step(ServerLayout(config=folder), folder, 0o755, is_accounts=False)
    assert step.state == state
    assert str(folder) in step.cure or state == "there"
