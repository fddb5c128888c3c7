"""`triagebook host install` prepares one host, or many at once: a line each as they end, then a table with failures in groups."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from triagebook.bot.cli.host_login import await_login, now, open_session
from triagebook.bot.cli.output import INTERRUPTED
from triagebook.bot.cli.progress import Progress
from triagebook.bot.cli.server_call import call_server
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import TriagebookError, UsageError
from triagebook.runbooks.engine.text import safe_text
from triagebook.tools.inventory.target import TargetName, parse_target
from triagebook.tools.own_file import HOSTS_LEFT, require_own, write_hosts_left
from triagebook.tools.server.client import default_socket

if TYPE_CHECKING:
    from triagebook.tools.host_setup.install import Preparation
    from triagebook.tools.host_setup.needs import Requirement

MOST_NAMED = 12  # hosts of a group that are named in the table; the others are counted


@dataclass(frozen=True)
class InstallOptions:
    """How hosts are prepared: with what, and how they are logged in to."""

    preparation: "Preparation"
    ssh_config: Path | None = None
    is_sudo: bool = False
    login: str = ""
    at_once: int = 8
    retry_file: str = ""


@dataclass(frozen=True)
class InstallResult:
    """How it went on one host: its target id, what it lacks, or why it failed. Without any of them it was not begun."""

    host: str
    target: str = ""
    missing: "tuple[Requirement, ...]" = ()
    failure: str = ""
    bound: str = ""  # what the approval server says of it

    @property
    def why(self) -> str:
        """Return why it is not prepared, the same text for every host with the same reason; empty if it is."""
        if self.missing:
            return f"lacks: {'; '.join(f'{one.name} ({one.says})' for one in self.missing)}"
        return self.failure.replace(self.host, "HOST") if self.failure else "" if self.target else "was not begun"


def login_of(target: TargetName, login: str) -> str:
    """Return what ssh is told: with the account of `--login` where none was written."""
    reach = parse_target(target.reach)
    return f"{login}@{reach.host}" if login and not reach.user else target.reach


def prepare(target: TargetName, options: InstallOptions, tell: Callable[[str], None] = lambda _doing: None) -> InstallResult:
    """Prepare one host, see that it lets in again, and have a server of this machine bind its name. Raises TriagebookError."""
    from triagebook.tools.host_setup.install import install as put  # noqa: PLC0415

    if target.site:
        raise UsageError(
            f"{target.text}: is reached by site {target.site}, whose workers install nothing; run host install on a machine there"
        )
    place = login_of(target, options.login)
    tell(f"{target.text}: logging in")
    with open_session(place, options.ssh_config, is_sudo=options.is_sudo) as remote:
        tell(f"{target.text}: installing the helper, the accounts and sshd's settings")
        done = put(remote, options.preparation, now=now, new_target=lambda: secrets.token_hex(16))
        if done.missing:
            return InstallResult(target.text, missing=done.missing)
        tell(f"{target.text}: waiting until sshd lets in again")
        await_login(place, options.ssh_config)
    tell(f"{target.text}: having the approval server bind its name")
    return InstallResult(target.text, done.target, bound=bind_name(target.text))


def bind_name(host: str) -> str:
    """Have a server of this machine bind the name to the host that was just prepared; return what came of it."""
    name, path = parse_target(host).host, default_socket()
    try:
        if path.is_socket():
            call_server({"do": "bind_host", "host": name, "why": "triagebook host install"}, path)
            return ""
        why = f"there is no approval server at {path}"
    except (TriagebookError, OSError) as error:
        why = safe_text(str(error))
    return f"not bound in an approval server yet ({why}): it is at its first use there"


def install_one(target: TargetName, options: InstallOptions) -> InstallResult:
    """Prepare one host and say how it went. Raises TriagebookError."""
    with Progress(f"{target.text}: preparing the host") as progress:
        done = prepare(target, options, progress.step)
    if done.target:
        sys.stdout.write(f"{target.text}: prepared for fixes; target {done.target}\n")
        name = parse_target(target.text).host
        if done.bound:
            sys.stderr.write(f"{name}: {done.bound}\n")
        else:
            sys.stdout.write(f"{name}: the approval server bound this name to it\n")
    return done


def install_many(targets: Sequence[TargetName], options: InstallOptions) -> int:
    """Prepare many hosts, a few at a time; print a table, keep those that are left for another try; return the exit status."""
    if options.retry_file:
        require_own(Path(options.retry_file), HOSTS_LEFT)
    results = {target.text: InstallResult(target.text) for target in targets}
    is_interrupted = False
    pool = ThreadPoolExecutor(options.at_once)
    running = [pool.submit(_try, target, options) for target in targets]
    try:
        for number, done in enumerate(_results(running), 1):
            results[done.host] = done
            says = done.why or "prepared"
            sys.stderr.write(safe_text(f"{number}/{len(targets)} {done.host}: {says}", 300) + "\n")
    except KeyboardInterrupt:
        is_interrupted = True
        sys.stderr.write("triagebook: stopping; hosts that are being prepared are finished first\n")
        pool.shutdown(wait=True, cancel_futures=True)
        results.update((done.host, done) for done in _results([one for one in running if one.done() and not one.cancelled()]))
    pool.shutdown(wait=True)
    left = [name for name, result in results.items() if result.why]
    if options.retry_file:
        write_hosts_left(Path(options.retry_file), left)
    sys.stdout.write(render_results(list(results.values()), options.retry_file))
    return INTERRUPTED if is_interrupted else 4 if left else 0


def _try(target: TargetName, options: InstallOptions) -> InstallResult:
    try:
        return prepare(target, options)
    except TriagebookError as error:
        return InstallResult(target.text, failure=str(error))
    except OSError as error:
        return InstallResult(target.text, failure=f"{type(error).__name__}: {error}")


def _results(running: Sequence[Future[InstallResult]]) -> Iterator[InstallResult]:
    for one in as_completed(running):
        yield one.result()


def render_results(results: Sequence[InstallResult], retry_file: str = "") -> str:
    """Return the table: what failed first, one group a reason with its hosts, then what was prepared, a total and what to type."""
    groups: dict[str, list[str]] = {}
    for result in results:
        groups.setdefault(result.why, []).append(result.host)
    prepared = groups.pop("", [])
    lines = []
    for why, hosts in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines += [safe_text(f"NOT PREPARED  {_count(hosts)}: {why}", 500), f"              {_names(hosts)}"]
    if prepared:
        lines.append(f"prepared      {_count(prepared)}: {_names(prepared)}")
    if unbound := [result.host for result in results if result.target and result.bound]:
        lines.append(f"not bound     {_count(unbound)}: the approval server binds them at their first use")
    lines.append(f"{len(prepared)} of {len(results)} hosts are prepared.")
    if groups and retry_file:
        lines += ["To go on with the others, with the same options:", f"    triagebook host install --hosts-from {retry_file}"]
    elif groups:
        lines.append("Preparing a host again is safe; --retry-file FILE keeps those that are left.")
    return "\n".join(lines) + "\n"


def _count(hosts: Sequence[str]) -> str:
    return "1 host" if len(hosts) == 1 else f"{len(hosts)} hosts"


def _names(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - MOST_NAMED} more" if len(hosts) > MOST_NAMED else ""
    return safe_text(", ".join(hosts[:MOST_NAMED]), 2000) + more


def require_public_keys(paths: Sequence[Path]) -> None:
    """Refuse to begin without the server's public keys. Raises UsageError naming what is missing and where it comes from."""
    missing = [str(path) for path in paths if not os.path.exists(path)]  # also where a folder above may not be read
    if missing:
        raise UsageError(
            f"no {', '.join(missing)}: `triagebook serve init` makes the public keys of the server; where it runs elsewhere, copy "
            "them here and name their folder with --keys, or each with --signer, --fix-key and --diagnose-key",
            reason="usage",
        )
