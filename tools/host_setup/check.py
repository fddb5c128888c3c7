"""Proves that a host is still prepared: the installed files are unchanged, and the two accounts can do only what they should.

The proofs are made from the accounts themselves, each through its own login, and once more from root's side.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from triagebook.tools.actions.helper import build
from triagebook.tools.actions.orders import status_request
from triagebook.tools.host_setup import layout
from triagebook.tools.host_setup.needs import Requirement, only_root_writes, requirements
from triagebook.tools.host_setup.remote import Ran, Remote

_MUST_NOT_WRITE = [
    "/",
    "/etc",
    "/etc/systemd/system",
    "/etc/sysctl.d",
    "/etc/security/limits.d",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/triagebook",
    "/etc/triagebook/keys",
    "/opt",
    "/opt/triagebook",
    "/opt/triagebook/helper",
    "/opt/triagebook/collector",
    "/usr",
    "/usr/local",
    "/usr/bin",
    "/var",
    "/var/lib",
    "/var/lib/triagebook",
    "/run",
    "/run/triagebook",
    "/home",
    "/root",
    "/sys/fs/cgroup",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/vm/overcommit_memory",
]
# A constant script; the paths are its arguments. It prints what its user may write.
_WRITABLE = ("sh", "-c", 'for path; do [ ! -w "$path" ] || echo "$path"; done', "sh", *_MUST_NOT_WRITE)


def check(remote: Remote, *, collector: str = "", now: Callable[[], datetime]) -> tuple[Requirement, ...]:
    """Check as root: the requirements, the installed files, and what sudo allows the two accounts."""
    return (
        *requirements(remote, now),
        _content(remote, "helper", layout.HELPER, build.source()),
        _content(remote, "sudoers", layout.SUDOERS, layout.SUDOERS_TEXT),
        _content(remote, "sshd", layout.SSHD, layout.SSHD_TEXT),
        *((_content(remote, "collector", layout.COLLECTOR, collector),) if collector else ()),
        _sudo_allows(remote, layout.DIAGNOSER, ()),
        _sudo_allows(remote, layout.FIXER, (f'(root) NOPASSWD: {layout.HELPER} ""',)),
        *(_keys_outside(remote, account) for account in (layout.DIAGNOSER, layout.FIXER)),
    )


def _content(remote: Remote, name: str, path: str, text: str) -> Requirement:
    said = remote.ask("sha256sum", path).stdout.split()
    owner = remote.ask("stat", "-c", "%u %a", path).stdout
    if not said:
        return Requirement(name, False, f"{path} is missing: run `triagebook host install`")
    if said[0] != hashlib.sha256(text.encode()).hexdigest():
        return Requirement(name, False, f"{path} differs from what this version installs: run `triagebook host install` again")
    is_met = only_root_writes(owner)
    return Requirement(name, is_met, f"{path} as installed" if is_met else f"{path}: others than root may write it")


def _sudo_allows(remote: Remote, account: str, wanted: tuple[str, ...]) -> Requirement:
    listed = remote.ask("sudo", "-l", "-U", account).stdout
    rules = tuple(line.strip() for line in listed.splitlines() if line.strip().startswith("("))
    is_met = rules == wanted
    return Requirement(
        f"sudo {account}", is_met, f"allows {', '.join(rules) or 'nothing'}" + ("" if is_met else f"; wanted {wanted}")
    )


def _keys_outside(remote: Remote, account: str) -> Requirement:
    shown = remote.ask("/usr/sbin/sshd", "-T", "-C", f"user={account},host=localhost,addr=127.0.0.1").stdout
    said = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    is_met = said.get("authorizedkeysfile") == f"{layout.KEYS}/%u" and said.get("authenticationmethods") == "publickey"
    return Requirement(f"keys {account}", is_met, f"authorized keys in {said.get('authorizedkeysfile', 'nothing sshd would say')}")


def prove_diagnoser(session: Remote, *, is_collector_installed: bool = False) -> tuple[Requirement, ...]:
    """Prove through the diagnosing account's own login that it cannot write anything that matters or become root."""
    if is_collector_installed:
        asked = session.ask("echo", "not-the-collector")
        is_met = "not-the-collector" not in asked.stdout
        return (
            Requirement(
                "diagnoser runs the collector only",
                is_met,
                "another command was not run" if is_met else "it ran another command",
            ),
        )
    writable = session.ask(*_WRITABLE)
    became = session.ask("sudo", "-n", "true")
    return (
        Requirement(
            "diagnoser writes nothing",
            _is_silent(writable),
            writable.stdout.strip() or f"none of {len(_MUST_NOT_WRITE)} paths is writable",
        ),
        Requirement("diagnoser has no sudo", became.status not in (0, None), " ".join(became.stderr.split())[:120]),
    )


def _is_silent(ran: Ran) -> bool:
    return ran.status == 0 and not ran.stdout.strip()


def prove_fixer(session: Remote, target: str | None) -> tuple[Requirement, ...]:
    """Prove through the fixing account's own login that the helper answers every request. `target` None: nobody knows it."""
    asked = session.ask("sh", "-c", "id; exec sh", stdin=status_request())
    lines = asked.stdout.splitlines()
    is_target = any(line.startswith("target=") for line in lines) if target is None else f"target={target}" in lines
    is_met = lines[:1] == ["triagebook=helper-v1"] and is_target and "uid=" not in asked.stdout
    answered = Requirement(
        "fixer runs the helper only",
        is_met,
        "a shell was requested, the helper answered" if is_met else asked.stdout[:120],
    )
    refused = session.ask("helper", "--force", stdin=status_request())
    same = refused.stdout.splitlines()[:2] == ["triagebook=helper-v1", "result=status"]
    return (
        answered,
        Requirement("fixer passes no argument", same, "arguments do not reach the helper" if same else refused.stdout[:120]),
    )
