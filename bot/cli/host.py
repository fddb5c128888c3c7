"""`triagebook host`: which hosts there are, and in what they differ; `prepare` adds preparing them for fixes."""

import json
import sys
from typing import Annotated

import typer
from triagebook.bot.cli import host_setup

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The hosts there are, what they differ in, and preparing them.")
app.add_typer(host_setup.app)
Json = Annotated[bool, typer.Option("--json", help="As JSON")]
SshConfig = Annotated[str, typer.Option("-F", help="The ssh configuration file to use")]


@app.command("list")
def list_hosts(
    group: Annotated[str, typer.Argument(help="Only the hosts of this group")] = "all",
    *,
    as_json: Json = False,
    ssh_config: SshConfig = "",
) -> None:
    """List the hosts: of your inventory files, ssh_config and Ansible, as the configuration has them."""
    from triagebook.runbooks.engine.text import safe_text  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.inventory.sources import load  # noqa: PLC0415
    from triagebook.tools.settings import config_file  # noqa: PLC0415

    settings = setup.settings()
    inventory = load(settings.inventory, config_file(settings, ssh_config))
    for entry in inventory.of(group.removeprefix("@")):
        groups = inventory.groups_of(entry.name)
        if as_json:
            line = {"host": entry.name, "ssh": entry.ssh or entry.name, "groups": groups, "sources": entry.sources}
            sys.stdout.write(json.dumps(line) + "\n")
        else:
            ssh = f"  ssh {entry.ssh}" if entry.ssh else ""
            text = f"{entry.name}{ssh}  {', '.join(f'@{name}' for name in groups)}".rstrip()
            sys.stdout.write(safe_text(text, 400) + "\n")


@app.command()
def drift(
    hosts: Annotated[list[str], typer.Argument(help="@GROUP or hosts")],
    *,
    as_json: Json = False,
    runbook: Annotated[str, typer.Option("--runbook", "-r", help="Whose facts are compared")] = "",
    transport: Annotated[str, typer.Option(help="ssh, or openssh (your own ssh program)")] = "ssh",
    ssh_config: SshConfig = "",
) -> None:
    """Compare limits and where they come from across hosts, outliers first. What could not be read is unknown, not equal.

    Exit status: 0 no difference, 6 hosts differ, 4 a host could not be asked.
    """
    from triagebook.bot.cli import drift as face  # noqa: PLC0415

    raise typer.Exit(face.run(tuple(hosts), as_json=as_json, runbook=runbook, transport=transport, ssh_config=ssh_config))
