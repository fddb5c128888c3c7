"""`triagebook host install | check | rotate-key | uninstall` prepare a host for fixes and undo the preparation."""

import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.bot.cli.server_call import JsonOption, SocketOption, call_server, show_answer
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.text import safe_text

if TYPE_CHECKING:
    from triagebook.tools.host_setup.layout import Signer
    from triagebook.tools.host_setup.needs import Requirement
    from triagebook.tools.host_setup.remote import Remote

SSHD_BACK_S = 30.0
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="HOST or USER@HOST; log in as root, or use --sudo")]
ConfigOption = Annotated[Path | None, typer.Option("--ssh-config", "-F", metavar="FILE", help="Use this ssh configuration file")]
SudoOption = Annotated[bool, typer.Option("--sudo", help="Run each step with sudo -n")]
SignerOption = Annotated[
    Path,
    typer.Option(metavar="FILE", help="Public key that signs orders; print it with: ssh-keygen -y -f DATA/keys/orders.key"),
]
DaysOption = Annotated[int, typer.Option(metavar="DAYS", help="Let that key sign for this many days", min=1, max=3650)]


@app.command()
def install(
    host: HostArgument,
    *,
    signer: SignerOption,
    fix_key: Annotated[Path, typer.Option(metavar="FILE", help="Public key with which the approval server logs in to apply fixes")],
    diagnose_key: Annotated[
        Path, typer.Option(metavar="FILE", help="Public key with which the approval server logs in to diagnose")
    ],
    days: DaysOption = 365,
    collector: Annotated[bool, typer.Option(help="Install the collector and let the diagnosing account run nothing else")] = False,
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Prepare a host for fixes. Installs the helper, two accounts, one sudo rule and the sshd settings.

    Running it again is safe. If the host lacks something, it lists what is missing, exits 4 and changes nothing.

    \b
    Example:
      triagebook host install web01 --signer orders.pub --fix-key fix.pub --diagnose-key diagnose.pub
    """
    from triagebook.tools.collector import installed  # noqa: PLC0415
    from triagebook.tools.host_setup.install import Preparation  # noqa: PLC0415
    from triagebook.tools.host_setup.install import install as put  # noqa: PLC0415

    program = installed.source() if collector else ""
    preparation = Preparation((_signer(signer, days),), *_login_keys(fix_key, diagnose_key), program)
    with _root(host, ssh_config, is_sudo=sudo) as remote:
        done = put(remote, preparation, now=_now, new_target=lambda: secrets.token_hex(16))
        if not done.missing:
            _await_login(host, ssh_config)
    if done.missing:
        _show(done.missing)
        raise typer.Exit(4)
    sys.stdout.write(f"{host}: prepared for fixes; target {done.target}\n")
    _bind_name(host)


@app.command()
def check(
    host: HostArgument,
    *,
    diagnoser: Annotated[
        str, typer.Option(metavar="USER@HOST", help="Log in as the diagnosing account and prove that it cannot write")
    ] = "",
    fixer: Annotated[
        str, typer.Option(metavar="USER@HOST", help="Log in as the fixing account and prove that it can run only the helper")
    ] = "",
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Check that a host is still prepared for fixes. Exits 4 and lists what is missing or was changed.

    Example: triagebook host check web01 --diagnoser triagebook@web01
    """
    from triagebook.tools.collector import installed  # noqa: PLC0415
    from triagebook.tools.host_setup import check as checks  # noqa: PLC0415
    from triagebook.tools.host_setup import layout  # noqa: PLC0415
    from triagebook.tools.host_setup.install import target_of  # noqa: PLC0415

    with _root(host, ssh_config, is_sudo=sudo) as remote:
        is_collector = remote.exists(layout.COLLECTOR)
        findings = [*checks.check(remote, collector=installed.source() if is_collector else "", now=_now)]
        target = target_of(remote)
    if diagnoser:
        with _root(diagnoser, ssh_config) as session:
            findings += checks.prove_diagnoser(session, is_collector_installed=is_collector)
    if fixer:
        with _root(fixer, ssh_config, first=("helper",)) as session:
            findings += checks.prove_fixer(session, target)
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
    with _root(host, ssh_config, is_sudo=sudo) as remote:
        if signer is not None:
            keys.add_signer(remote, _signer(signer, days))
        if revoke is not None:
            keys.revoke_signer(remote, _read(revoke))
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

    with _root(host, ssh_config, is_sudo=sudo) as remote:
        left = take_away(remote, keep_changes=keep_changes)
        _await_login(host, ssh_config)
    sys.stdout.write(f"{host}: the preparation was removed; of fixes, {'this is' if left else 'nothing is'} still in place\n")
    sys.stdout.write("".join(f"  {line}\n" for line in left))


@app.command()
def bind(
    host: Annotated[str, typer.Argument(metavar="HOST", help="The host, by its name in the server's inventory")],
    *,
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, recorded in the audit log; asked for if omitted", prompt=True)
    ],
    as_json: JsonOption = False,
    socket: SocketOption = None,
) -> None:
    """Record which machine a name is now. Do this after a host was reinstalled, replaced or renamed.

    The approval server remembers host key, machine id and target id of each name, and refuses fixes when they differ. It looks at
    the host itself. The policy must allow you bind_host there.

    Example: triagebook host bind web01 --why 'reinstalled, ticket 4711'
    """
    show_answer(
        {"do": "bind_host", "host": host, "why": why},
        socket,
        as_json,
        lambda found: "{host}: bound to host key {host_key}, machine {machine_id}, target {target_id}\n".format(**found),
    )


