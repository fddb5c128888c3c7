"""docs/how-to/sites.md pasted as it is written, with a real nats-server at the address of the page: by hand, and as a service."""

from pathlib import Path

import pytest

from tests import nats
from tests.certificates import Authority
from tests.command import ROOT
from tests.hang import GUARD_S
from tests.system.fixes.serve_page import Block, file_of
from tests.system.pages import machine

WHY_NOT = machine.why_not() or nats.WHY_NOT or ""
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=str(WHY_NOT))
# The site's machine and the server's are one here; the folder holds what the reader has in theirs.
BEFORE = """mkdir -p /opt/triagebook/bin /etc/nats /run/reader
ln -s /opt/triagebook-serve/bin/triagebook /opt/triagebook/bin/triagebook
ln -s {root}/deploy /run/reader/deploy
cp {certificates}/nats.pem {certificates}/nats.key /etc/nats/
cp {certificates}/ca.pem /run/reader/
cd /run/reader
echo '127.77.0.1 web09
127.77.0.3 nats.example.com' >>/etc/hosts
sed 's/^web01/web09/' /root/.ssh/known_hosts >known_hosts
cp /root/.ssh/id_ed25519 .
printf '%s\\n' 'User root' 'IdentityFile /etc/triagebook-worker/id_ed25519' \\
  'UserKnownHostsFile /etc/triagebook-worker/known_hosts' >ssh_config
"""
NATS = """sed -i "/users: \\[/r users" /etc/nats/nats-server.conf
{program} -c /etc/nats/nats-server.conf >/run/nats.log 2>&1 & running="$running $!"
"""


def test_every_command_of_the_page_is_run_or_says_why_not() -> None:
    drawing = [text for text in machine.unmarked("sites.md") if "TLS──" not in text]
    assert drawing == []


def script_of(block: Block) -> str:
    """A block as the reader pastes it."""
    if block.mark.startswith("file: "):
        return file_of(block)
    if block.mark == "run: by systemd":
        unit = "triagebook-worker.service"
        return f"start_unit {unit}\nawait {unit} 'grep -q sites.connected /run/{unit}.log'\n"
    if block.mark == "run: each until Ctrl-C":
        return f"until_said '{block.text.strip()}' sites.connected\n"
    if "site init" in block.text:
        users = "".join(f"{line} >>users\n" for line in block.text.splitlines())
        return f"cp {ROOT}/deploy/nats/nats-server.conf /etc/nats/\n{users}{NATS.format(program=nats.PROGRAM)}"
    return "" if block.mark.startswith("run: nowhere") else block.text.replace("diagnose web09", "diagnose web09 || true")


def test_a_host_of_another_network_is_diagnosed_as_the_page_says(tmp_path: Path) -> None:
    Authority(tmp_path / "ca.pem").issue(tmp_path, "nats", "nats.example.com", address="127.77.0.3")
    script = BEFORE.format(root=ROOT, certificates=tmp_path)
    done = machine.run(script + "".join(map(script_of, machine.pasted("sites.md"))), 10 * GUARD_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "\nDONE: triagebook worker --site eu1" in done.stdout
    assert "\neu1  3 hosts  1 worker\n" in done.stdout, done.stdout[-3000:]
    assert " via site eu1 | cost the host " in done.stdout, done.stdout[-3000:]
