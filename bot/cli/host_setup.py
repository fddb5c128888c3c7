"""`triagebook host ...`: prepare a host for fixes, prove that it is prepared, rotate its signing key, take it all away."""

import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from triagebook.runbooks.engine.errors import UsageError

if TYPE_CHECKING:
    from triagebook.tools.host_setup.layout import Signer
    from triagebook.tools.host_setup.needs import Need
    from triagebook.tools.host_setup.remote import Remote

SSHD_BACK_S = 30.0
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Prepare hosts for fixes, and prove it.")
HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="As root, or with --sudo as somebody who may")]
ConfigOption = Annotated[Path | None, typer.Option("--ssh-config", "-F", help="The ssh configuration file to use")]
SudoOption = Annotated[bool, typer.Option("--sudo", help="Run each step by sudo -n")]
SignerOption = Annotated[Path, typer.Option(help="Public key of the server: ssh-keygen -y -f DATA/keys/orders.key")]
DaysOption = Annotated[int, typer.Option(help="How long that key may sign", min=1, max=3650)]


@app.command()
def install(
    host: HostArgument,
    *,
    signer: SignerOption,
    fix_key: Annotated[Path, typer.Option(help="Public key by which the server reaches the helper")],
    diagnose_key: Annotated[Path, typer.Option(help="Public key by which the server diagnoses")],
    days: DaysOption = 365,
    collector: Annotated[bool, typer.Option(help="The diagnosing account runs an installed collector and nothing else")] = False,
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Put the helper, sudo's one rule, sshd's lines and the two accounts in place. Repeating it is harmless."""
    from triagebook.tools.collector import installed  # noqa: PLC0415
    from triagebook.tools.host_setup.install import Preparation  # noqa: PLC0415
    from triagebook.tools.host_setup.install import install as put  # noqa: PLC0415

    program = installed.source() if collector else ""
    preparation = Preparation((_signer(signer, days),), _read(fix_key), _read(diagnose_key), program)
    with _root(host, ssh_config, is_sudo=sudo) as remote:
        done = put(remote, preparation, now=_now, new_target=lambda: secrets.token_hex(16))
        if not done.missing:
            _await_login(host, ssh_config)
    if done.missing:
        _show(done.missing)
        raise typer.Exit(4)
    sys.stdout.write(f"{host}: prepared; target {done.target}\n")


@app.command()
def check(
    host: HostArgument,
    *,
    diagnoser: Annotated[str, typer.Option(help="USER@HOST of the diagnosing account: prove it writes nothing")] = "",
    fixer: Annotated[str, typer.Option(help="USER@HOST of the fixing account: prove it runs the helper only")] = "",
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Say what is missing or was changed; with the two accounts, prove from their own logins what they cannot do."""
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
    signer: Annotated[Path | None, typer.Option(help="Public key to let sign too; both hold from now on")] = None,
    revoke: Annotated[Path | None, typer.Option(help="Public key that must not sign any more")] = None,
    days: DaysOption = 365,
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Add the new signing key first; revoke the old one once every server signs with the new."""
    from triagebook.tools.host_setup import keys  # noqa: PLC0415

    if signer is None and revoke is None:
        raise UsageError("nothing to do: --signer adds a key, --revoke takes one away", reason="usage")
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
    keep_changes: Annotated[bool, typer.Option(help="Also where changes are in place whose undo is then lost")] = False,
    sudo: SudoOption = False,
    ssh_config: ConfigOption = None,
) -> None:
    """Take everything away again and leave the host as it was."""
    from triagebook.tools.host_setup.uninstall import uninstall as take_away  # noqa: PLC0415

    with _root(host, ssh_config, is_sudo=sudo) as remote:
        take_away(remote, keep_changes=keep_changes)
        _await_login(host, ssh_config)
    sys.stdout.write(f"{host}: as it was before\n")


@contextmanager
def _root(host: str, config: Path | None, *, is_sudo: bool = False, first: tuple[str, ...] = ("true",)) -> Iterator["Remote"]:
    """A session that stays open for all steps."""
    from triagebook.tools.host_setup.remote import Remote  # noqa: PLC0415
    from triagebook.tools.ssh.transport import SshTransport  # noqa: PLC0415
    from triagebook.tools.transport.base import Deadlines  # noqa: PLC0415

    deadlines = Deadlines(banner_s=30, kex_s=30, auth_s=30, exec_s=60, first_byte_s=60, total_s=900)
    process = SshTransport(config_file=config, deadlines=deadlines, may_fly=False).launch(host, first)
    try:
        process.finish(60)
        yield Remote(process.session, ("sudo", "-n") if is_sudo else ())
    finally:
        process.session.close()


def _await_login(host: str, config: Path | None) -> None:
    """Log in anew: sshd turns connections away while it reads its configuration again. PrepareError when it goes on to."""
    from triagebook.tools.host_setup.remote import PrepareError  # noqa: PLC0415
    from triagebook.tools.transport.base import LoginFailed  # noqa: PLC0415

    deadline = time.monotonic() + SSHD_BACK_S
    while True:
        try:
            with _root(host, config):
                return
        except LoginFailed as error:
            if time.monotonic() > deadline:
                message = f"{host}: sshd read its configuration again and takes no new login since: {error}; keep what sessions"
                raise PrepareError(f"{message} you have, and look at its log (journalctl -u ssh)") from None
            time.sleep(0.5)


def _signer(path: Path, days: int) -> "Signer":
    from triagebook.tools.host_setup.layout import Signer  # noqa: PLC0415

    return Signer(_read(path), _now() + timedelta(days=days))


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a public key: {error}", reason="usage") from None


def _now() -> datetime:
    return datetime.now(UTC)


def _show(findings: "Iterable[Need]") -> None:
    for finding in findings:
        sys.stdout.write(f"{'ok     ' if finding.is_met else 'MISSING'}  {finding.name}: {finding.says}\n")
