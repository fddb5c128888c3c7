"""The options and arguments of `triagebook diagnose` and of commands that share some of them, each with its help."""

from typing import Annotated

import typer

Hosts = Annotated[
    list[str] | None,
    typer.Argument(metavar="[HOST]...", help="HOST, USER@HOST, @GROUP, localhost or replay:CASE; this machine if omitted"),
]
SshConfig = Annotated[str, typer.Option("--ssh-config", "-F", metavar="FILE", help="Use this ssh configuration file")]
ServerOption = Annotated[
    bool,
    typer.Option(
        "--server",
        help="Have the approval server diagnose, with its access and the sessions of its watch; asked by itself where a host is "
        "unreachable for you",
    ),
]
RunbookOption = Annotated[str, typer.Option("--runbook", "-r", metavar="RUNBOOK", help="Use this runbook: ID or ID@VERSION")]
TransportOption = Annotated[str, typer.Option(metavar="TRANSPORT", help="ssh (built in) or openssh (runs your own ssh program)")]


def _require_said(context: typer.Context, option: typer.CallbackParam, value: str | int) -> str | int:
    """Refuse an option that is there and says nothing, as an empty variable of a shell makes it: its answer would be of no unit."""
    source = context.get_parameter_source(option.name or "")
    if not value and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("it names nothing; leave it out, or say what failed")
    return value


SymptomOption = Annotated[str, typer.Option("--symptom", metavar="TEXT", help="The error message you saw", callback=_require_said)]
UnitOption = Annotated[str, typer.Option("--unit", metavar="UNIT", help="The systemd unit that failed", callback=_require_said)]
UserOption = Annotated[str, typer.Option("--user", metavar="USER", help="The user whose process failed", callback=_require_said)]
PidOption = Annotated[
    int,
    typer.Option("--pid", metavar="PID", help="The process that failed", min=0, show_default=False, callback=_require_said),
]
SampleOption = Annotated[
    float,
    typer.Option(
        "--sample", metavar="SECONDS", help="Time between two samples, if the runbook needs a second one", min=0.1, max=60
    ),
]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Show for each check the figures it was judged by, and where they were read")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one line per host")]
SaveOption = Annotated[
    str, typer.Option("--save", metavar="FILE", help="Write the diagnosis and all facts to this new file (one host only)")
]
AcceptUnknownOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-unknown",
        metavar="CHECK",
        help="Report an unknown result of this check as a caveat, not as inconclusive; repeatable",
    ),
]
AtOnceOption = Annotated[
    int,
    typer.Option("--at-once", metavar="N", help="Diagnose at most N hosts at a time, of each site; 0: automatic", min=0, max=1000),
]
MaxErrorsOption = Annotated[
    int, typer.Option("--max-errors", metavar="N", help="Start no further host after N hosts have failed; 0: no limit", min=0)
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="Give up a host that is silent for so long; 0: as configured, else about 8 s",
        min=0,
        max=600,
    ),
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option("--limit", metavar="PATTERN", help="Diagnose only the hosts that match, such as 'web*'; repeatable"),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Leave out the hosts that match, such as 'db*'; repeatable"),
]
HostsFromOption = Annotated[
    str, typer.Option("--hosts-from", metavar="FILE", help="Read more hosts from this file, one a line; - is standard input")
]
RetryFileOption = Annotated[
    str, typer.Option("--retry-file", metavar="FILE", help="Write the hosts that gave no answer to this file, each time anew")
]
