"""The command line: `triagebook`. It parses and prints; everything else is behind `tools/service.py`."""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from triagebook.runbooks.engine.errors import TriagebookError

GARBAGE_THRESHOLD = 20_000  # imports make tens of thousands of objects and no garbage; Python's own 700 costs 10 ms of a start

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich costs 60 ms of every start
    pretty_exceptions_enable=False,
    help="Diagnose a Linux host by a versioned runbook, and fix it once a person has approved.",
)

Hosts = Annotated[list[str] | None, typer.Argument(help="NAME, USER@NAME, localhost or replay:CASE; none is this machine")]
RunbookOption = Annotated[str, typer.Option("--runbook", "-r", help="ID or ID@VERSION")]


@app.command()
def diagnose(
    hosts: Hosts = None,
    *,
    runbook: RunbookOption = "",
    symptom: Annotated[str, typer.Option(help="The error text you saw")] = "",
    unit: Annotated[str, typer.Option(help="The systemd unit it happened in")] = "",
    user: Annotated[str, typer.Option(help="The user it happened to")] = "",
    pid: Annotated[int, typer.Option(help="The process it happened to", min=0)] = 0,
    sample: Annotated[float, typer.Option(help="Seconds between two samples, where a second one is taken", min=0.1, max=60)] = 2.0,
    explain: Annotated[bool, typer.Option("--explain", help="Show every check and every fact it rests on")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per host, a line each")] = False,
    save: Annotated[str, typer.Option(help="Write the diagnosis and all facts to this file")] = "",
    accept_unknown: Annotated[list[str] | None, typer.Option(help="A check whose unknown is a stated caveat")] = None,
    transport: Annotated[str, typer.Option(help="ssh, or openssh (your own ssh program)")] = "ssh",
    ssh_config: Annotated[str, typer.Option("-F", help="The ssh configuration file to use")] = "",
) -> None:
    """Say what refuses allocations on a host: a limit or a shortage, which one, and who uses it up.

    Exit status: 0 healthy, 1 cause found, 2 usage, 3 inconclusive, 4 unreachable or failed, 5 refused, 6 warning.
    """
    from triagebook.bot import diagnose as face  # noqa: PLC0415 - light start: --help needs none of it

    inputs: dict[str, Any] = {"symptom": symptom, "unit": unit, "user": user, "pid": pid}
    options = face.Options(
        hosts=tuple(hosts or ["localhost"]),
        runbook=runbook,
        inputs={name: value for name, value in inputs.items() if value},
        sample_s=sample,
        explain=explain,
        as_json=as_json,
        save=save,
        accepted=tuple(accept_unknown or ()),
        transport=transport,
        ssh_config=ssh_config,
    )
    raise typer.Exit(face.run(options))


GROUPS = {
    "runbook": ("runbook_commands", "Look at, check and write runbooks."),
    "fix": ("fix_commands", "Propose, decide on and carry out fixes."),
    "audit": ("audit_commands", "The audit log."),
    "policy": ("policy_commands", "Who may do what."),
    "host": ("host_commands", "Prepare hosts for fixes, and prove it."),
}
COMMANDS = {"serve": ("serve_command", "Decide, sign and record for everybody else on this machine.")}


def mount(words: Sequence[str]) -> None:
    """Add the groups and commands; only those that are called are imported (a start costs 15 ms for each of the others)."""
    for name, (module, text) in GROUPS.items():
        group = import_module(f"triagebook.bot.{module}").app if name in words else typer.Typer(help=text)
        app.add_typer(group, name=name)
    for name, (module, text) in COMMANDS.items():
        command = getattr(import_module(f"triagebook.bot.{module}"), name) if name in words else lambda: None
        app.command(name=name, help=None if name in words else text)(command)


def main() -> None:
    """Entry point. Expected failures become one line on standard error and their exit status."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    mount(sys.argv[1:])
    try:
        app()
    except TriagebookError as error:
        sys.stderr.write(f"triagebook: {error}\n")
        sys.exit({"usage": 2, "host_name": 2, "input": 2, "check": 2, "policy": 5}.get(error.reason, _status_of(error)))
    except BrokenPipeError:
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # the interpreter's last collection would look at everything for nothing: 25 ms


def _status_of(error: TriagebookError) -> int:
    from triagebook.runbooks.engine.errors import RefusedError, RunbookError, UsageError  # noqa: PLC0415

    if isinstance(error, RefusedError):
        return 5
    return 2 if isinstance(error, (UsageError, RunbookError)) else 4
