"""`-v` and `-vv`, on every command and before it: what happens is said on standard error while it happens."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typer._click.core import Command, Context, Parameter

FLAGS = {"-v": 1, "-vv": 2, "--verbose": 1}
HELP = "Print each phase and decision to standard error; -vv prints everything"
_META = "triagebook.verbosity"
SERVER = "serve"  # which sets up a log of its own


def count_flags(words: Sequence[str], takes_value: frozenset[str] | set[str]) -> int:
    """Count the flags among the words of a command line that is not parsed yet; a value of an option is none."""
    count, is_value = 0, False
    for word in words:
        if word == "--":
            break
        count += 0 if is_value else FLAGS.get(word, 0)
        is_value = not is_value and word in takes_value
    return count


def show(verbosity: int) -> None:
    """Begin to say what happens."""
    from triagebook.tools.log_output import show_to_person  # noqa: PLC0415 - 15 ms that a quiet run need not pay

    show_to_person(sys.stderr, verbosity)


def add_option(command: "Command") -> None:
    """Give the option to a command and to all those below it."""
    from typer.core import TyperOption  # noqa: PLC0415 - the start that connects first imports this module before typer

    command.params.append(
        TyperOption(
            param_decls=["--verbose", "-v"], count=True, expose_value=False, callback=_take, help=HELP, show_default=False, type=int
        )
    )
    for below in getattr(command, "commands", {}).values():
        add_option(below)


def _take(context: "Context", _option: "Parameter", count: int) -> Any:
    if count:
        meta = context.find_root().meta
        meta[_META] = meta.get(_META, 0) + count
        show(meta[_META])
    return count


def of_context(context: "Context") -> int:
    """Return how often it was asked for."""
    return int(context.find_root().meta.get(_META, 0))
