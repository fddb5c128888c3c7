"""What `triagebook host check` looks at: as root on the host, or as the approval server reaches it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.bot.cli.host_login import now, open_session
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.inventory.target import parse_target
from triagebook.tools.transport.base import LoginFailed

if TYPE_CHECKING:
    from triagebook.tools.host_setup.needs import Requirement
    from triagebook.tools.host_setup.remote import Remote

Tell = Callable[[str], None]


@dataclass(frozen=True)
class CheckOptions:
    """How root logs in, and the accounts of the server whose own logins prove what they can do."""

    ssh_config: Path | None = None
    is_sudo: bool = False
    diagnoser: str = ""
    fixer: str = ""


def check_as_root(host: str, options: CheckOptions, tell: Tell) -> "list[Requirement]":
    """Return what root finds on the host, and what the logins named prove. Raises LoginFailed."""
    from triagebook.tools.collector import installed  # noqa: PLC0415
    from triagebook.tools.host_setup import check as checks  # noqa: PLC0415
    from triagebook.tools.host_setup import layout  # noqa: PLC0415
    from triagebook.tools.host_setup.install import target_of  # noqa: PLC0415

    tell(f"{host}: checking the helper, the accounts and sshd's settings")
    with open_session(host, options.ssh_config, is_sudo=options.is_sudo) as remote:
        is_collector = remote.exists(layout.COLLECTOR)
        findings = [*checks.check(remote, collector=installed.source() if is_collector else "", now=now)]
        target = target_of(remote)
    if options.diagnoser:
        tell(f"{options.diagnoser}: proving that it cannot write")
        with open_session(options.diagnoser, options.ssh_config) as session:
            findings += checks.prove_diagnoser(session, is_collector_installed=is_collector)
    if options.fixer:
        tell(f"{options.fixer}: proving that it can run only the helper")
        with open_session(options.fixer, options.ssh_config, first=("helper",)) as session:
            findings += checks.prove_fixer(session, target)
    return findings


def check_as_server(host: str, data: Path, ssh_config: Path | None, tell: Tell) -> "list[Requirement]":
    """Return what the two logins of the approval server prove, each by the server's own keys and known hosts.

    Raises UsageError: the data directory cannot be read by this account.
    """
    from triagebook.tools.host_setup import check as checks  # noqa: PLC0415
    from triagebook.tools.host_setup import layout  # noqa: PLC0415

    config = ssh_config or data / "ssh_config"
    try:
        config.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{config}: {error.strerror}; only the server's own account may read it: "
            f"runuser -u triagebook-serve -- triagebook host check --data {data} {host}",
            reason="usage",
        ) from None
    name = parse_target(host).host
    tell(f"{layout.DIAGNOSER}@{name}: proving that it cannot write")
    findings = _prove(layout.DIAGNOSER, name, config, ("true",), _prove_diagnoser)
    tell(f"{layout.FIXER}@{name}: proving that it can run only the helper")
    return [*findings, *_prove(layout.FIXER, name, config, ("helper",), lambda session: checks.prove_fixer(session, None))]


def _prove_diagnoser(session: "Remote") -> "Sequence[Requirement]":
    from triagebook.tools.host_setup import check as checks  # noqa: PLC0415

    is_shell = "a-shell" in session.ask("echo", "a-shell").stdout
    return checks.prove_diagnoser(session, is_collector_installed=not is_shell)


def _prove(
    account: str, name: str, config: Path, first: tuple[str, ...], prove: "Callable[[Remote], Sequence[Requirement]]"
) -> "list[Requirement]":
    """Return what a login of one account proves; a login that fails is a finding too, with what ssh said."""
    from triagebook.tools.host_setup.needs import Requirement  # noqa: PLC0415

    try:
        with open_session(f"{account}@{name}", config, first=first) as session:
            return [Requirement(f"login {account}", True, f"by {config}"), *prove(session)]
    except LoginFailed as error:
        return [Requirement(f"login {account}", False, str(error))]
