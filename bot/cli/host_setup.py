"""`triagebook host install | check | rotate-key | uninstall` prepare a host for fixes and undo the preparation."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.bot.cli.host_login import SERVER_CONFIG, await_login, login_keys, open_session, read_key, signer_of
from triagebook.bot.cli.progress import Progress
from triagebook.bot.cli.server_call import JsonOption, SocketOption, ask_why, show_answer
from triagebook.runbooks.engine.errors import UsageError

if TYPE_CHECKING:
    from triagebook.tools.host_setup.needs import Requirement

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="HOST or USER@HOST; log in as root, or use --sudo")]
ConfigOption = Annotated[Path | None, typer.Option("--ssh-config", "-F", metavar="FILE", help="Use this ssh configuration file")]
SudoOption = Annotated[bool, typer.Option("--sudo", help="Run each step with sudo -n")]
SignerOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Public key that signs orders; print it with: ssh-keygen -y -f DATA/keys/orders.key"),
]
DaysOption = Annotated[int, typer.Option(metavar="DAYS", help="Let that key sign for this many days", min=1, max=3650)]
InstallHosts = Annotated[list[str] | None, typer.Argument(metavar="HOST...", help="HOST, USER@HOST or @GROUP; as root, or --sudo")]
KeysOption = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder with orders.pub, fix.pub and diagnose.pub, as `serve init` makes it")
]
FixKeyOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Public key with which the approval server logs in to apply fixes")
]
DiagnoseKeyOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Public key with which the approval server logs in to diagnose")
]
CollectorOption = Annotated[bool, typer.Option(help="Install the collector and let the diagnosing account run nothing else")]
LoginOption = Annotated[str, typer.Option(metavar="USER", help="Log in as this account where a host is named without one")]
AtOnceOption = Annotated[int, typer.Option(metavar="N", help="Prepare at most N hosts at a time", min=1, max=64)]
HostsFromOption = Annotated[
    str, typer.Option(metavar="FILE", help="Read more hosts from this file, one a line; - is standard input")
]
RetryFileOption = Annotated[str, typer.Option(metavar="FILE", help="Write those not prepared to this file, each time anew")]
DataOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Check what the approval server can do there, by the keys and ssh_config in its data directory"
    ),
]


@app.command()
def install(
    hosts: InstallHosts = None,
    *,
    keys: KeysOption = SERVER_CONFIG,
    signer: SignerOption = None,
    fix_key: FixKeyOption = None,
    diagnose_key: DiagnoseKeyOption = None,
    days: DaysOption = 365,
    collector: CollectorOption = False,
    sudo: SudoOption = False,
    login: LoginOption = "",
    at_once: AtOnceOption = 8,
    hosts_from: HostsFromOption = "",
    retry_file: RetryFileOption = "",
    ssh_config: ConfigOption = None,
) -> None:
    """Prepare hosts for fixes. Installs the helper, two accounts, one sudo rule and the sshd settings.

    Running it again is safe. What a host lacks is listed, and nothing is changed there. Of several hosts a few are prepared at a
    time; a table at the end says which were not, grouped by the reason, and --retry-file keeps them for another try.

    Example: triagebook host install root@web01

    Example: triagebook host install @web --login root --retry-file left.txt

    Exit status: 0 prepared, 4 a host is not, 2 usage, 130 interrupted.
    """
    from triagebook.bot.cli.diagnose_many import names_in  # noqa: PLC0415
    from triagebook.bot.cli.host_install import InstallOptions, install_many, install_one, require_public_keys  # noqa: PLC0415
    from triagebook.tools.collector import installed  # noqa: PLC0415
    from triagebook.tools.diagnosis import setup  # noqa: PLC0415
    from triagebook.tools.host_setup.install import Preparation  # noqa: PLC0415

    paths = signer or keys / "orders.pub", fix_key or keys / "fix.pub", diagnose_key or keys / "diagnose.pub"
    names = (*(hosts or ()), *(names_in(hosts_from) if hosts_from else ()))
    if not names:
        raise UsageError("name a host, @GROUP, or a file of hosts with --hosts-from", reason="usage")
    require_public_keys(paths)
    targets = setup.targets(setup.settings(), names, str(ssh_config or ""))
    preparation = Preparation((signer_of(paths[0], days),), *login_keys(*paths[1:]), installed.source() if collector else "")
    options = InstallOptions(preparation, ssh_config, sudo, login, at_once, retry_file)
    if len(targets) == 1 and not retry_file:
        done = install_one(targets[0], options)
        _show(done.missing)
        raise typer.Exit(4 if done.missing else 0)
    raise typer.Exit(install_many(targets, options))


@app.command()
def check(
    host: HostArgument,
    *,
    data: DataOption = None,
    diagnoser: Annotated[
        str, typer.Option(metavar="USER@HOST", help="Log in as the diagnosing account and prove that it cannot write")
    ] = "",
    fixer: Annotated[
        str, typer.Option(metavar="USER@HOST", help="Log in as the fixing account and prove that it can run only the helper")
    ] = "",
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Check that a host is still prepared for fixes. Lists what is missing or was changed.

    Logs in as root, or with --sudo. With --data it logs in as the approval server does, as its two accounts only, and what only
    root can see is left out: run it under the server's account.

    Example: triagebook host check root@web01

    Example: runuser -u triagebook-serve -- triagebook host check --data /var/lib/triagebook web01

    Exit status: 0 all is as it should be, 4 something is not, 2 usage.
    """
    from triagebook.bot.cli.host_check import CheckOptions, check_as_root, check_as_server  # noqa: PLC0415

    with Progress(f"{host}: checking the host") as progress:
        if data is not None:
            findings = check_as_server(host, data, ssh_config, progress.step)
        else:
            findings = check_as_root(host, CheckOptions(ssh_config, sudo, diagnoser, fixer), progress.step)
    _show(findings)
    if not all(finding.is_met for finding in findings):
        raise typer.Exit(4)


