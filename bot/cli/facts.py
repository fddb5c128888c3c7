"""`triagebook facts HOST [KIND...]` reads facts on a host by one login, without a verdict."""

import sys
from typing import Annotated

import typer
from triagebook.bot.cli import options
from triagebook.bot.render.facts import render_facts
from triagebook.bot.render.style import style_of
from triagebook.bot.render.terminal import json_line
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.plain_data import to_plain
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.read_facts import facts_to_read, read_facts

SCHEMA = "triagebook/facts/v1"


def facts(
    host: Annotated[str, typer.Argument(metavar="HOST", help="HOST, USER@HOST, localhost or replay:CASE")],
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KIND]...", help="Kinds of facts (triagebook runbook kinds lists them); all if omitted"),
    ] = None,
    *,
    runbook: options.RunbookOption = "",
    samples: Annotated[
        int, typer.Option(metavar="N", help="Take one sample, or two for what grows between them", min=1, max=2)
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line per kind")] = False,
    transport: options.TransportOption = "ssh",
    ssh_config: options.SshConfig = "",
) -> None:
    """Read the facts of kinds on a host, without a verdict. Each has its value, unit and file.

    A kind that asks a program takes its subject after a colon. --runbook says whose case a replay:CASE is.

    \b
    Examples:
      triagebook facts localhost kernel_limits meminfo
      triagebook facts web01 unit_settings:nginx.service
      triagebook facts replay:unit-tasksmax pids_cgroups --json
    """
    settings = setup.settings()
    wanted = facts_to_read(kinds or ())
    targets = setup.targets(settings, (host,), ssh_config)
    if len(targets) != 1:
        raise UsageError(f"{host}: {len(targets)} hosts; facts are read of one", reason="usage")
    service = setup.service(settings, transport=transport, ssh_config=ssh_config)
    found = read_facts(service, targets[0], wanted, runbook=runbook or settings.default_runbook, samples=samples)
    style = style_of(sys.stdout)
    for kind, value in found.items():
        if as_json:
            line = {"schema": SCHEMA, "host": targets[0].text, "kind": kind, "facts": to_plain(value)}
            sys.stdout.write(json_line(line))
        else:
            sys.stdout.write(render_facts(kind, value, style))
