"""Run `triagebook worker`: answers a server's questions about the hosts of one site, over a NATS server that both reach."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.bot.cli.verbosity import of_context
from triagebook.runbooks.engine.errors import UsageError

if TYPE_CHECKING:
    from triagebook.tools.sites.host_session import Ways


def worker(
    context: typer.Context,
    *,
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="The site whose hosts this worker reaches")],
    nats: Annotated[str, typer.Option("--nats", metavar="URL", help="The NATS server: tls://HOST:4222")],
    creds: Annotated[Path, typer.Option("--creds", metavar="FILE", help="The key of this site, of `triagebook site add`")],
    authority: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="The certificate of the authority that signed the NATS server's"),
    ] = None,
    ssh_config: Annotated[
        Path | None, typer.Option("--ssh-config", "-F", metavar="FILE", help="The ssh configuration with which hosts are read")
    ] = None,
    fix_ssh_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The ssh configuration with the key of the fixing account; without it no fix passes"),
    ] = None,
    fix_account: Annotated[str, typer.Option(metavar="NAME", help="The account of the helper on the hosts")] = "triagebook-fix",
    at_once: Annotated[int, typer.Option(metavar="N", help="Hosts in hand at the same time; more wait their turn", min=1)] = 200,
    log_format: Annotated[str, typer.Option(metavar="FORMAT", help="Write the log as text or json")] = "text",
) -> None:
    """Run a worker of a site: it reads the hosts of this network. It connects outward only, to the NATS server.

    It reads hosts and passes signed orders on to their helpers. It has no database, no policy and no key that signs, and runs
    no program that it is sent. Several workers of one site share the questions. SIGTERM lets it finish what runs.

    Example: triagebook worker --site eu1 --nats tls://nats:4222 --creds key
    """
    from triagebook.tools.inventory.inventory import SITE  # noqa: PLC0415 - light start: --help needs none of it
    from triagebook.tools.log_output import FORMS, show_of_server  # noqa: PLC0415 - as above
    from triagebook.tools.sites.credentials import read_credentials  # noqa: PLC0415 - as above
    from triagebook.tools.sites.nats_server import NatsServer  # noqa: PLC0415 - as above
    from triagebook.tools.sites.worker import Worker  # noqa: PLC0415 - as above

    if not SITE.fullmatch(site):
        raise UsageError(f"--site {site!r}: letters, digits, '_' and '-', at most 63", reason="usage")
    if log_format not in FORMS:
        raise UsageError(f"--log-format {log_format!r}: expected {' or '.join(FORMS)}", reason="usage")
    show_of_server(sys.stderr, of_context(context), log_format)
    server = NatsServer(nats, read_credentials(creds), authority)
    made = Worker(site, server, _ways(ssh_config, fix_ssh_config, fix_account), at_once=at_once)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: made.stop())
    made.run()


def _ways(ssh_config: Path | None, fix_ssh_config: Path | None, fix_account: str) -> "Ways":
    """Return how this worker reaches hosts. Raises UsageError: an ssh configuration that is not there."""
    from triagebook.tools.collector.collect import sample_timeouts_for  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.execute.helper_link import ARGV, TIMEOUTS  # noqa: PLC0415
    from triagebook.tools.settings import recent_logins_file  # noqa: PLC0415
    from triagebook.tools.sites.host_session import Ways  # noqa: PLC0415
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415

    for file in (ssh_config, fix_ssh_config):
        if file is not None and not file.is_file():
            raise UsageError(f"{file}: no such ssh configuration", reason="usage")
    settings = setup.settings()
    read = SshTransport(
        config_file=ssh_config, recent_logins_file=recent_logins_file(settings), timeouts=setup.watch_timeouts(settings)
    )  # a session lasts as long as its server asks; each step has a time of its own
    fix = SshTransport(config_file=fix_ssh_config, timeouts=TIMEOUTS, allows_one_flight=False) if fix_ssh_config else None
    timeouts = sample_timeouts_for(settings.timeout_s)
    return Ways(read, fix, fix_account, ARGV, setup.runbooks(settings).cache, timeouts)
