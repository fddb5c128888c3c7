"""The Ansible roles of deploy/, read and run by ansible itself: what the preparing role types, and when it types nothing more."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command import ROOT

ROLES = ROOT / "deploy" / "ansible" / "roles"
BIN = ROOT / ".cache" / "peers" / "ansible" / "bin"
PLAYBOOK = shutil.which("ansible-playbook") or shutil.which("ansible-playbook", path=str(BIN))
PLAY = "- hosts: web\n  gather_facts: false\n  connection: local\n  roles: [{role: %s}]\n"
# Stands for triagebook: writes down how it was called; the host lacks the helper until `host install` was called.
PROGRAM = """#!/bin/sh
echo "$*" >>{folder}/called
case $2 in
install) touch {folder}/installed ;;
check) [ -e {folder}/installed ] || {{ echo "MISSING  helper: /opt/triagebook/helper is missing"; exit 4; }} ;;
esac
"""
pytestmark = pytest.mark.skipif(PLAYBOOK is None, reason="no ansible-playbook here (`make peers` installs it)")


def play(folder: Path, role: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a play of one role on a host that is this machine."""
    assert PLAYBOOK is not None
    (folder / "play.yml").write_text(PLAY % role)
    (folder / "hosts").write_text("[web]\nweb01\n")
    program = folder / "triagebook"
    program.write_text(PROGRAM.format(folder=folder))
    program.chmod(0o755)
    known = {
        **os.environ,
        "ANSIBLE_ROLES_PATH": str(ROLES),
        "ANSIBLE_LOCAL_TEMP": str(folder),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    argv = [
        PLAYBOOK,
        "-i",
        str(folder / "hosts"),
        str(folder / "play.yml"),
        "-e",
        f"triagebook_fixes_program={program}",
        *arguments,
    ]
    return subprocess.run(argv, env=known, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_ansible_takes_the_role_without_a_complaint(role: str, tmp_path: Path) -> None:
    done = play(tmp_path, role, "--syntax-check")
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stderr


def test_a_host_that_lacks_something_is_prepared_once_and_then_only_looked_at(tmp_path: Path) -> None:
    first = play(tmp_path, "triagebook_fixes")
    assert (first.returncode, "changed=1" in first.stdout) == (0, True), first.stdout + first.stderr
    again = play(tmp_path, "triagebook_fixes")
    assert (again.returncode, "changed=0" in again.stdout) == (0, True), again.stdout + again.stderr
    check = "host check root@web01"
    install = "host install root@web01 --keys /etc/triagebook-serve"
    assert (tmp_path / "called").read_text().splitlines() == [check, install, check, check, check]


def test_the_variables_reach_the_command_line(tmp_path: Path) -> None:
    given = (
        "-e",
        "triagebook_fixes_sudo=true triagebook_fixes_login=ops triagebook_fixes_collector=true triagebook_fixes_ssh_config=/c",
    )
    done = play(tmp_path, "triagebook_fixes", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "called").read_text().splitlines()[1] == (
        "host install ops@web01 --keys /etc/triagebook-serve --collector --sudo --ssh-config /c"
    )
