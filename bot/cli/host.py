"""`triagebook host ...` lists hosts, compares their limits, and (in `host_setup`) prepares them for fixes."""

import json
import sys
from typing import Annotated

import typer
from triagebook.bot.cli import host_setup, options

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(host_setup.app)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line")]


@app.command("list")
def list_hosts(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="List only hosts of this group")] = "all",
    *,
    as_json: Json = False,
    ssh_config: options.SshConfig = "",
) -> None:
    """List your hosts. They come from inventory files, the ssh configuration and Ansible inventories.

    Example: triagebook host list web
    """
    from triagebook.runbooks.engine.text import safe_text  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.inventory.sources import load, say_no_hosts  # noqa: PLC0415
    from triagebook.tools.settings import config_file  # noqa: PLC0415

    settings = setup.settings()
    inventory = load(settings.inventory, config_file(settings, ssh_config))
    for says in inventory.warnings:
        sys.stderr.write(f"triagebook: warning: {safe_text(says, 400)}\n")
    name = group.removeprefix("@")
    listed = inventory.of(name)
    if not listed:
        sys.stderr.write(f"triagebook: {safe_text(say_no_hosts([f'@{name}'], settings.inventory), 1000)}\n")
    for entry in listed:
        groups = inventory.groups_of(entry.name)
        if as_json:
            line = {"host": entry.name, "ssh": entry.ssh or entry.name, "groups": groups, "sources": entry.sources}
            line |= {"site": entry.site} if entry.site else {}
            sys.stdout.write(json.dumps(line) + "\n")
        else:
            ssh = (f"  ssh {entry.ssh}" if entry.ssh else "") + (f"  site {entry.site}" if entry.site else "")
            text = f"{entry.name}{ssh}  {', '.join(f'@{name}' for name in groups)}".rstrip()
            sys.stdout.write(safe_text(text, 400) + "\n")


@app.command()
def drift(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST...", help="HOST, USER@HOST or @GROUP")],
    *,
    as_json: Json = False,
    runbook: Annotated[
        str, typer.Option("--runbook", "-r", metavar="RUNBOOK", help="Compare the facts that this runbook reads")
    ] = "",
    transport: options.TransportOption = "ssh",
    ssh_config: options.SshConfig = "",
) -> None:
    """Compare limits across hosts, outliers first. Also compares the files that set them.

    A value that could not be read counts as unknown, never as equal.

    Example: triagebook host drift @web

    Exit status: 0 no difference, 6 hosts differ, 4 a host could not be read.
    """
    from triagebook.bot.cli import drift as face  # noqa: PLC0415

    raise typer.Exit(face.run(tuple(hosts), as_json=as_json, runbook=runbook, transport=transport, ssh_config=ssh_config))
