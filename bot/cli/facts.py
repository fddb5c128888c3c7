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
from triagebook.runbooks.probes.generic_kinds import base_of
from triagebook.tools.diagnosis import setup
from triagebook.tools.diagnosis.read_facts import facts_to_read, read_facts, read_facts_of_runbook

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

    A kind that asks a program takes its subject after a colon. With --runbook and no kind, the facts of that runbook are read, by
    its own names, also those it declares of sysctl, proc_table and rlimits; with kinds, it says whose case a replay:CASE is.

    \b
    Examples:
      triagebook facts web01 --runbook my-runbook
      triagebook facts localhost kernel_limits meminfo
      triagebook facts web01 unit_settings:nginx.service
      triagebook facts replay:unit-tasksmax pids_cgroups --json
    """
    settings = setup.settings()
    wanted = facts_to_read(kinds or ())
    is_of_runbook = bool(runbook) and not kinds
    targets = setup.targets(settings, (host,), ssh_config)
    if len(targets) != 1:
        raise UsageError(f"{host}: {len(targets)} hosts; facts are read of one", reason="usage")
    service = setup.service(settings, transport=transport, ssh_config=ssh_config)
    if is_of_runbook:
        found = read_facts_of_runbook(service, targets[0], runbook, samples=samples)
    else:
        found = read_facts(service, targets[0], wanted, runbook=runbook or settings.default_runbook, samples=samples)
    style = style_of(sys.stdout)
    kinds_of = {name: base_of(kind) for name, kind in service.load(runbook).probes.items()} if is_of_runbook else {}
    for name, value in found.items():
        kind = kinds_of.get(name, name)
        if as_json:
            line = {"schema": SCHEMA, "host": targets[0].text, "kind": kind, "facts": to_plain(value)}
            line |= {"probe": name} if is_of_runbook else {}
            sys.stdout.write(json_line(line))
        else:
            sys.stdout.write(render_facts(f"{name} ({kind})" if is_of_runbook else kind, value, style))
