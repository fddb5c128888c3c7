"""The `triagebook` command line parses arguments and prints answers; the work is done in `tools`."""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer
from triagebook.bot.cli import options, output
from triagebook.bot.cli.process_exit import ProcessExit
from triagebook.bot.cli.usage import COMPLETION_VARIABLE, write_plainly
from triagebook.bot.cli.verbosity import add_option
from triagebook.bot.render.terminal import SafeStream
from triagebook.runbooks.engine.errors import TriagebookError
from triagebook.tools.log import log_event, safe_value
from typer.main import get_command

if TYPE_CHECKING:
    from triagebook.bot.cli.early_connect import EarlyConnection
    from triagebook.tools.ssh.transport import SshTransport
    from typer._click.core import Command

FAULT = 70  # EX_SOFTWARE of sysexits.h: the failure is ours

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich costs 60 ms of every start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"triagebook {version('triagebook')}\n")
        raise typer.Exit


@app.callback()
def triagebook(
    *,
    is_version_wanted: Annotated[
        bool, typer.Option("--version", help="Show the version and exit", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Diagnose Linux hosts with versioned runbooks, and apply fixes that a second person approved.

    Diagnosing only reads. Start with: triagebook diagnose
    """


def _early_transport(early: "EarlyConnection | None", hosts: tuple[str, ...], ssh_config: str) -> "SshTransport | None":
    """Return the transport that began to connect before the arguments were parsed, if it did so for just these hosts."""
    return early.transport if early is not None and (early.hosts, early.ssh_config) == (hosts, ssh_config) else None


@app.command(short_help="Find the cause of a failure on this machine or on hosts over SSH.")
def diagnose(
    context: typer.Context,
    hosts: options.Hosts = None,
    *,
    runbook: options.RunbookOption = "",
    symptom: options.SymptomOption = "",
    unit: options.UnitOption = "",
    user: options.UserOption = "",
    pid: options.PidOption = 0,
    sample: options.SampleOption = 2.0,
    explain: options.ExplainOption = False,
    as_json: options.JsonOption = False,
    save: options.SaveOption = "",
    accept_unknown: options.AcceptUnknownOption = None,
    server: options.ServerOption = False,
    transport: options.TransportOption = "ssh",
    ssh_config: options.SshConfig = "",
    at_once: options.AtOnceOption = 0,
    max_errors: options.MaxErrorsOption = 0,
    timeout: options.TimeoutOption = 0.0,
    limit: options.LimitOption = None,
    exclude: options.ExcludeOption = None,
    hosts_from: options.HostsFromOption = "",
    retry_file: options.RetryFileOption = "",
) -> None:
    """Find the cause of a failure on this machine or on hosts over SSH: the limit or shortage, and what uses it up.

    Diagnosing only reads: nothing on the host is changed.

    Example: triagebook diagnose web01 --symptom 'Cannot allocate memory'

    Example: triagebook diagnose @web --exclude 'web9*' --retry-file left.txt

    Exit status: 0 healthy, 1 cause found, 2 usage, 3 inconclusive, 4 unreachable or failed, 5 refused by policy, 6 warning.
    """
    from triagebook.bot.cli import diagnose as face  # noqa: PLC0415 - light start: --help needs none of it
    from triagebook.bot.cli.diagnose_options import DiagnoseOptions, inputs_of  # noqa: PLC0415 - as above

    asked = DiagnoseOptions(
        hosts=tuple(hosts or ()),
        runbook=runbook,
        inputs=inputs_of(symptom=symptom, unit=unit, user=user, pid=pid),
        sample_s=sample,
        explain=explain,
        as_json=as_json,
        save=save,
        accepted=tuple(accept_unknown or ()),
        is_by_server=server,
        transport=transport,
        ssh_config=ssh_config,
        at_once=at_once,
        max_errors=max_errors,
        only=tuple(limit or ()),
        exclude=tuple(exclude or ()),
        hosts_from=hosts_from,
        retry_file=retry_file,
        timeout_s=timeout,
        dialing=_early_transport(context.obj, tuple(hosts or ()), ssh_config) if transport == "ssh" and not server else None,
    )
    raise typer.Exit(face.run(asked))


@app.command(short_help="Sample hosts continuously; report refusals and trends.")
def watch(
    hosts: Annotated[
        list[str] | None, typer.Argument(metavar="[HOST]...", help="HOST, USER@HOST, @GROUP or localhost; this machine if omitted")
    ] = None,
    *,
    every: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Time between two samples; lengthened if sampling exceeds --host-cpu", min=1),
    ] = 10.0,
    runbook: options.RunbookOption = "",
    host_cpu: Annotated[
        float,
        typer.Option(metavar="PERCENT", help="Largest share of one CPU that sampling may use on a host", min=0.01, max=100),
    ] = 0.1,
    samples: Annotated[
        int, typer.Option(metavar="N", help="Stop after N samples of each host; 0: run until interrupted", min=0)
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line per sample")] = False,
    textfile: Annotated[
        str, typer.Option(metavar="FILE", help="Write metrics to this file for the textfile collector of node_exporter")
    ] = "",
    transport: options.TransportOption = "ssh",
    ssh_config: options.SshConfig = "",
    inventory: Annotated[
        str, typer.Option(metavar="FILE", help="Take hosts and groups from this inventory (default: the configured ones)")
    ] = "",
) -> None:
    """Sample hosts continuously over one open session each; report refusals, trends and when a limit will be reached.

    While it runs, `triagebook diagnose` of the same host uses the open session, so it works even when the host can no
    longer fork or accept a login.

    Example: triagebook watch web01 db01 --every 30

    Exit status: 0 ended by Ctrl-C or --samples, 2 usage, 4 at the last of --samples a host gave no session.
    """
    from triagebook.bot.cli import watch as face  # noqa: PLC0415

    chosen = tuple(hosts or ["localhost"])
    raise typer.Exit(
        face.run(face.WatchOptions(chosen, runbook, every, samples, as_json, textfile, transport, ssh_config, host_cpu, inventory))
    )


GROUPS = {
    "runbook": "List, check, test and write runbooks.",
    "fix": "Propose, approve, apply and revert fixes. Exit status: 0 done, 5 refused, 2 usage, 4 failed; `apply` has more.",
    "lock": "Show and break host locks.",
    "audit": "Read, verify and export the audit log.",
    "feedback": "Show and record whether answers were right.",
    "host": "List and compare hosts; prepare hosts for fixes.",
    "policy": "Check a policy and explain its decisions.",
    "slack": "Print the Slack app manifest; check the tokens.",
    "config": "Show, find and edit the configuration.",
    "site": "Prepare keys of sites; show which sites have workers.",
    "serve": "Run the approval server: policy, signing and audit log. `serve init` sets it up.",
    "mcp": "Serve an AI assistant over MCP on standard input and output. `mcp install` configures one.",
}
RUN_THEMSELVES = {"mcp", "serve"}  # groups that are a command too, with a help text of their own
COMMANDS = {
    "show": "Show a diagnosis again, of a file or by its id.",
    "diff": "Compare two diagnoses: status, causes and figures.",
    "facts": "Read the facts of kinds on a host, without a verdict.",
    "doctor": "Check the installation: what is in use, and what is missing.",
    "completion": "Print the completion script of a shell: bash, zsh or fish.",
    "alerts": "Show the alerts that the server took, and what came of each.",
    "history": "Show what a host was found to have before.",
    "record": "Write the record of an incident, each line with its proof.",
    "worker": "Run a worker of a site: it reads the hosts of this network.",
}


def mount(words: Sequence[str]) -> None:
    """Add the groups and commands. Only the one that is called is imported: each of the others costs 15 ms of a start."""
    for name, text in GROUPS.items():
        group = import_module(f"triagebook.bot.cli.{name}").app if name in words else typer.Typer(help=text)
        if name in words and name in RUN_THEMSELVES:
            app.add_typer(group, name=name)
        else:
            app.add_typer(group, name=name, help=text)
    for name, text in COMMANDS.items():
        command = getattr(import_module(f"triagebook.bot.cli.{name}"), name) if name in words else lambda: None
        app.command(name=name, help=None if name in words else text)(command)


def main(dialled: "EarlyConnection | None" = None) -> None:
    """Parse the arguments and run the command. A failure becomes one line on standard error and an exit status.

    The traceback of an internal error is shown with -vv.
    """
    output.prepare()
    process_exit = ProcessExit()
    sys.exit(process_exit.status(output.status_after_flush(_run(dialled))))


def _program() -> "Command":
    """Return the command line with the groups and commands that the words call for, or that a shell asks about at a tab."""
    is_completed = COMPLETION_VARIABLE in os.environ
    if is_completed:
        from triagebook.bot.cli import completion  # noqa: PLC0415 - only while a shell asks

    words = completion.whole_words() if is_completed else sys.argv[1:]
    mount([word for word in words if not word.startswith("-")][:1])
    command = get_command(app)
    add_option(command)
    write_plainly(command)
    if is_completed:
        completion.prepare(command)
    return command


def _run(dialled: "EarlyConnection | None") -> int:
    """Run the command and return its exit status."""
    sys.stdout, sys.stderr = (cast("TextIO", SafeStream(stream)) for stream in (sys.stdout, sys.stderr))
    try:
        _program()(obj=dialled, prog_name="triagebook")
    except SystemExit as end:  # Typer's, and that of commands
        if isinstance(end.__context__, BrokenPipeError):  # Click ends with 1 then, which means a cause was found
            return output.BROKEN_PIPE
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except TriagebookError as error:
        sys.stderr.write(f"triagebook: {_message_of(error)}\n")
        return {"usage": 2, "host_name": 2, "input": 2, "check": 2, "policy": 5}.get(error.reason, _status_of(error))
    except BrokenPipeError:
        return output.BROKEN_PIPE
    except KeyboardInterrupt:
        return output.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last one who can say it in words
        return _status_of_defect(error)
    finally:
        gc.freeze()  # saves 25 ms: otherwise the interpreter collects garbage once more on exit
    return 0


def _status_of_defect(error: Exception) -> int:
    """Say what no command expects: an extra that is not installed, an output that cannot be written, a mistake of ours."""
    if isinstance(error, ModuleNotFoundError):
        from triagebook.bot.cli.extras import install_advice  # noqa: PLC0415 - for an incomplete installation only

        if advice := install_advice(error.name or ""):
            sys.stderr.write(f"triagebook: {advice}\n")
            return 2
    if isinstance(error, OSError) and output.is_about_output(error):
        return output.status_of_failure(error)
    if isinstance(error, OSError) and isinstance(error.filename, (str, bytes)):
        sys.stderr.write(f"triagebook: {safe_value('file', error.filename)}: {error.strerror}\n")
        return 4
    log_event("cli.defect", error=error)
    why = safe_value("error", error)
    sys.stderr.write(f"triagebook: internal error: {why}; run the command again with -vv and report the output\n")
    return FAULT


def _message_of(error: TriagebookError) -> str:
    """The message of an error; a refusal starts with its reason code, as in the audit log."""
    from triagebook.runbooks.engine.errors import RefusedError  # noqa: PLC0415

    return f"{error.reason}: {error}" if isinstance(error, RefusedError) else str(error)


def _status_of(error: TriagebookError) -> int:
    from triagebook.runbooks.engine.errors import RefusedError, RunbookError, UsageError  # noqa: PLC0415

    if isinstance(error, RefusedError):
        return 5
    return 2 if isinstance(error, (UsageError, RunbookError)) else 4