def _bind_name(host: str) -> None:
    """Have a server of this machine bind the name to the host that was just prepared, or say when that happens."""
    from triagebook.tools.inventory.target import parse_target  # noqa: PLC0415
    from triagebook.tools.server.client import default_socket  # noqa: PLC0415

    name, path = parse_target(host).host, default_socket()
    try:
        if path.is_socket():
            call_server({"do": "bind_host", "host": name, "why": "triagebook host install"}, path)
            sys.stdout.write(f"{name}: the approval server bound this name to it\n")
            return
        why = f"there is no approval server at {path}"
    except (TriagebookError, OSError) as error:
        why = safe_text(str(error))
    sys.stderr.write(f"{name}: not bound in an approval server yet ({why}): it is at its first use there\n")


@contextmanager
def _root(host: str, config: Path | None, *, is_sudo: bool = False, first: tuple[str, ...] = ("true",)) -> Iterator["Remote"]:
    """Open a session that stays open for all steps."""
    from triagebook.tools.host_setup.remote import Remote  # noqa: PLC0415
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415
    from triagebook.tools.transport.base import Timeouts  # noqa: PLC0415

    timeouts = Timeouts(banner_s=30, kex_s=30, auth_s=30, exec_s=60, first_byte_s=60, total_s=900)
    process = SshTransport(config_file=config, timeouts=timeouts, allows_one_flight=False).launch(host, first)
    try:
        process.finish(60)
        yield Remote(process.session, ("sudo", "-n") if is_sudo else ())
    finally:
        process.session.close()


def _await_login(host: str, config: Path | None) -> None:
    """Wait until a new login works: sshd refuses connections while it reloads. Raises PrepareError if it keeps refusing."""
    from triagebook.tools.host_setup.remote import PrepareError  # noqa: PLC0415
    from triagebook.tools.transport.base import LoginFailed  # noqa: PLC0415

    deadline = time.monotonic() + SSHD_BACK_S
    while True:
        try:
            with _root(host, config):
                return
        except LoginFailed as error:
            if time.monotonic() > deadline:
                message = f"{host}: sshd refuses new logins since it reloaded its configuration: {error}; keep your open sessions"
                raise PrepareError(f"{message} and read its log (journalctl -u ssh)") from None
            time.sleep(0.5)


def _signer(path: Path, days: int) -> "Signer":
    from triagebook.tools.host_setup.layout import Signer  # noqa: PLC0415

    return Signer(_read(path), _now() + timedelta(days=days))


def _read(path: Path) -> str:
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read a public key: {error}", reason="usage") from None
    if "PRIVATE KEY" in text.partition("\n")[0]:
        raise UsageError(f"{path}: that is the private key; give its public half, such as {path}.pub", reason="usage")
    return text


def _login_keys(fix_key: Path, diagnose_key: Path) -> tuple[str, str]:
    """Return the two keys that may log in. Raises UsageError: they are one key, which would open both accounts."""
    from triagebook.tools.host_setup.layout import public_key  # noqa: PLC0415

    fix, diagnose = _read(fix_key), _read(diagnose_key)
    if public_key(fix) == public_key(diagnose):
        raise UsageError(
            f"{fix_key} and {diagnose_key} are one key: who may diagnose could change the host; make a key for each account",
            reason="usage",
        )
    return fix, diagnose


def _now() -> datetime:
    return datetime.now(UTC)


def _show(findings: "Iterable[Requirement]") -> None:
    for finding in findings:
        sys.stdout.write(f"{'ok     ' if finding.is_met else 'MISSING'}  {finding.name}: {finding.says}\n")
