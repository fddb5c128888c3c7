"""Writes help as other manuals do: required arguments without braces, bounds in words, and lists whose texts are never cut."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typer._click.core import Command, Context, Parameter

COMPLETION_VARIABLE = "_TRIAGEBOOK_COMPLETE"  # Typer's name for it: a shell asks by it what may follow


def write_plainly(command: "Command") -> None:
    """Change how a command, and those below it, write their help."""
    for parameter in command.params:
        if parameter.param_type_name == "argument" and parameter.metavar:
            _write_metavar_plainly(parameter, parameter.metavar)
        if hasattr(parameter.type, "_describe_range"):
            _write_bounds_plainly(parameter.type)
    for below in getattr(command, "commands", {}).values():
        _write_sentence_whole(below)
        write_plainly(below)


def _write_metavar_plainly(parameter: "Parameter", metavar: str) -> None:
    """Write `HOST` where Typer writes `{HOST}`, in the usage line and in errors."""

    def make_metavar(ctx: "Context", *, usage: bool = False) -> str:
        return metavar if parameter.required or metavar.startswith("[") else f"[{metavar}]"

    parameter.make_metavar = make_metavar  # type: ignore[method-assign]


def _write_bounds_plainly(number: Any) -> None:
    """Write `0 to 600` where Typer writes `0<=x<=600`, and `whole number` for `int range`, in help and in errors."""
    least, most = number.min, number.max
    text = f"at least {least}" if most is None else f"at most {most}" if least is None else f"{least} to {most}"
    number.name = "whole number" if number._number_class is int else "number"
    number._describe_range = lambda: text


def _write_sentence_whole(command: Any) -> None:
    """Show the first sentence of a command's help in a list of commands, however narrow the terminal is: it is wrapped."""
    text = (command.short_help or command.help or "").split("\n\n")[0]
    sentence = " ".join(text.split()).partition(". ")[0].rstrip(".")
    command.get_short_help_str = lambda limit=0: f"{sentence}."
