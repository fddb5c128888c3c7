"""What is dialled before the command line is parsed: one host that plainly is one."""

from importlib.metadata import version
from typing import Any

import pytest
from triagebook.bot.cli.app import app
from triagebook.bot.cli.early_connect import _FLAGS, _WITH_VALUE, plain_target
from triagebook.bot.cli.verbosity import add_option
from typer.main import get_command
from typer.testing import CliRunner


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["diagnose", "web1"], ("web1", "")),
        (["diagnose", "-F", "ssh_config", "--json", "web1", "--symptom", "Cannot allocate"], ("web1", "ssh_config")),
        (["diagnose", "web1", "-F", "a", "-F", "b"], ("web1", "b")),
        (["diagnose", "-vv", "web1", "-v"], ("web1", "")),
        (["diagnose", "web1", "--verbose"], ("web1", "")),
        (["diagnose"], None),
        (["diagnose", "web1", "web2"], None),
        (["diagnose", "web1", "-F"], None),
        (["diagnose", "web1", "--help"], None),
        (["diagnose", "web1", "--transport", "openssh"], None),
        (["diagnose", "web1", "--symptom=x"], None),
        (["diagnose", "--", "web1"], None),
        (["watch", "web1"], None),
        ([], None),
    ],
)
def test_only_what_is_plainly_one_host_is_dialled(words: list[str], expected: tuple[str, str] | None) -> None:
    assert plain_target(words) == expected


def _is_flag(option: Any) -> bool:
    return getattr(option, "is_flag", False) or getattr(option, "count", False)


def test_the_options_known_here_are_those_of_the_command() -> None:
    command = get_command(app).commands["diagnose"]  # type: ignore[attr-defined]
    add_option(command)
    flags = {name for option in command.params for name in option.opts if _is_flag(option)}
    assert flags | {"-vv"} >= _FLAGS
    assert {name for option in command.params for name in option.opts if name not in flags} >= _WITH_VALUE


@pytest.mark.parametrize("words", [["-h"], ["diagnose", "-h"]])
def test_short_help_is_help(words: list[str]) -> None:
    asked = CliRunner().invoke(app, words)
    assert (asked.exit_code, asked.output[:6]) == (0, "Usage:")


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"triagebook {version('triagebook')}\n"
