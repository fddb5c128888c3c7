"""The command line: `triagebook`. It parses and prints; everything else is behind `tools/diagnosis/service.py`."""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from triagebook.runbooks.engine.errors import TriagebookError

if TYPE_CHECKING:
    from triagebook.bot.cli.early_connect import EarlyConnection

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich costs 60 ms of every start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Hosts = Annotated[list[str] | None, typer.Argument(help="NAME, USER@NAME, @GROUP, localhost or replay:CASE; none is this machine")]
SshConfig = Annotated[str, typer.Option("-F", help="The ssh configuration file to use")]
RunbookOption = Annotated[str, typer.Option("--runbook", "-r", help="ID or ID@VERSION")]


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"triagebook {version('triagebook')}\n")
        raise typer.Exit


@app.callback()
def triagebook(
    *,
    is_version_wanted: Annotated[
        bool, typer.Option("--version", help="Say which triagebook this is", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Diagnose a Linux host by a versioned runbook, and fix it once a person has approved."""


@app.command(short_help="Say which limit refuses allocations on a host, and who uses it up.")
def diagnose(
    context: typer.Context,
    hosts: Hosts = None,
    *,
    runbook: RunbookOption = "",
    symptom: Annotated[str, typer.Option(help="The error text you saw")] = "",
    unit: Annotated[str, typer.Option(help="The systemd unit it happened in")] = "",
    user: Annotated[str, typer.Option(help="The user it happened to")] = "",
    pid: Annotated[int, typer.Option(help="The process it happened to", min=0, show_default=False)] = 0,
    sample: Annotated[float, typer.Option(help="Seconds between two samples, where a second one is taken", min=0.1, max=60)] = 2.0,
    explain: Annotated[bool, typer.Option("--explain", help="Show every check and every fact it rests on")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per host, a line each")] = False,
    save: Annotated[str, typer.Option(help="Write the diagnosis and all facts to this file")] = "",
    accept_unknown: Annotated[list[str] | None, typer.Option(help="A check whose unknown is a stated caveat")] = None,
    transport: Annotated[str, typer.Option(help="ssh, or openssh (your own ssh program)")] = "ssh",
    ssh_config: SshConfig = "",
    at_once: Annotated[int, typer.Option(help="Hosts at once, of many; 0: as many as is sensible", min=0, max=1000)] = 0,
    max_errors: Annotated[int, typer.Option(help="Ask no further host after so many failed; 0: go on", min=0)] = 0,
) -> None:
    """Say what refuses allocations on a host: a limit or a shortage, which one, and who uses it up.

    Exit status: 0 healthy, 1 cause found, 2 usage, 3 inconclusive, 4 unreachable or failed, 5 refused, 6 warning.
    """
    from triagebook.bot.cli import diagnose as face  # noqa: PLC0415 - light start: --help needs none of it

    dialled: EarlyConnection | None = context.obj
    is_for_these = dialled is not None and (dialled.hosts, dialled.ssh_config) == (tuple(hosts or ()), ssh_config)

    inputs: dict[str, Any] = {"symptom": symptom, "unit": unit, "user": user, "pid": pid}
    options = face.DiagnoseOptions(
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
        at_once=at_once,
        max_errors=max_errors,
        dialing=dialled.transport if dialled is not None and is_for_these and transport == "ssh" else None,
    )
    raise typer.Exit(face.run(options))


@app.command(short_help="Keep hosts open; tell refusals, trends and the time left.")
def watch(
    hosts: Annotated[list[str] | None, typer.Argument(help="NAME, USER@NAME, @GROUP or localhost; none is this machine")] = None,
    *,
    every: Annotated[
        float, typer.Option(help="Seconds between two samples; longer where one costs the host too much", min=1)
    ] = 10.0,
    runbook: RunbookOption = "",
    host_cpu: Annotated[
        float,
        typer.Option(help="Percent of one CPU of the host it may cost; it looks less often where it would", min=0.01, max=100),
    ] = 0.1,
    samples: Annotated[int, typer.Option(help="Stop after so many; 0: no end", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per sample, a line each")] = False,
    textfile: Annotated[str, typer.Option(help="Keep metrics in this file for node_exporter's textfile collector")] = "",
    transport: Annotated[str, typer.Option(help="ssh, or openssh (your own ssh program)")] = "ssh",
    ssh_config: SshConfig = "",
) -> None:
    """Keep hosts open and go on looking: refusals as they happen, where use is heading, when it will be full.

    While it runs, diagnose of the same host goes through its open session, even where nothing can fork any more.
    """
    from triagebook.bot.cli import watch as face  # noqa: PLC0415

    chosen = tuple(hosts or ["localhost"])
    raise typer.Exit(
        face.run(face.WatchOptions(chosen, runbook, every, samples, as_json, textfile, transport, ssh_config, host_cpu))
    )


GROUPS = {
    "runbook": "Look at, check and write runbooks.",
    "fix": "Propose, decide on and carry out fixes.",
    "lock": "Hosts that a fix has to itself.",
    "audit": "The audit log.",
    "host": "The hosts there are, what they differ in, and preparing them.",
    "policy": "Who may do what.",
    "slack": "The Slack app: its manifest, and whether its tokens fit.",
}
COMMANDS = {
    "serve": "Decide, sign and record for everybody else on this machine.",
    "mcp": "Serve tools to an assistant over standard input and output.",
}


def mount(words: Sequence[str]) -> None:
    """Add the groups and commands; only those that are called are imported (a start costs 15 ms for each of the others)."""
    for name, text in GROUPS.items():
        group = import_module(f"triagebook.bot.cli.{name}").app if name in words else typer.Typer(help=text)
        app.add_typer(group, name=name)
    for name, text in COMMANDS.items():
        command = getattr(import_module(f"triagebook.bot.cli.{name}"), name) if name in words else lambda: None
        app.command(name=name, help=None if name in words else text)(command)


def main(dialled: "EarlyConnection | None" = None) -> None:
    """Parse and run. Expected failures become one line on standard error and their exit status."""
    mount(sys.argv[1:])
    try:
        app(obj=dialled)
    except TriagebookError as error:
        sys.stderr.write(f"triagebook: {_message_of(error)}\n")
        sys.exit({"usage": 2, "host_name": 2, "input": 2, "check": 2, "policy": 5}.get(error.reason, _status_of(error)))
    except BrokenPipeError:
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # the interpreter's last collection would look at everything for nothing: 25 ms


def _message_of(error: TriagebookError) -> str:
    """The message; a refusal with the reason code that the audit log has too."""
    from triagebook.runbooks.engine.errors import RefusedError  # noqa: PLC0415

    return f"{error.reason}: {error}" if isinstance(error, RefusedError) else str(error)


def _status_of(error: TriagebookError) -> int:
    from triagebook.runbooks.engine.errors import RefusedError, RunbookError, UsageError  # noqa: PLC0415

    if isinstance(error, RefusedError):
        return 5
    return 2 if isinstance(error, (UsageError, RunbookError)) else 4
