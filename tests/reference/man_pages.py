"""Man pages in roff, made of the commands' own help: `triagebook.1`, and one for each command or group below it."""

import re
from collections.abc import Sequence

from tests.reference.codes_page import every_status
from tests.reference.commands import Command, Parameter, every, root
from tests.reference.configuration_page import VARIABLES

SECTION = "triagebook manual"


def pages() -> dict[str, str]:
    """Return file name -> text."""
    return {"triagebook.1": _main(), **{f"triagebook-{one.words[0]}.1": _page(one) for one in root().below}}


def escape(text: str) -> str:
    """Return a text as roff prints it: backslashes, minus signs, and a dot or quote that begins a line."""
    text = re.sub(r"[`]([^`]*)[`]", r"\1", text).replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"(?m)^([.])", r"\\&\1", text)


def _head(name: str, summary: str) -> list[str]:
    title = f'.TH {name.upper()} 1 "" triagebook "{SECTION}"'
    return [title, ".SH NAME", f"{escape(name)} \\- {escape(summary[0].lower() + summary[1:].rstrip('.'))}"]


def _main() -> str:
    top = root()
    lines = [*_head("triagebook", top.summary), ".SH SYNOPSIS", ".B triagebook", "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR"]
    lines += [".SH DESCRIPTION", *_paragraphs(top.paragraphs), ".SH COMMANDS"]
    for one in every():
        lines += [".TP", f".B {escape(one.name)}", escape(one.summary)]
    lines += [".SH OPTIONS", *_parameters(top.options), *_options_of_all(), ".SH EXIT STATUS"]
    for status, text in every_status():
        lines += [".TP", f".B {status}", escape(text)]
    lines += [".PP", "How diagnose answers by its exit status:", ".BR triagebook\\-diagnose (1)."]
    lines += [".SH ENVIRONMENT"]
    for name, text in VARIABLES.items():
        lines += [".TP", f".B {name}", escape(text)]
    lines += [".SH FILES", ".TP", ".I ~/.config/triagebook/config.yaml", "Settings.", ".TP"]
    lines += [".I ~/.config/triagebook/inventory.yaml", "Hosts and groups.", ".SH SEE ALSO"]
    names = [f"triagebook\\-{one.words[0]}" for one in top.below]
    lines += [f".BR {name} (1){',' if name != names[-1] else ''}" for name in names]
    return "\n".join(lines) + "\n"


def _page(command: Command) -> str:
    lines = [*_head(f"triagebook-{command.words[0]}", command.summary), ".SH SYNOPSIS"]
    leaves = (*((command,) if command.options or not command.below else ()), *(every(command) if command.below else ()))
    for one in leaves:
        lines += [f".B {escape(one.name)}", escape(one.usage.removeprefix(one.name).strip()) or "\\&", ".br"]
    lines.pop()
    if not command.below:
        lines += [".SH DESCRIPTION", *_paragraphs(command.paragraphs), *_body(command, ".SH")]
    else:
        lines += [".SH DESCRIPTION", escape(command.summary)]
        for one in leaves:
            lines += [
                f'.SH "{escape(" ".join(one.words[1:]) or one.name).upper()}"',
                *_paragraphs(one.paragraphs),
                *_body(one, ".SS"),
            ]
    lines += [".SH OPTIONS OF EVERY COMMAND", *_options_of_all(), ".SH SEE ALSO", ".BR triagebook (1)"]
    return "\n".join(lines) + "\n"


def _options_of_all() -> list[str]:
    return [
        ".TP",
        ".BR \\-v , \\-\\-verbose",
        "Print each phase and decision to standard error; \\-vv prints everything.",
        ".TP",
        ".BR \\-h , \\-\\-help",
        "Show the help and exit.",
    ]


def _body(command: Command, heading: str) -> list[str]:
    """Return arguments, options, examples and exit status."""
    lines: list[str] = []
    if command.arguments:
        lines += [f"{heading} ARGUMENTS" if heading == ".SH" else f"{heading} Arguments", *_parameters(command.arguments)]
    if command.options:
        lines += [f"{heading} OPTIONS" if heading == ".SH" else f"{heading} Options", *_parameters(command.options)]
    if command.exit_status:
        lines += [f'{heading} "EXIT STATUS"' if heading == ".SH" else f'{heading} "Exit status"', escape(command.exit_status)]
    if command.examples:
        lines += [f"{heading} EXAMPLES" if heading == ".SH" else f"{heading} Examples", ".nf", ".RS"]
        lines += [*map(escape, command.examples), ".RE", ".fi"]
    return lines


def _parameters(parameters: Sequence[Parameter]) -> list[str]:
    lines: list[str] = []
    for one in parameters:
        note = f" ({one.note})" if one.note else ""
        lines += [".TP", f".B {escape(one.written)}", escape(f"{one.says}{note}.")]
    return lines


def _paragraphs(paragraphs: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [".PP", escape(paragraph)]
    return lines[1:] if lines else lines
