"""Checks what a host must have before it is prepared: programs, OpenSSH >= 8.1, a correct clock, folders only root may write."""

import re
from collections.abc import Callable
from datetime import datetime

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.text import is_whole_number
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.remote import Remote

CLOCK_SLACK_S = 30
OLDEST_OPENSSH = (8, 1)  # the first with `ssh-keygen -Y verify`
PROGRAMS = {
    "sudo": "the fixing account runs the helper with it",
    "visudo": "checks a sudoers file before it is installed",
    "ssh-keygen": "the helper verifies orders with it",
    "flock": "lets the helper carry out one order at a time",
    "timeout": "keeps a hanging program from blocking the helper",
    "mktemp": "lets the helper store an order in a private file",
    "prlimit": "changes limits of running processes",
    "useradd": "creates the two accounts",
}


@dataclass(frozen=True)
class Requirement:
    """One requirement as checked. If `is_met` is False, `says` tells what is missing and what to do."""

    name: str
    is_met: bool
    says: str


def requirements(remote: Remote, now: Callable[[], datetime]) -> tuple[Requirement, ...]:
    """Check everything that a host needs, without changing it."""
    return (
        _root(remote),
        *(_program(remote, name, why) for name, why in PROGRAMS.items()),
        _openssh(remote),
        _clock(remote, now),
        _sshd_includes(remote),
        *(_root_ownership(remote, path) for path in ("/opt", "/etc", "/var/lib", "/run")),
    )


def _root(remote: Remote) -> Requirement:
    uid = remote.ask("id", "-u").stdout.strip()
    return Requirement("root", uid == "0", "runs as root" if uid == "0" else "this session is not root and has no sudo")


def _program(remote: Remote, name: str, why: str) -> Requirement:
    found = remote.ask("sh", "-c", 'PATH=$PATH:/usr/sbin:/sbin command -v "$1"', "sh", name)
    return Requirement(name, found.status == 0, found.stdout.strip() or f"missing: {name} ({why})")


def openssh_version(banner: str) -> tuple[int, int] | None:
    """Return major and minor version from the output of `ssh -V`."""
    found = re.search(r"OpenSSH_([0-9]{1,4})\.([0-9]{1,4})", banner)
    return (int(found[1]), int(found[2])) if found else None


def _openssh(remote: Remote) -> Requirement:
    ran = remote.ask("ssh", "-V")
    version = openssh_version(ran.stderr + ran.stdout)
    if version is None:
        return Requirement("openssh", False, "missing: the OpenSSH client programs (ssh-keygen -Y verify)")
    said = f"OpenSSH {version[0]}.{version[1]}"
    if version < OLDEST_OPENSSH:
        return Requirement(
            "openssh", False, f"{said} is older than 8.1 and cannot verify an order: this host can be diagnosed only"
        )
    return Requirement("openssh", True, said)


def _clock(remote: Remote, now: Callable[[], datetime]) -> Requirement:
    before = now()
    said = remote.ask("date", "+%s").stdout.strip()
    after = now()
    if not is_whole_number(said):
        return Requirement("clock", False, f"date said {said[:40]!r}")
    ahead = int(said) + 0.5 - (before.timestamp() + after.timestamp()) / 2
    is_met = abs(ahead) <= CLOCK_SLACK_S
    advice = "" if is_met else f": orders are refused beyond {CLOCK_SLACK_S} s; synchronise it"
    return Requirement("clock", is_met, f"its clock is {ahead:+.1f} s from ours{advice}")


def _sshd_includes(remote: Remote) -> Requirement:
    folder = layout.SSHD.rpartition("/")[0]
    found = remote.succeeds("grep", "-qiE", rf"^[[:space:]]*Include[[:space:]]+\"?{folder}/\*\.conf", "/etc/ssh/sshd_config")
    says = f"sshd reads {folder}" if found else f"/etc/ssh/sshd_config has no `Include {folder}/*.conf`: add it as its first line"
    return Requirement("sshd_include", found, says)


def only_root_writes(said: str) -> bool:
    """Say whether what `stat -c '%u %a'` printed is root's, and nobody else may write it."""
    found = re.fullmatch(r"0 ([0-7]{1,4})", said.strip())
    return found is not None and not int(found[1], 8) & 0o022


def _root_ownership(remote: Remote, path: str) -> Requirement:
    said = remote.ask("stat", "-c", "%u %a", path).stdout.strip()
    is_met = only_root_writes(said)
    return Requirement(
        f"folder {path}",
        is_met,
        "only root may write there" if is_met else f"{path} is {said}: others than root may write there",
    )
