"""What the command line says of itself, read from the parser: the page and the man pages are made of it."""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from triagebook.bot.cli import app as cli
from triagebook.bot.cli.usage import write_plainly
from triagebook.bot.cli.verbosity import add_option
from typer.main import get_command

WIDTH = 4000  # a record of help is never wrapped
EVERYWHERE = {"--verbose", "--help"}
_LABEL = re.compile(r"(Examples?|Exit status|Set-up step by step): ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """One option or argument: how it is written, what it does, its default or range."""

    written: str
    says: str
    note: str


@dataclass(frozen=True)
class Command:
    """One command or group, with all that `--help` shows of it."""

    words: tuple[str, ...]
    usage: str
    paragraphs: tuple[str, ...]
    examples: tuple[str, ...]
    exit_status: str
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]
    below: tuple["Command", ...] = field(default=())

    @property
    def name(self) -> str:
        """Return it as it is typed."""
        return " ".join(("triagebook", *self.words))

    @property
    def summary(self) -> str:
        """Return its first sentence."""
        return self.paragraphs[0].split(". ")[0].rstrip(".") + "."


@cache
def root() -> Command:
    """Return the whole command line."""
    cli.mount([*cli.GROUPS, *cli.COMMANDS])
    parser = get_command(cli.app)
    add_option(parser)
    write_plainly(parser)
    return _command(parser, (), None)


def every(command: Command | None = None) -> tuple[Command, ...]:
    """Return the commands that do something, in the order of the help; a group with options of its own is one too."""
    top = command or root()
    return tuple(
        one for below in top.below for one in ((*((below,) if below.options else ()), *every(below)) if below.below else (below,))
    )


def _command(parser: Any, words: tuple[str, ...], parent: Any) -> Command:
    context = parser.make_context(words[-1] if words else "triagebook", [], parent=parent, resilient_parsing=True)
    context.terminal_width = context.max_content_width = WIDTH
    paragraphs, examples, exit_status = _texts(parser.help or parser.short_help or "")
    shown = [item for item in parser.params if not getattr(item, "hidden", False)]
    options = [item for item in shown if item.param_type_name != "argument" and not EVERYWHERE & {*item.opts}]
    below = {name: one for name, one in getattr(parser, "commands", {}).items() if not one.hidden}
    pieces = [piece for piece in parser.collect_usage_pieces(context) if options or piece != "[OPTIONS]"]
    return Command(
        words=words,
        usage=" ".join(("triagebook", *words, *pieces)),
        paragraphs=paragraphs,
        examples=examples,
        exit_status=exit_status,
        arguments=tuple(_parameter(item, context) for item in shown if item.param_type_name == "argument"),
        options=tuple(_parameter(item, context) for item in options),
        below=tuple(_command(one, (*words, name), context) for name, one in below.items()),
    )


def _parameter(item: Any, context: Any) -> Parameter:
    written, says = item.get_help_record(context)
    if match := re.fullmatch(r"(.*?)\s*\[([^\[\]]*(?:default|required|at least|at most|\d to \d)[^\[\]]*)\]", says, re.DOTALL):
        return Parameter(written, match[1], _note(match[2]))
    return Parameter(written, says, "")


def _note(text: str) -> str:
    """Say a default without a colon: `default: 2.0; 0.1 to 60` becomes `default 2.0; 0.1 to 60`."""
    return text.replace("default: ", "default ")


def _texts(text: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Split a help text into its paragraphs, its examples and what it says of the exit status."""
    paragraphs, examples, status = [], [], ""
    for block in re.split(r"\n\s*\n", text.replace("\b", "").strip()):
        match = _LABEL.fullmatch(block.strip())
        if match is None:
            paragraphs.append(" ".join(block.split()))
        elif match[1] == "Exit status":
            status = " ".join(match[2].split())
        elif match[1].startswith("Example"):
            examples += _example_lines(match[2])
    return tuple(paragraphs), tuple(examples), status


def _example_lines(text: str) -> list[str]:
    """Return the commands of an example; a line that does not begin with the program goes on the one before."""
    lines: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if lines and not re.match(r"(\w+=\S+ )*(triagebook|eval|source|#)", line):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return lines
