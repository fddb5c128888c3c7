"""`triagebook completion SHELL` prints the script that completes its commands, options, hosts and cases in a shell.

The script asks `triagebook` itself at each tab, through Typer's own protocol (an environment variable).
"""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, cast

import typer
from triagebook.bot.cli.usage import COMPLETION_VARIABLE
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import did_you_mean
from typer._click.shell_completion import CompletionItem, add_completion_class
from typer._completion_classes import BashComplete, ZshComplete, completion_init
from typer._completion_shared import COMPLETION_SCRIPT_FISH, COMPLETION_SCRIPT_ZSH

if TYPE_CHECKING:
    from typer._click.core import Command, Context, Parameter

# Readline replaces only what follows the last of its word breaks, ':' and '=' among them, or begins at '@', which it leaves
# in the word (rl_special_prefixes). Typer's own script for bash takes no account of it, and `replay:CASE` would be doubled.
# What a value may go on after (`replay:`) gets no space.
BASH = """\
_triagebook_completion() {
    local typed=${COMP_LINE:0:COMP_POINT} value
    local word=${typed##*[[:space:]]}
    local breaks=${COMP_WORDBREAKS//@/}
    local kept=${word%"${word##*[$breaks]}"}
    local rest=${word#"$kept"}
    if [[ $COMP_WORDBREAKS == *@* && $rest == *@* ]]; then kept+=${rest%@*}; fi
    COMPREPLY=()
    while IFS= read -r value; do
        [ -n "$value" ] && COMPREPLY+=("${value#"$kept"}")
    done < <(_TYPER_COMPLETE_ARGS="$typed" _TRIAGEBOOK_COMPLETE=complete_bash "$1" 2>/dev/null)
    if [ "${#COMPREPLY[@]}" = 1 ] && [[ ${COMPREPLY[0]} == *: ]]; then compopt -o nospace; fi
    return 0
}
complete -o default -F _triagebook_completion triagebook
"""


def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish")],
) -> None:
    """Print the completion script of a shell: bash, zsh or fish.

    It completes commands, options, hosts, groups, recorded cases, runbooks, checks and fixes.

    \b
    Example, for the start file of each shell:
      triagebook completion bash
      echo 'source <(triagebook completion bash)' >> ~/.bashrc
      echo 'source <(triagebook completion zsh)' >> ~/.zshrc      # after compinit
      triagebook completion fish > ~/.config/fish/completions/triagebook.fish
    """
    scripts = {"bash": BASH, "zsh": COMPLETION_SCRIPT_ZSH, "fish": COMPLETION_SCRIPT_FISH}
    if shell not in scripts:
        raise UsageError(f"no completion for shell {shell[:40]!r}{did_you_mean(shell, scripts)}", reason="usage")
    names = {"complete_func": "_triagebook_completion", "prog_name": "triagebook", "autocomplete_var": COMPLETION_VARIABLE}
    script = scripts[shell] if shell == "bash" else scripts[shell] % names
    sys.stdout.write(script.strip() + "\n")


def whole_words(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the whole words typed so far, of which a shell asks what may follow them."""
    text = environment.get("_TYPER_COMPLETE_ARGS", "")
    return text.split()[1:] if text[-1:].isspace() else text.split()[1:-1]


class BashLine(BashComplete):
    """Reads the line as it was typed, as Typer's classes for the other shells do."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words and the incomplete one."""
        return ZshComplete.get_completion_args(cast("ZshComplete", self))


def prepare(command: "Command") -> None:
    """Have each parameter of a command, and of those below it, complete what its metavar stands for."""
    completion_init()
    add_completion_class(BashLine, "bash")
    _prepare_below(command)


def _prepare_below(command: "Command") -> None:
    for parameter in command.params:
        if parameter.metavar:
            parameter._custom_shell_complete = _complete  # what Typer sets for `autocompletion=`
    below: Iterable[Command] = getattr(command, "commands", {}).values()
    for each in below:
        _prepare_below(each)


def _complete(context: "Context", parameter: "Parameter", incomplete: str) -> "list[CompletionItem]":
    from triagebook.bot.cli.candidates import candidates_of  # noqa: PLC0415 - 40 ms, for values only

    return [CompletionItem(value, help=text or None) for value, text in candidates_of(context, parameter, incomplete)]
