"""`triagebook site ...` makes the keys by which a NATS server knows a server and its sites, and shows which sites have workers."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from triagebook.bot.cli import options
from triagebook.runbooks.engine.errors import UsageError
from triagebook.runbooks.engine.text import safe_text

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
LOOK_S = 1.0
USERS = "Add these lines to `users` in nats-server.conf, and reload the NATS server: nats-server --signal reload"


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file for the key")],
) -> None:
    """Prepare the key with which this server asks sites. Prints what the NATS server is to let it do.

    Example: triagebook site init /var/lib/triagebook/server.creds
    """
    from triagebook.tools.sites.credentials import create_credentials, user_lines  # noqa: PLC0415 - the extra `sites`
    from triagebook.tools.sites.wire import server_permissions  # noqa: PLC0415 - as above

    public = create_credentials(file, "The key with which a triagebook server asks its sites")
    sys.stderr.write(f"Wrote {safe_text(str(file), 300)}. In config.yaml: sites: {{nats: tls://HOST:4222, credentials: FILE}}\n")
    sys.stderr.write(f"{USERS}\n")
    sys.stdout.write(user_lines(public, server_permissions()))


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The site: letters, digits, '_' and '-'")],
    *,
    creds: Annotated[Path | None, typer.Option(metavar="FILE", help="The new file for the key (default: NAME.creds)")] = None,
) -> None:
    """Prepare the key of a site's workers. Prints what the NATS server is to let them do: their own site's subjects only.

    Example: triagebook site add eu1
    """
    from triagebook.tools.inventory.inventory import SITE  # noqa: PLC0415
    from triagebook.tools.sites.credentials import create_credentials, user_lines  # noqa: PLC0415 - the extra `sites`
    from triagebook.tools.sites.wire import site_permissions  # noqa: PLC0415 - as above

    if not SITE.fullmatch(name):
        raise UsageError(f"{name!r} is not a site: letters, digits, '_' and '-', at most 63", reason="usage")
    file = creds or Path(f"{name}.creds")
    public = create_credentials(file, f"The key of the workers of site {name}")
    sys.stderr.write(f"Wrote {safe_text(str(file), 300)}. Bring it to the machines of {name} that run a worker.\n")
    sys.stderr.write(f"{USERS}\n")
    sys.stdout.write(user_lines(public, site_permissions(name)))


@app.command("list")
def list_sites(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line")] = False,
    ssh_config: options.SshConfig = "",
) -> None:
    """List the sites of your inventory, and their workers.

    Example: triagebook site list

    Exit status: 0 each site has a worker, 4 one has none.
    """
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.inventory.sources import load  # noqa: PLC0415
    from triagebook.tools.settings import config_file  # noqa: PLC0415
    from triagebook.tools.sites.listing import site_rows  # noqa: PLC0415

    settings = setup.settings()
    inventory = load(settings.inventory, config_file(settings, ssh_config))
    hosts = Counter(entry.site for entry in inventory.hosts.values() if entry.site)
    if not hosts:
        raise UsageError("no host of the inventory has a site; write `site: NAME` at a host or a group of it", reason="usage")
    rows = site_rows(setup.sites_of(settings).client(), hosts, LOOK_S)
    for row in rows:
        sys.stdout.write(f"{json.dumps(row.as_plain()) if as_json else row.as_text()}\n")
    raise typer.Exit(0 if all(row.workers for row in rows) else 4)
