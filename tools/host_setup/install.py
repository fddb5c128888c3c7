"""Prepares a host: installs the helper, two accounts and their keys, the sudo rule, sshd settings, signers and target id.

Repeating it is harmless: each file is replaced by a rename, the target id of an installed host is kept.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.actions.helper import build
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.layout import Signer
from triagebook.tools.host_setup.needs import Requirement, requirements
from triagebook.tools.host_setup.remote import PrepareError, Remote
from triagebook.tools.log import log_event


@dataclass(frozen=True)
class Preparation:
    """What to install: the keys that may sign, the login keys of the two accounts, and the collector if wanted."""

    signers: Sequence[Signer]
    fixer_key: str
    diagnoser_key: str
    collector: str = ""  # its text; empty: the account runs what it is sent, unprivileged


@dataclass(frozen=True)
class Installed:
    """The result of an installation. If something is missing, `target` is empty and nothing was changed."""

    target: str
    missing: tuple[Requirement, ...]


def install(remote: Remote, preparation: Preparation, *, now: Callable[[], datetime], new_target: Callable[[], str]) -> Installed:
    """Prepare the host, or return what it lacks.

    Raises:
        PrepareError: a step failed; sudo and sshd are as they were, because both are checked before they change.
        UsageError: a key that is not an Ed25519 public key, or no signer.
    """
    if not preparation.signers:
        raise UsageError("no signer: without one no fix can be ordered")
    missing = tuple(finding for finding in requirements(remote, now) if not finding.is_met)
    if missing:
        return Installed("", missing)
    _folders(remote)
    target = _files(remote, preparation, new_target)
    for account in (layout.DIAGNOSER, layout.FIXER):
        _account(remote, account)
    _keys(remote, preparation)
    remote.put(layout.SUDOERS, layout.SUDOERS_TEXT, "440", "visudo", "-cqf")
    _sshd(remote)
    log_event("setup.installed", target=target)
    return Installed(target, ())


def _folders(remote: Remote) -> None:
    for path, mode in (
        (layout.PROGRAMS, "755"),
        (layout.CONFIG, "755"),
        (layout.KEYS, "755"),
        (layout.STATE, "700"),
        (layout.JOURNAL, "700"),
    ):
        remote.run("mkdir", "-p", path)
        remote.run("chown", "root:root", path)
        remote.run("chmod", mode, path)


def _files(remote: Remote, preparation: Preparation, new_target: Callable[[], str]) -> str:
    remote.put(layout.HELPER, build.source(), "755", "sh", "-n")
    if preparation.collector:
        remote.put(layout.COLLECTOR, preparation.collector, "755", "sh", "-n")
    else:
        remote.run("rm", "-f", layout.COLLECTOR)
    remote.put(layout.SIGNERS, layout.signers_text(preparation.signers), "644")
    if not remote.exists(layout.REVOKED):
        remote.put(layout.REVOKED, "", "644")
    target = target_of(remote) or new_target()
    if not re.fullmatch(r"[0-9a-f]{32}", target):
        raise UsageError(f"a target id is 32 hexadecimal digits, not {target!r}")
    machine = remote.run("cat", "/etc/machine-id").strip()
    product = remote.ask("cat", "/sys/class/dmi/id/product_uuid").stdout.strip()
    remote.put(layout.TARGET, layout.target_text(target, machine, product), "644")
    return target


def target_of(remote: Remote) -> str:
    """Return the host's target id; empty if it has none, or was copied to another machine (then it gets a new one)."""
    text = remote.ask("cat", layout.TARGET).stdout
    found = re.fullmatch(r"target=([0-9a-f]{32})\nmachine=(\S*)\nproduct=(.*)\n", text)
    is_same = found is not None and found[2] == remote.ask("cat", "/etc/machine-id").stdout.strip()
    return found[1] if found is not None and is_same else ""


def _account(remote: Remote, name: str) -> None:
    """Create a system account without a password and without a home, so that it owns no file at all."""
    if remote.succeeds("id", "-u", name):
        return
    comment = "triagebook diagnoses" if name == layout.DIAGNOSER else "triagebook fixes"
    options = ("--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/bin/sh")
    # `*`: no password matches, yet sshd without PAM does not take the account for locked, as it does with `!`
    remote.run("useradd", *options, "--password", "*", "--comment", comment, name)
    remote.run("touch", account_mark(name))


def account_mark(name: str) -> str:
    """Return the path of the mark that we created this account, so that uninstall removes it."""
    return f"{layout.CONFIG}/made-{name}"


def _keys(remote: Remote, preparation: Preparation) -> None:
    has_collector = bool(preparation.collector)
    texts = {
        layout.FIXER: layout.fixer_key_text(preparation.fixer_key),
        layout.DIAGNOSER: layout.diagnoser_key_text(preparation.diagnoser_key, is_collector_installed=has_collector),
    }
    for account, text in texts.items():
        remote.put(f"{layout.KEYS}/{account}", text, "644")


def _sshd(remote: Remote) -> None:
    """Install the sshd settings, and remove them again if sshd's own test of its configuration fails."""
    remote.put(layout.SSHD, layout.SSHD_TEXT, "644")
    tested = remote.ask("/usr/sbin/sshd", "-t")
    if tested.status != 0:
        remote.run("rm", "-f", layout.SSHD)
        raise PrepareError(f"sshd -t: {tested.stderr.strip()[:300]}")
    reload_sshd(remote)


def reload_sshd(remote: Remote) -> None:
    """Make sshd reload its configuration; open sessions go on. Raises PrepareError."""
    for unit in ("ssh.service", "sshd.service"):
        if remote.succeeds("systemctl", "reload", unit):
            return
    raise PrepareError("cannot reload sshd: neither ssh.service nor sshd.service took it")
