"""Every command says what it does to somebody who never saw the product."""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module

import pytest
import typer
from triagebook.bot.cli.app import COMMANDS, GROUPS, app
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

WIDTH = 80  # columns of a terminal
# The verb that each help starts with: a new command takes one of these, or a better one and a line here.
VERBS = {
    *("Apply", "Approve", "Break", "Check", "Compare", "Deny", "Diagnose", "Explain", "Export", "Find", "List", "Prepare", "Print"),
    "Repair",
    "Write",
    *(
        "Edit",
        "Propose",
        "Read",
        "Release",
        "Record",
        "Rotate",
        "Run",
        "Sample",
        "Serve",
        "Show",
        "Start",
        "Undo",
        "Verify",
        "Withdraw",
    ),
}
# Words that leave open who or what is meant. The field has a word for each: administrator, requester, approval server.
VAGUE = re.compile(
    r"\b(who(so)?ever|whatever|somebody|nobody|say yes|says no|place of trust|door|has to itself|the one who)\b", re.I
)


def whole_program() -> TyperGroup:
    """All commands, mounted as `app.mount` does for the one that is called."""
    program = typer.Typer(rich_markup_mode=None)
    program.registered_commands += [command for command in app.registered_commands if command.name not in COMMANDS]
    program.registered_callback = app.registered_callback
    for name, text in GROUPS.items():
        program.add_typer(import_module(f"triagebook.bot.cli.{name}").app, name=name, help=text)
    for name in COMMANDS:
        program.command(name=name)(getattr(import_module(f"triagebook.bot.cli.{name}"), name))
    found = get_command(program)
    assert isinstance(found, TyperGroup)
    return found


def commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, TyperGroup):
            yield from commands(command, (*path, name))


EVERY = dict(commands(whole_program()))
LEAVES = {path: command for path, command in EVERY.items() if not isinstance(command, TyperGroup)}


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_a_command_says_in_its_first_sentence_what_it_does(path: tuple[str, ...]) -> None:
    command = EVERY[path]
    text = command.help or ""
    assert re.split(r"[ ,]", text)[0] in VERBS, text
    assert text.split("\n\n")[0].endswith("."), text
    room = WIDTH - 2 - 6 - max(len(name) for other in EVERY if other[:-1] == path[:-1] for name in other[-1:])
    assert not command.get_short_help_str(room).endswith("..."), "the list of commands shows its first sentence whole"
    assert not VAGUE.findall(text)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_each_option_and_argument_is_explained(path: tuple[str, ...]) -> None:
    for parameter in LEAVES[path].params:
        text = str(getattr(parameter, "help", "") or "")
        assert text, parameter.name
        assert not text.endswith("."), text
        assert not VAGUE.findall(text), text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_and_the_command_itself_say_the_same(name: str) -> None:
    assert (EVERY[name,].help or "").startswith(COMMANDS[name])


EXAMPLES = [
    (path, line)
    for path, command in LEAVES.items()
    for line in re.findall(r"^ *(?:Example: )?(triagebook [a-z].*)$", command.help or "", re.MULTILINE)
]


@pytest.mark.parametrize(("path", "line"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_an_example_is_accepted_by_its_command_and_not_wrapped(path: tuple[str, ...], line: str) -> None:
    program, *words = shlex.split(line.split(" > ", maxsplit=1)[0])
    assert (program, tuple(words[: len(path)])) == ("triagebook", path)
    LEAVES[path].make_context(path[-1], words[len(path) :])  # raises a usage error
    command = LEAVES[path]
    assert line in command.get_help(command.context_class(command, terminal_width=WIDTH - 2))


def test_every_command_shows_an_example() -> None:
    assert not LEAVES.keys() - {path for path, _line in EXAMPLES}
