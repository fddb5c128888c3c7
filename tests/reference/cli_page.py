"""The page of the command line."""

from tests.reference.commands import Command, every
from tests.reference.markdown import fenced, made_by, table

HEAD = """# Command line

The command is `triagebook`. Every command takes `-h`, which shows this text in the terminal, and `-v`, which says on standard
error what happens while it happens (`-vv`: everything). Every `--json` prints one object a line: [JSON](json.md). What an exit
status means: [Exit statuses](exit-statuses.md). Installed as a package, `man triagebook` shows the same.

"""


def page() -> str:
    """Return the page: all commands, then each with its arguments, options and examples."""
    commands = every()
    index = table(("Command", "What it does"), ((f"[`{one.name}`](#{anchor(one)})", one.summary) for one in commands))
    return HEAD + made_by("the commands' own help (`bot/cli`)") + index + "".join(map(_section, commands))


def anchor(command: Command) -> str:
    """Return the anchor of its heading."""
    return command.name.replace(" ", "-")


def _section(command: Command) -> str:
    parts = [f"## {command.name}\n\n", *(f"{paragraph}\n\n" for paragraph in command.paragraphs), fenced(command.usage)]
    if command.examples:
        parts.append(("For example:\n\n" if len(command.examples) == 1 else "Examples:\n\n") + fenced("\n".join(command.examples)))
    parts.append(table(("Argument", "What it says", ""), ((f"`{one.written}`", one.says, one.note) for one in command.arguments)))
    parts.append(
        table(("Option", "What it does", "Default, range"), ((f"`{one.written}`", one.says, one.note) for one in command.options))
    )
    if command.exit_status:
        parts.append(f"Exit status: {command.exit_status}\n\n")
    return "".join(parts)
