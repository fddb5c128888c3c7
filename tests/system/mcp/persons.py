"""A real `triagebook serve` with two persons: who runs the tests asks, and another OS account decides by the command line."""

import getpass
import multiprocessing
import os
import pwd
import sys
from pathlib import Path

from tests.command import environment
from tests.hang import GUARD_S
from tests.system.fixes.server import Server, Starter

OTHER = "daemon"  # on every Linux; only its user id is used
NOT_ROOT = None if os.geteuid() == 0 else "a second OS account approves: needs root"
POLICY = f"""\
apiVersion: triagebook/policy/v1
persons:
  asker: {{accounts: [{{os: {getpass.getuser()}}}]}}
  approver: {{accounts: [{{os: {OTHER}}}]}}
rules:
  - {{name: all, allow: [diagnose, propose, apply, read_audit], who: [asker, approver]}}
approvals:
  - {{name: the other one, needs: [{{from: [approver]}}], expires_in: 15m}}
"""
INVENTORY = "hosts: [web-01, box]\ngroups: {web: [web-01]}\n"
COMMAND = (sys.executable, "-c", "from triagebook.bot.cli.app import main; main()")


def start(directory: Path) -> tuple[Starter, Server]:
    """A server whose executor writes files; end the starter."""
    (directory / "policy.yaml").write_text(POLICY)
    (directory / "policy.yaml").chmod(0o644)
    (directory / "effects").mkdir()
    directory.chmod(0o755)
    starter = Starter(directory)
    return starter, starter.start(policy=str(directory / "policy.yaml"), effects=str(directory / "effects"))


def home(directory: Path) -> dict[str, str]:
    """The environment of an assistant's process: a home with an inventory."""
    config = directory / "home" / ".config" / "triagebook"
    config.mkdir(parents=True, exist_ok=True)
    (config / "inventory.yaml").write_text(INVENTORY)
    return environment(directory / "home")


def approve(socket: Path, fix: str, digest: str) -> int:
    """`triagebook fix approve` as the other account; its exit status. Forked, so that it need not reach our interpreter."""
    process = multiprocessing.get_context("fork").Process(target=_approve, args=(socket, fix, digest))
    process.start()
    process.join(GUARD_S)
    return process.exitcode or 0


def _approve(socket: Path, fix: str, digest: str) -> None:
    from triagebook.bot.cli.app import app, mount

    for parent in (socket.parent, *socket.parents):
        if parent.owner() == getpass.getuser() and str(parent) != "/" and parent.stat().st_mode & 0o001 == 0:
            parent.chmod(0o711)
    os.setgroups([])
    os.setgid(pwd.getpwnam(OTHER).pw_gid)
    os.setuid(pwd.getpwnam(OTHER).pw_uid)
    mount(["fix"])
    app(["fix", "approve", fix, "--digest", digest, "--yes", "--socket", str(socket)])