@app.command(name="rotate-key")
def rotate_key(
    host: HostArgument,
    *,
    signer: Annotated[Path | None, typer.Option(metavar="FILE", help="Add this public key; the old one stays valid too")] = None,
    revoke: Annotated[Path | None, typer.Option(metavar="FILE", help="Revoke this public key")] = None,
    days: DaysOption = 365,
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Rotate the key that signs orders for a host. Lists the keys that may sign.

    First add the new key; revoke the old one once every approval server signs with the new one.

    Example: triagebook host rotate-key web01 --signer new.pub
    """
    from triagebook.tools.host_setup import keys  # noqa: PLC0415

    if signer is None and revoke is None:
        raise UsageError("nothing to do: give --signer to add a key or --revoke to revoke one", reason="usage")
    with open_session(host, ssh_config, is_sudo=sudo) as remote:
        if signer is not None:
            keys.add_signer(remote, signer_of(signer, days))
        if revoke is not None:
            keys.revoke_signer(remote, read_key(revoke))
        for key in keys.signer_keys(remote):
            sys.stdout.write(f"may sign: {key}\n")


@app.command()
def uninstall(
    host: HostArgument,
    *,
    keep_changes: Annotated[
        bool, typer.Option(help="Proceed although changes of fixes are in place, live or lasting, that nothing can undo then")
    ] = False,
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Undo `host install` on a host. Removes everything it put there, including the two accounts.

    Changes that fixes made are not its to undo: while one holds, live or lasting, it refuses and names it. Revert them first.

    Example: triagebook host uninstall root@web01
    """
    from triagebook.tools.host_setup.uninstall import uninstall as take_away  # noqa: PLC0415

    with Progress(f"{host}: removing the preparation"), open_session(host, ssh_config, is_sudo=sudo) as remote:
        left = take_away(remote, keep_changes=keep_changes)
        await_login(host, ssh_config)
    sys.stdout.write(f"{host}: the preparation was removed; of fixes, {'this is' if left else 'nothing is'} still in place\n")
    sys.stdout.write("".join(f"  {line}\n" for line in left))


@app.command()
def bind(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The host, by its name in the server's inventory")],
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason, recorded in the audit log; asked for if omitted")] = "",
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Record which machine a name is now. Do this after a host was reinstalled, replaced or renamed.

    The approval server remembers host key, machine id and target id of each name, and refuses fixes when they differ. It looks at
    the host itself. The policy must allow you bind_host there.

    Example: triagebook host bind web01 --why 'reinstalled, ticket 4711'
    """
    show_answer(
        {"do": "bind_host", "host": host, "why": ask_why(why, "host bind")},
        socket,
        as_json,
        lambda found: "{host}: bound to host key {host_key}, machine {machine_id}, target {target_id}\n".format(**found),
    )


def _show(findings: "Iterable[Requirement]") -> None:
    for finding in findings:
        sys.stdout.write(f"{'ok     ' if finding.is_met else 'MISSING'}  {finding.name}: {finding.says}\n")
